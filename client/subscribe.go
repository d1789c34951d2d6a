package client

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/belfryhq/belfry/protocol"
)

// A SubscribeOption changes a subscription. On a channel that is registered
// already only Setup has an effect.
type SubscribeOption func(*subscribing)

type subscribing struct {
	setup      []func(*Channel)
	authorizer ChannelAuthorizer
	queue      *Queue
	recovery   *recovery
}

// Setup calls f with the channel before the service is asked for anything, so
// that no event of it can be missed. On a channel that is registered already
// it is called at once.
func Setup(f func(ch *Channel)) SubscribeOption {
	return func(s *subscribing) { s.setup = append(s.setup, f) }
}

// WithAuthorizer has a authorize this channel, instead of
// Config.ChannelAuthorizer.
func WithAuthorizer(a ChannelAuthorizer) SubscribeOption {
	return func(s *subscribing) { s.authorizer = a }
}

// DeliverOn makes q the default queue of what is bound to this channel.
func DeliverOn(q *Queue) SubscribeOption { return func(s *subscribing) { s.queue = q } }

// subscribe registers a channel, sets it up and asks for it.
func (s *subscriptions) subscribe(name string, opts []SubscribeOption) (*Channel, error) {
	var o subscribing
	for _, f := range opts {
		f(&o)
	}
	ch, isNew, err := s.register(name, &o)
	if err != nil {
		return nil, err
	}
	if isNew {
		defer s.begin(ch)
		ch.recovery.bindVerdict(ch)
	}
	for _, f := range o.setup {
		f(ch)
	}
	return ch, nil
}

// register returns the channel of that name, and whether it is new.
func (s *subscriptions) register(name string, o *subscribing) (ch *Channel, isNew bool, err error) {
	if err := protocol.CheckChannel(name, max(s.cfg.MaxChannelNameLength, 0)); err != nil {
		return nil, false, fmt.Errorf("%w: %q", ErrInvalidChannelName, name)
	}
	kind := protocol.KindOf(name)
	if checked, ok := o.authorizer.(interface{ check() error }); ok {
		if err := checked.check(); err != nil {
			return nil, false, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, false, ErrClosed
	}
	if ch, ok := s.channels[name]; ok {
		return ch, false, nil
	}
	if kind.Private() && o.authorizer == nil && s.cfg.ChannelAuthorizer == nil {
		return nil, false, fmt.Errorf("%w: %s", ErrNoAuthorizer, name)
	}
	s.order++
	ch = &Channel{
		binder: binder{d: s.d, queue: cmp.Or(o.queue, s.d.queue)},
		subs:   s, name: name, kind: kind, authorizer: o.authorizer,
		order: s.order, settingUp: true, recovery: o.recovery,
	}
	s.channels[name] = ch
	return ch, true, nil
}

// begin asks for a channel that was set up, if there is a connection.
func (s *subscriptions) begin(ch *Channel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch.settingUp = false
	if cn, err := s.connLocked(); err == nil {
		s.askLocked(ch, cn)
	}
}

// askLocked asks for a channel, with an authorization if it needs one. It does
// nothing for a channel that is on its way.
func (s *subscriptions) askLocked(ch *Channel, cn *conn) {
	if ch.settingUp || ch.state == SubEnded || ch.state == SubAuthorizing || ch.state == SubRequested || ch.state == SubSubscribed {
		return
	}
	if w := s.wires[ch.name]; w != nil { // asked for by an earlier Channel
		w.cancelled = false
		ch.encryption.key = w.key
		ch.setLocked(SubRequested, ch.err)
		return
	}
	if !ch.kind.Private() {
		s.requestLocked(ch, cn, Auth{})
		return
	}
	ch.setLocked(SubAuthorizing, ch.err)
	s.authorizeLocked(&ch.job, &authJob{
		cn: cn, name: ch.name, with: ch.authorizerOf(),
		granted: func(a Auth, _ UserAuth) { s.grantedLocked(ch, cn, a) },
		refused: func(err error, willRetry bool) {
			s.log.Error("authorization failed", "channel", ch.name, "err", err, "will_retry", willRetry)
			s.unauthorizedLocked(ch, err, willRetry)
		},
	})
}

// unauthorizedLocked says that a channel is not authorized, or not yet.
func (s *subscriptions) unauthorizedLocked(ch *Channel, err error, willRetry bool) {
	state := SubFailed
	if willRetry {
		state = SubAuthorizing
	}
	e := &SubscriptionError{Channel: ch.name, Kind: SubscriptionAuth, Type: "AuthError", WillRetry: willRetry, Err: err}
	if a, ok := errors.AsType[*AuthError](err); ok {
		e.Status = a.StatusCode
	}
	s.failedLocked(ch, state, e, nil)
}

// grantedLocked goes on with an authorization. A presence channel without
// channel_data needs a user, and waits for a sign-in that is on its way.
func (s *subscriptions) grantedLocked(ch *Channel, cn *conn, a Auth) {
	if ch.state != SubAuthorizing || cn.ctx.Err() != nil {
		return
	}
	if ch.kind.Presence() && a.ChannelData == "" {
		switch s.user.phase {
		case userSignedIn:
		case userAuthorizing, userRequested:
			s.user.waiting = append(s.user.waiting, func() { s.grantedLocked(ch, cn, a) })
			return
		default:
			err := &AuthError{Kind: AuthBadResponse, Channel: ch.name, Err: errors.New("there is no channel_data, and no user is signed in")}
			s.unauthorizedLocked(ch, err, false)
			return
		}
	}
	if ch.kind.Encrypted() {
		ch.encryption.key, _ = a.key() // it was checked
	}
	a.SharedSecret = ""
	s.requestLocked(ch, cn, a)
}

// requestLocked asks the service for a channel.
func (s *subscriptions) requestLocked(ch *Channel, cn *conn, a Auth) {
	w := &wire{auth: a, key: ch.encryption.key}
	s.wires[ch.name] = w
	cn.send(subscribeMessage(ch.name, a, ch.recovery.request(s.sockets)))
	ch.setLocked(SubRequested, ch.err)
	if s.cfg.SubscribeTimeout > 0 {
		s.afterLocked(cn, &w.timeout, s.cfg.SubscribeTimeout, func() { s.unansweredLocked(ch.name, w) })
	}
}

// unansweredLocked says that the service did not answer in time. The answer may
// still come; nothing is asked twice.
func (s *subscriptions) unansweredLocked(name string, w *wire) {
	ch := s.channels[name]
	if ch == nil || s.wires[name] != w || w.cancelled || ch.state != SubRequested {
		return
	}
	s.failedLocked(ch, SubFailed, &SubscriptionError{Channel: name, Kind: SubscriptionTimeout, Message: "no answer of the service in time"}, nil)
}

// failedLocked says that a channel is not subscribed. Data is what the service
// said, if it did.
func (s *subscriptions) failedLocked(ch *Channel, state SubscriptionState, e *SubscriptionError, data []byte) {
	ch.setLocked(state, e)
	event := Event{Name: eventSubscriptionError, Channel: ch.name, Data: string(data)}
	if data == nil {
		text, err := json.Marshal(map[string]any{"type": e.Type, "error": e.Error(), "status": e.Status})
		if err == nil {
			event.Data = string(text)
		}
	}
	s.d.happened(&ch.binder, SubscriptionFailed{ch, e}, event)
}

// leaveLocked tells the service that a channel is unsubscribed, now or when it
// has answered.
func (s *subscriptions) leaveLocked(ch *Channel) {
	cn, err := s.connLocked()
	if err != nil {
		return
	}
	w := s.wires[ch.name]
	switch {
	case w == nil:
	case w.confirmed:
		delete(s.wires, ch.name)
		cn.send(unsubscribeMessage(ch.name))
	default:
		w.cancelled = true
	}
}

// Unsubscribe ends the channel: what is bound to it is removed, it is no
// longer registered, and the service is told if it may know of it. Subscribing
// again makes a new Channel.
func (ch *Channel) Unsubscribe() {
	if ch.subs.unsubscribe(ch) {
		ch.clear(true)
	}
}

// unsubscribe ends a channel, unless it has ended.
func (s *subscriptions) unsubscribe(ch *Channel) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ch.state == SubEnded {
		return false
	}
	s.leaveLocked(ch)
	ch.endLocked()
	delete(s.channels, ch.name)
	s.d.happened(nil, Unsubscribed{ch}, Event{})
	return true
}

// Resubscribe tries a channel whose subscription failed again, now and with a
// new authorization. In any other state it does nothing. The error is
// ErrUnsubscribed or ErrClosed.
func (ch *Channel) Resubscribe() error {
	s := ch.subs
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return ErrClosed
	case ch.state == SubEnded:
		return ErrUnsubscribed
	case ch.state != SubFailed:
		return nil
	}
	if cn, err := s.connLocked(); err == nil {
		delete(s.wires, ch.name) // what was not answered is asked again
		s.askLocked(ch, cn)
	}
	return nil
}

// subscribeMessage is pusher:subscribe.
func subscribeMessage(channel string, a Auth, resume *resumeRequest) []byte {
	return mustMessage(protocol.EventSubscribe, struct {
		Channel     string `json:"channel"`
		Auth        string `json:"auth,omitempty"`
		ChannelData string `json:"channel_data,omitempty"`

		Resume *resumeRequest `json:"resume,omitempty"`
	}{channel, a.Auth, a.ChannelData, resume})
}

// unsubscribeMessage is pusher:unsubscribe.
func unsubscribeMessage(channel string) []byte {
	return mustMessage(protocol.EventUnsubscribe, struct {
		Channel string `json:"channel"`
	}{channel})
}

// mustMessage is message for data that always encodes.
func mustMessage(event string, data any) []byte {
	text, err := message(event, "", data)
	if err != nil {
		panic(err)
	}
	return text
}
