package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/belfryhq/belfry/protocol"
)

// connected makes cn the connection: what is wanted is asked for over it. Before,
// announce is called, with mu held, so that it comes before all that follows.
func (s *subscriptions) connected(cn *conn, announce func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn.Store(cn)
	s.wires = make(map[string]*wire)
	announce()
	s.rememberSocketLocked(cn.socketID)
	s.user.connectedLocked(cn)
	for _, ch := range s.listLocked() {
		s.askLocked(ch, cn)
	}
}

// receive takes a message of a connection. It returns the queues that have no
// room for another one, and for which the reader has to wait.
func (s *subscriptions) receive(cn *conn, text []byte, binary bool) []*Queue {
	s.cfg.Trace.received(text)
	s.n.framesIn.Add(1)
	s.n.bytesIn.Add(uint64(len(text)))
	e, err := parseEvent(text, binary)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.conn.Load() != cn: // it is nobody's any more
		return nil
	case err != nil:
		s.n.badFrames.Add(1)
		s.d.fail(protocolError(text, err))
		return nil
	case s.d.debug:
		s.log.Debug("received", "event", e.Name, "channel", e.Channel, "bytes", len(text))
	}
	s.dispatchLocked(cn, e)
	return s.d.takeCrowded()
}

// dispatchLocked does what an event asks of the client and hands it to what is
// bound to it.
func (s *subscriptions) dispatchLocked(cn *conn, e Event) {
	switch e.Name {
	case protocol.EventPing:
		cn.pong(outgoing{kind: sendEvent, data: pongEvent})
	case protocol.EventPong:
		cn.answered()
	case protocol.EventConnectionEstablished:
		s.d.fail(protocolError([]byte(e.Data), errors.New("the connection was established twice")))
	case protocol.EventError:
		s.objectionLocked(e)
	case protocol.EventSigninSuccess:
		s.user.signedInLocked(cn, e)
	case protocol.EventWatchlist:
		s.watchlistLocked(e)
	case protocol.EventSubscriptionSucceeded:
		s.confirmedLocked(cn, e)
	case protocol.EventSubscriptionError:
		s.refusedLocked(cn, e)
	case protocol.EventResume:
		s.recoveredLocked(e)
		s.channelEventLocked(cn, e)
	default:
		s.channelEventLocked(cn, e)
		if ch := s.channels[e.Channel]; ch != nil {
			ch.recovery.mark(e.Position)
		}
	}
}

// objectionLocked takes pusher:error.
func (s *subscriptions) objectionLocked(e Event) {
	err := serverError([]byte(e.Data))
	s.log.Error("the service objects", "code", err.Code, "message", err.Message)
	s.d.happened(nil, Failure{err}, e)
	s.user.objectedLocked(err)
}

// watchlistLocked takes news of watched users.
func (s *subscriptions) watchlistLocked(e Event) {
	var data struct {
		Events []struct {
			Name    string            `json:"name"`
			UserIDs []json.RawMessage `json:"user_ids"`
		} `json:"events"`
	}
	if err := json.Unmarshal([]byte(e.Data), &data); err != nil {
		s.d.fail(protocolError([]byte(e.Data), err))
		return
	}
	for _, change := range data.Events {
		w := WatchlistChange{Name: change.Name}
		for _, raw := range change.UserIDs {
			w.UserIDs = append(w.UserIDs, id(raw))
		}
		s.d.happened(&s.user.binder, w, Event{})
	}
}

// confirmedLocked takes the confirmation of a subscription.
func (s *subscriptions) confirmedLocked(cn *conn, e Event) {
	w := s.wires[e.Channel]
	if w == nil {
		return // of a user's channel, or twice
	}
	cn.agenda.cancel(w.timeout)
	if w.cancelled {
		delete(s.wires, e.Channel)
		cn.send(unsubscribeMessage(e.Channel))
		return
	}
	ch := s.channels[e.Channel]
	if w.confirmed || ch == nil {
		return
	}
	w.confirmed = true
	if ch.kind.Presence() {
		list, err := parseMembers(e.Data)
		if err != nil {
			s.unreadableLocked(ch, e, err)
			return
		}
		ch.presence.fill(s.identityLocked(w), list)
	}
	now := Subscribed{Channel: ch, Members: ch.presence.snapshot(), Resubscribed: ch.subscribed}
	if now.Resubscribed {
		now.Joined, now.Left = ch.presence.since()
	}
	ch.subscribed = true
	ch.setLocked(SubSubscribed, nil)
	e.Name = eventSubscriptionSucceeded
	s.d.happened(&ch.binder, now, e)
}

// unreadableLocked gives up a subscription that was confirmed with members that
// can not be read: a list that is not known must not pass for an empty one.
func (s *subscriptions) unreadableLocked(ch *Channel, e Event, err error) {
	s.leaveLocked(ch)
	s.failedLocked(ch, SubFailed, &SubscriptionError{
		Channel: ch.name, Kind: SubscriptionServer, Message: "the list of members can not be read",
		Err: protocolError([]byte(e.Data), err),
	}, nil)
}

// identityLocked is who a subscription was made as: what was signed, or else
// the user.
func (s *subscriptions) identityLocked(w *wire) string {
	if m, err := parseMember(w.auth.ChannelData); err == nil {
		return m.ID
	}
	return s.user.id
}

// refusedLocked takes the refusal of a subscription.
func (s *subscriptions) refusedLocked(cn *conn, e Event) {
	var data struct {
		Type   string          `json:"type"`
		Error  string          `json:"error"`
		Status json.RawMessage `json:"status"`
	}
	json.Unmarshal([]byte(e.Data), &data) // what does not decode stays empty
	err := &SubscriptionError{Channel: e.Channel, Kind: SubscriptionServer, Type: data.Type, Message: data.Error}
	json.Unmarshal(data.Status, &err.Status)
	w, ch := s.wires[e.Channel], s.channels[e.Channel]
	if w != nil {
		cn.agenda.cancel(w.timeout)
		delete(s.wires, e.Channel)
	}
	switch {
	case ch != nil && w != nil && !w.cancelled:
		s.failedLocked(ch, SubFailed, err, []byte(e.Data))
	case w == nil:
		s.d.fail(err) // of a user's channel, or of none that we know
	}
}

// channelEventLocked takes an event that was published, or that says what
// happens on a channel.
func (s *subscriptions) channelEventLocked(cn *conn, e Event) {
	if user, ok := protocol.UserOf(e.Channel); ok {
		if user == s.user.id && !protocol.IsReserved(e.Name) {
			s.d.published(&s.user.binder, e)
		}
		return
	}
	ch := s.channels[e.Channel]
	if ch == nil || ch.state != SubSubscribed {
		if e.Channel != "" && ch == nil {
			s.n.withoutChannel.Add(1)
		}
		if !strings.HasPrefix(e.Name, internalPrefix) {
			s.d.published(nil, e)
		}
		return
	}
	switch {
	case strings.HasPrefix(e.Name, internalPrefix), e.Name == eventSubscriptionCount, e.Name == protocol.EventCacheMiss:
		s.newsLocked(ch, e)
	case ch.kind.Encrypted() && !strings.HasPrefix(e.Name, "pusher:"):
		s.encryptedLocked(ch, cn, e)
	default:
		s.d.published(&ch.binder, e)
	}
}

const internalPrefix = "pusher_internal:"

// newsLocked takes what the service says about a channel.
func (s *subscriptions) newsLocked(ch *Channel, e Event) {
	var err error
	switch e.Name {
	case protocol.EventMemberAdded:
		var m Member
		if m, err = parseMember(e.Data); err == nil {
			ch.presence.add(m)
			e.Name = eventMemberAdded
			s.d.happened(&ch.binder, MemberAdded{ch, m}, e)
		}
	case protocol.EventMemberRemoved:
		var m Member
		if m, err = parseMember(e.Data); err == nil {
			if known, ok := ch.presence.remove(m.ID); ok {
				e.Name = eventMemberRemoved
				s.d.happened(&ch.binder, MemberRemoved{ch, known}, e)
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
			s.d.happened(&ch.binder, SubscriptionCount{ch, *data.Count}, e)
		}
	case protocol.EventCacheMiss:
		s.d.happened(&ch.binder, CacheMiss{ch}, e)
	default:
		s.log.Debug("internal event that is not known", "event", e.Name, "channel", ch.name)
	}
	if err != nil {
		s.d.fail(protocolError([]byte(e.Data), fmt.Errorf("%s on %s: %w", e.Name, ch.name, err)))
	}
}
