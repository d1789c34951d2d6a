package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/belfryhq/belfry/protocol"
)

// traceReceived tells the trace of a message.
func (c *Client) traceReceived(text []byte) {
	if f := c.cfg.Trace.FrameReceived; f != nil {
		f(text)
	}
}

// receive takes a message of a connection. It returns the queues that have no
// room for another one and for which the reader has to wait.
func (c *Client) receive(cn *conn, text []byte, binary bool) []*Queue {
	c.traceReceived(text)
	e, err := parseEvent(text, binary)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats.FramesIn++
	c.stats.BytesIn += uint64(len(text))
	if c.session == nil || c.session.conn != cn {
		return nil // of a connection that is nobody's any more
	}
	if err != nil {
		c.stats.BadFrames++
		c.failLocked(protocolError(text, err))
		return nil
	}
	if c.debug {
		c.log.Debug("received", "event", e.Name, "channel", e.Channel, "bytes", len(text))
	}
	cn.crowded, c.taking = cn.crowded[:0], cn
	c.dispatchLocked(cn, e)
	c.taking = nil
	return cn.crowded
}

// parseEvent reads a message.
func parseEvent(text []byte, binary bool) (Event, error) {
	if binary {
		return Event{}, errBinary
	}
	m, perr := protocol.ParseMessage(text)
	if perr != nil {
		return Event{}, errors.New(perr.Message)
	}
	e := Event{Name: m.Event, Channel: m.Channel, Data: content(m.Data), Received: time.Now()}
	if strings.HasPrefix(e.Name, clientEventPrefix) {
		var sender struct {
			UserID json.RawMessage `json:"user_id"`
		}
		if json.Unmarshal(text, &sender) == nil {
			e.UserID = id(sender.UserID)
		}
	}
	return e, nil
}

// dispatchLocked does what an event asks of the client and hands it to what is
// bound to it.
func (c *Client) dispatchLocked(cn *conn, e Event) {
	switch e.Name {
	case protocol.EventPing:
		cn.pongLocked(outgoing{kind: sendEvent, data: pongEvent})
	case protocol.EventPong:
		cn.answeredLocked()
	case protocol.EventConnectionEstablished:
		c.failLocked(protocolError([]byte(e.Data), errors.New("the connection was established twice")))
	case protocol.EventError:
		c.objectionLocked(e)
	case protocol.EventSigninSuccess:
		c.user.signedInLocked(cn, e)
	case protocol.EventWatchlist:
		c.watchlistLocked(e)
	case protocol.EventSubscriptionSucceeded:
		c.confirmedLocked(cn, e)
	case protocol.EventSubscriptionError:
		c.refusedLocked(cn, e)
	default:
		c.channelEventLocked(cn, e)
	}
}

// objectionLocked takes pusher:error.
func (c *Client) objectionLocked(e Event) {
	err := serverError([]byte(e.Data))
	c.log.Error("the service objects", "code", err.Code, "message", err.Message)
	c.systemLocked(nil, Failure{err}, e)
	c.user.objectedLocked(err)
}

// watchlistLocked takes news of watched users.
func (c *Client) watchlistLocked(e Event) {
	var data struct {
		Events []struct {
			Name    string            `json:"name"`
			UserIDs []json.RawMessage `json:"user_ids"`
		} `json:"events"`
	}
	if err := json.Unmarshal([]byte(e.Data), &data); err != nil {
		c.failLocked(protocolError([]byte(e.Data), err))
		return
	}
	for _, change := range data.Events {
		w := WatchlistChange{Name: change.Name}
		for _, raw := range change.UserIDs {
			w.UserIDs = append(w.UserIDs, id(raw))
		}
		c.systemLocked(&c.user.binder, w, Event{})
	}
}

// confirmedLocked takes the confirmation of a subscription.
func (c *Client) confirmedLocked(cn *conn, e Event) {
	w := cn.wire[e.Channel]
	if w == nil {
		return // of a user's channel, or twice
	}
	cn.s.cancelLocked(w.timeout)
	if w.cancelled {
		delete(cn.wire, e.Channel)
		cn.sendLocked(outgoing{kind: sendEvent, data: unsubscribeMessage(e.Channel)})
		return
	}
	ch := c.channels[e.Channel]
	if w.confirmed || ch == nil {
		return
	}
	w.confirmed = true
	if ch.kind.Presence() {
		list, err := parseMembers(e.Data)
		if err != nil {
			c.unreadableLocked(ch, e, err)
			return
		}
		ch.presence.fill(c.identityLocked(w), list)
	}
	s := Subscribed{Channel: ch, Members: ch.presence.snapshot(), Resubscribed: ch.subscribed}
	if s.Resubscribed {
		s.Joined, s.Left = ch.presence.since()
	}
	ch.subscribed = true
	ch.setLocked(SubSubscribed, nil)
	e.Name = eventSubscriptionSucceeded
	c.systemLocked(&ch.binder, s, e)
}

// unreadableLocked gives up a subscription that was confirmed with members that
// can not be read: a list that is not known must not pass for an empty one.
func (c *Client) unreadableLocked(ch *Channel, e Event, err error) {
	c.leaveLocked(ch)
	c.failedLocked(ch, SubFailed, &SubscriptionError{
		Channel: ch.name, Kind: SubscriptionServer, Message: "the list of members can not be read",
		Err: protocolError([]byte(e.Data), err),
	}, nil)
}

// identityLocked is who a subscription was made as: what was signed, or else
// the user.
func (c *Client) identityLocked(w *wire) string {
	if m, err := parseMember(w.auth.ChannelData); err == nil {
		return m.ID
	}
	return c.user.id
}

// refusedLocked takes the refusal of a subscription.
func (c *Client) refusedLocked(cn *conn, e Event) {
	var data struct {
		Type   string          `json:"type"`
		Error  string          `json:"error"`
		Status json.RawMessage `json:"status"`
	}
	json.Unmarshal([]byte(e.Data), &data) // what does not decode stays empty
	err := &SubscriptionError{Channel: e.Channel, Kind: SubscriptionServer, Type: data.Type, Message: data.Error}
	json.Unmarshal(data.Status, &err.Status)
	w, ch := cn.wire[e.Channel], c.channels[e.Channel]
	if w != nil {
		cn.s.cancelLocked(w.timeout)
		delete(cn.wire, e.Channel)
	}
	switch {
	case ch != nil && w != nil && !w.cancelled:
		c.failedLocked(ch, SubFailed, err, []byte(e.Data))
	case w == nil:
		c.failLocked(err) // of a user's channel, or of none that we know
	}
}

// channelEventLocked takes an event that was published, or that says what
// happens on a channel.
func (c *Client) channelEventLocked(cn *conn, e Event) {
	if user, ok := protocol.UserOf(e.Channel); ok {
		if user == c.user.id && !protocol.IsReserved(e.Name) {
			c.publishedLocked(&c.user.binder, e)
		}
		return
	}
	ch := c.channels[e.Channel]
	if ch == nil || ch.state != SubSubscribed {
		if e.Channel != "" && ch == nil {
			c.stats.EventsWithoutChannel++
		}
		if !strings.HasPrefix(e.Name, internalPrefix) {
			c.publishedLocked(nil, e)
		}
		return
	}
	switch {
	case strings.HasPrefix(e.Name, internalPrefix), e.Name == eventSubscriptionCount, e.Name == protocol.EventCacheMiss:
		c.newsLocked(ch, e)
	case ch.kind.Encrypted() && !strings.HasPrefix(e.Name, "pusher:"):
		c.encryptedLocked(ch, cn, e)
	default:
		c.publishedLocked(&ch.binder, e)
	}
}

const internalPrefix = "pusher_internal:"

// newsLocked takes what the service says about a channel.
func (c *Client) newsLocked(ch *Channel, e Event) {
	var err error
	switch e.Name {
	case protocol.EventMemberAdded:
		var m Member
		if m, err = parseMember(e.Data); err == nil {
			ch.presence.add(m)
			e.Name = eventMemberAdded
			c.systemLocked(&ch.binder, MemberAdded{ch, m}, e)
		}
	case protocol.EventMemberRemoved:
		var m Member
		if m, err = parseMember(e.Data); err == nil {
			if known, ok := ch.presence.remove(m.ID); ok {
				e.Name = eventMemberRemoved
				c.systemLocked(&ch.binder, MemberRemoved{ch, known}, e)
			}
		}
	case protocol.EventSubscriptionCount, eventSubscriptionCount:
		var data struct {
			Count *int `json:"subscription_count"`
		}
		if err = json.Unmarshal([]byte(e.Data), &data); err == nil && data.Count == nil {
			err = errors.New("there is no subscription_count")
		}
		if err == nil {
			ch.count, ch.counted = *data.Count, true
			e.Name = eventSubscriptionCount
			c.systemLocked(&ch.binder, SubscriptionCount{ch, *data.Count}, e)
		}
	case protocol.EventCacheMiss:
		c.systemLocked(&ch.binder, CacheMiss{ch}, e)
	default:
		c.log.Debug("internal event that is not known", "event", e.Name, "channel", ch.name)
	}
	if err != nil {
		c.failLocked(protocolError([]byte(e.Data), fmt.Errorf("%s on %s: %w", e.Name, ch.name, err)))
	}
}

// publishedLocked hands an event to what is bound to it: on own, if that is
// not nil, and on the client.
func (c *Client) publishedLocked(own *binder, e Event) {
	c.enqueueEventLocked(own, entry{event: e}, "")
}

// systemLocked hands a system event to what is bound to it, and e too, if it
// has a name.
func (c *Client) systemLocked(own *binder, system any, e Event) {
	if e.Name != "" && e.Received.IsZero() {
		e.Received = time.Now()
	}
	c.enqueueEventLocked(own, entry{event: e, system: system}, systemKey(system))
}

// fail is failLocked for callers without the lock.
func (c *Client) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failLocked(err)
}

// failLocked tells of an error that no call returns.
func (c *Client) failLocked(err error) {
	c.log.Warn("failure", "err", err)
	c.systemLocked(nil, Failure{err}, Event{})
}

// enqueueEventLocked puts an entry into the queue of everything that is bound
// to it: own before the client, all-event functions before named ones, and
// those of On at the end.
func (c *Client) enqueueEventLocked(own *binder, e entry, key string) {
	if c.closed {
		return
	}
	n := 0
	for _, b := range []*binder{own, &c.binder} {
		if b == nil {
			continue
		}
		if e.event.Name != "" {
			e.lists[n], e.lists[n+1] = b.every, b.named[e.event.Name]
		}
		if key != "" {
			e.lists[n+2] = b.named[key]
		}
		n += 3
	}
	var few [4]*Queue
	queues := e.queues(few[:0])
	if len(queues) == 0 && c.debug {
		c.log.Debug("nothing is bound", "event", e.event.Name, "channel", e.event.Channel)
	}
	for _, q := range queues {
		c.pushLocked(q, e)
	}
}

// queues appends the queues of everything that is bound, each once.
func (e *entry) queues(list []*Queue) []*Queue {
	for _, bound := range e.lists {
	next:
		for _, b := range bound {
			for _, q := range list {
				if q == b.queue {
					continue next
				}
			}
			list = append(list, b.queue)
		}
	}
	return list
}

// pushLocked puts an entry into one queue and sees to what follows if it is
// full.
func (c *Client) pushLocked(q *Queue, e entry) {
	p := q.push(e)
	if p.lose {
		if cn, err := c.connLocked(); err == nil {
			cn.failLocked(&SlowConsumerError{Queue: q.cfg.Name, Dropped: 1, of: q})
		}
	}
	if p.unsaid {
		c.reportLocked(q)
	}
	if c.taking != nil && q.blocked() != nil {
		c.taking.crowded = append(c.taking.crowded, q)
	}
}

// reportLocked tells that a queue had to drop events, if it is time to.
func (c *Client) reportLocked(q *Queue) {
	n, ok := q.report(time.Now())
	if !ok {
		return
	}
	err := &SlowConsumerError{Queue: q.cfg.Name, Dropped: n, of: q}
	c.log.Warn("queue is full", "queue", q.cfg.Name, "dropped", n)
	e := entry{system: Failure{err}}
	e.lists[0] = c.binder.named[keyFailure]
	heard := true
	for _, listener := range e.queues(nil) {
		if listener.push(e).waits {
			heard = false
		}
	}
	if heard {
		q.heard()
	}
}
