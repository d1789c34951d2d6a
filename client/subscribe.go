package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/belfryhq/belfry/protocol"
)

// A SubscribeOption changes a subscription. On a channel that is registered
// already only Setup has an effect.
type SubscribeOption func(*subscribing)

type subscribing struct {
	setup      []func(*Channel)
	authorizer ChannelAuthorizer
	queue      *Queue
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

// Subscribe registers a channel of any kind by its full name and returns it at
// once; the service is asked when there is a connection. While a channel is
// registered, Subscribe returns the same one. The error is
// ErrInvalidChannelName, ErrNoAuthorizer or ErrClosed.
func (c *Client) Subscribe(name string, opts ...SubscribeOption) (*Channel, error) {
	var s subscribing
	for _, o := range opts {
		o(&s)
	}
	ch, isNew, err := c.register(name, &s)
	if err != nil {
		return nil, err
	}
	if isNew {
		defer c.begin(ch)
	}
	for _, f := range s.setup {
		f(ch)
	}
	return ch, nil
}

// SubscribePrivate is Subscribe with "private-" in front of the name, where
// that is absent.
func (c *Client) SubscribePrivate(name string, opts ...SubscribeOption) (*Channel, error) {
	return c.Subscribe(withPrefix("private-", name), opts...)
}

// SubscribePresence is Subscribe with "presence-" in front of the name, where
// that is absent.
func (c *Client) SubscribePresence(name string, opts ...SubscribeOption) (*Channel, error) {
	return c.Subscribe(withPrefix("presence-", name), opts...)
}

func withPrefix(prefix, name string) string {
	if strings.HasPrefix(name, prefix) {
		return name
	}
	return prefix + name
}

// register returns the channel of that name, and whether it is new.
func (c *Client) register(name string, s *subscribing) (ch *Channel, isNew bool, err error) {
	if err := protocol.CheckChannel(name, max(c.cfg.MaxChannelNameLength, 0)); err != nil {
		return nil, false, fmt.Errorf("%w: %q", ErrInvalidChannelName, name)
	}
	kind := protocol.KindOf(name)
	if checked, ok := s.authorizer.(interface{ check() error }); ok {
		if err := checked.check(); err != nil {
			return nil, false, err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, false, ErrClosed
	}
	if ch, ok := c.channels[name]; ok {
		return ch, false, nil
	}
	if kind.Private() && s.authorizer == nil && c.cfg.ChannelAuthorizer == nil {
		return nil, false, fmt.Errorf("%w: %s", ErrNoAuthorizer, name)
	}
	c.order++
	ch = &Channel{
		binder: binder{c: c, queue: s.queue},
		name:   name, kind: kind, authorizer: s.authorizer,
		order: c.order, settingUp: true,
	}
	c.channels[name] = ch
	return ch, true, nil
}

// begin asks for a channel that was set up, if there is a connection.
func (c *Client) begin(ch *Channel) {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch.settingUp = false
	if cn, err := c.connLocked(); err == nil {
		c.subscribeLocked(ch, cn)
	}
}

// Unsubscribe ends the registered channel of that name, and reports whether
// there was one.
func (c *Client) Unsubscribe(name string) bool {
	ch, ok := c.Channel(name)
	if ok {
		ch.Unsubscribe()
	}
	return ok
}

// UnsubscribeAll ends all registered channels.
func (c *Client) UnsubscribeAll() {
	for _, ch := range c.Channels() {
		ch.Unsubscribe()
	}
}

// A wire is what a connection has asked of the service for one channel. It
// outlasts the Channel if the answer is still to come.
type wire struct {
	confirmed bool
	cancelled bool      // unsubscribe as soon as the answer comes
	auth      Auth      // what was sent with it
	key       *[32]byte // of an encrypted channel
	timeout   *timer    // of the answer
}

// wireLocked is what the connection has asked for the channel, or nil.
func (ch *Channel) wireLocked() *wire {
	if cn, err := ch.c.connLocked(); err == nil {
		return cn.wire[ch.name]
	}
	return nil
}

// subscribeLocked asks for a channel, with an authorization if it needs one.
// It does nothing for a channel that is on its way.
func (c *Client) subscribeLocked(ch *Channel, cn *conn) {
	if ch.settingUp || ch.state == SubEnded || ch.state == SubAuthorizing || ch.state == SubRequested || ch.state == SubSubscribed {
		return
	}
	if w := cn.wire[ch.name]; w != nil { // asked for by an earlier Channel
		w.cancelled = false
		ch.encryption.key = w.key
		ch.setLocked(SubRequested, ch.err)
		return
	}
	if !ch.kind.Private() {
		c.requestLocked(ch, cn, Auth{})
		return
	}
	ch.setLocked(SubAuthorizing, ch.err)
	c.authorizeChannelLocked(ch, cn)
}

// authorizeChannelLocked asks the authorizer of a channel.
func (c *Client) authorizeChannelLocked(ch *Channel, cn *conn) {
	ch.job = &authJob{name: ch.name, with: ch.authorizerLocked(),
		granted: func(a Auth, _ UserAuth) { c.grantedLocked(ch, cn, a) },
		refused: func(err error, willRetry bool) {
			state := SubFailed
			if willRetry {
				state = SubAuthorizing
			}
			e := &SubscriptionError{Channel: ch.name, Kind: SubscriptionAuth, Type: "AuthError", WillRetry: willRetry, Err: err}
			if a, ok := errors.AsType[*AuthError](err); ok {
				e.Status = a.StatusCode
			}
			c.log.Error("authorization failed", "channel", ch.name, "err", err, "will_retry", willRetry)
			c.failedLocked(ch, state, e, nil)
		},
	}
	c.authorizeLocked(cn, ch.job)
}

func (ch *Channel) authorizerLocked() ChannelAuthorizer {
	if ch.authorizer != nil {
		return ch.authorizer
	}
	return ch.c.cfg.ChannelAuthorizer
}

// grantedLocked goes on with an authorization. A presence channel without
// channel_data needs a user, and waits for a sign-in that is on its way.
func (c *Client) grantedLocked(ch *Channel, cn *conn, a Auth) {
	ch.job = nil
	if ch.state != SubAuthorizing || cn.ctx.Err() != nil {
		return
	}
	if ch.kind.Presence() && a.ChannelData == "" {
		switch c.user.phase {
		case userSignedIn:
		case userAuthorizing, userRequested:
			c.user.waiting = append(c.user.waiting, func() { c.grantedLocked(ch, cn, a) })
			return
		default:
			err := &AuthError{Kind: AuthBadResponse, Channel: ch.name, Err: errors.New("there is no channel_data, and no user is signed in")}
			c.failedLocked(ch, SubFailed, &SubscriptionError{Channel: ch.name, Kind: SubscriptionAuth, Type: "AuthError", Err: err}, nil)
			return
		}
	}
	if ch.kind.Encrypted() {
		ch.encryption.key, _ = sharedSecret(a.SharedSecret) // it was checked
	}
	a.SharedSecret = ""
	c.requestLocked(ch, cn, a)
}

// requestLocked asks the service for a channel.
func (c *Client) requestLocked(ch *Channel, cn *conn, a Auth) {
	w := &wire{auth: a, key: ch.encryption.key}
	cn.wire[ch.name] = w
	cn.sendLocked(outgoing{kind: sendEvent, data: subscribeMessage(ch.name, a)})
	ch.setLocked(SubRequested, ch.err)
	if c.cfg.SubscribeTimeout > 0 {
		w.timeout = cn.s.afterLocked(c.cfg.SubscribeTimeout, func() { c.unansweredLocked(cn, ch.name, w) })
	}
}

// unansweredLocked says that the service did not answer in time. The answer
// may still come; nothing is asked twice.
func (c *Client) unansweredLocked(cn *conn, name string, w *wire) {
	ch := c.channels[name]
	if ch == nil || cn.wire[name] != w || w.cancelled || ch.state != SubRequested {
		return
	}
	c.failedLocked(ch, SubFailed, &SubscriptionError{Channel: name, Kind: SubscriptionTimeout, Message: "no answer of the service in time"}, nil)
}

// failedLocked says that a channel is not subscribed. Data is what the service
// said, if it did.
func (c *Client) failedLocked(ch *Channel, state SubscriptionState, e *SubscriptionError, data []byte) {
	ch.setLocked(state, e)
	event := Event{Name: eventSubscriptionError, Channel: ch.name, Data: string(data)}
	if data == nil {
		text, err := json.Marshal(map[string]any{"type": e.Type, "error": e.Error(), "status": e.Status})
		if err == nil {
			event.Data = string(text)
		}
	}
	c.systemLocked(&ch.binder, SubscriptionFailed{ch, e}, event)
}

// leaveLocked tells the service that a channel is unsubscribed, now or when it
// has answered.
func (c *Client) leaveLocked(ch *Channel) {
	cn, err := c.connLocked()
	if err != nil {
		return
	}
	w := cn.wire[ch.name]
	switch {
	case w == nil:
	case w.confirmed:
		delete(cn.wire, ch.name)
		cn.sendLocked(outgoing{kind: sendEvent, data: unsubscribeMessage(ch.name)})
	default:
		w.cancelled = true
	}
}

// subscribeMessage is pusher:subscribe.
func subscribeMessage(channel string, a Auth) []byte {
	return mustMessage(protocol.EventSubscribe, struct {
		Channel     string `json:"channel"`
		Auth        string `json:"auth,omitempty"`
		ChannelData string `json:"channel_data,omitempty"`
	}{channel, a.Auth, a.ChannelData})
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
