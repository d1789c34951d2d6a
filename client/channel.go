package client

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/belfryhq/belfry/protocol"
)

// A Channel is a channel that the program is interested in. It outlasts
// connections, together with what is bound to it. After Unsubscribe it is
// inert.
type Channel struct {
	binder // of the channel

	// Immutable.
	name       string
	kind       protocol.Kind
	authorizer ChannelAuthorizer // nil: that of the client

	// Guarded by Client.mu.
	order      uint64 // of subscribing
	settingUp  bool   // Setup runs: nothing is sent yet
	state      SubscriptionState
	err        error
	changed    chan struct{} // closed at the next change; nil if nobody waits
	job        *authJob      // the latest; nil: none
	subscribed bool          // whether it ever was
	count      int
	counted    bool // whether there is a count
	presence   presence
	encryption encryption
}

// Name returns the channel's full name.
func (ch *Channel) Name() string { return ch.name }

// Kind returns what the name says about the channel.
func (ch *Channel) Kind() protocol.Kind { return ch.kind }

// IsCache reports whether new subscribers get the channel's last event.
func (ch *Channel) IsCache() bool { return ch.kind.Cache() }

func isEncrypted(name string) bool { return protocol.KindOf(name).Encrypted() }

// State returns where the channel is with its subscription.
func (ch *Channel) State() SubscriptionState {
	ch.c.mu.Lock()
	defer ch.c.mu.Unlock()
	return ch.state
}

// Subscribed reports whether the service has confirmed the subscription on the
// current connection.
func (ch *Channel) Subscribed() bool { return ch.State() == SubSubscribed }

// Err returns the last error of the subscription. It is nil once subscribed.
func (ch *Channel) Err() error {
	ch.c.mu.Lock()
	defer ch.c.mu.Unlock()
	return ch.err
}

// AwaitSubscribed blocks until the subscription is confirmed. It returns the
// error if it fails without being tried again, ErrUnsubscribed, ErrClosed, or
// the error of ctx, whichever comes first.
func (ch *Channel) AwaitSubscribed(ctx context.Context) error {
	for {
		ch.c.mu.Lock()
		changed := ch.changed
		if changed == nil {
			changed = make(chan struct{})
			ch.changed = changed
		}
		state, err, closed := ch.state, ch.err, ch.c.closed
		ch.c.mu.Unlock()
		switch {
		case closed:
			return ErrClosed
		case state == SubSubscribed:
			return nil
		case state == SubFailed:
			return err
		case state == SubEnded:
			return ErrUnsubscribed
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// setLocked changes the state and wakes who waits for it.
func (ch *Channel) setLocked(state SubscriptionState, err error) {
	ch.state, ch.err = state, err
	if ch.changed != nil {
		close(ch.changed)
		ch.changed = nil
	}
}

// SubscriptionCount returns how many connections have the channel, as the
// service said last on this connection. It is not ok before it has.
func (ch *Channel) SubscriptionCount() (n int, ok bool) {
	ch.c.mu.Lock()
	defer ch.c.mu.Unlock()
	return ch.count, ch.counted
}

// Members returns who is on a presence channel now. It is empty on other
// channels, and unless subscribed.
func (ch *Channel) Members() Members {
	ch.c.mu.Lock()
	defer ch.c.mu.Unlock()
	return ch.presence.snapshot()
}

// Unsubscribe ends the channel: what is bound to it is removed, it is no
// longer registered, and the service is told if it may know of it. Subscribing
// again makes a new Channel.
func (ch *Channel) Unsubscribe() {
	c := ch.c
	c.mu.Lock()
	if ch.state == SubEnded {
		c.mu.Unlock()
		return
	}
	c.leaveLocked(ch)
	bound := ch.endLocked()
	delete(c.channels, ch.name)
	c.systemLocked(nil, Unsubscribed{ch}, Event{})
	c.mu.Unlock()
	for _, b := range bound {
		b.end()
	}
}

// endLocked makes the channel inert and returns what was bound to it.
func (ch *Channel) endLocked() []*Binding {
	ch.c.cancelAuthLocked(ch.job)
	ch.presence.forget()
	ch.encryption.forget(ch.c)
	ch.ended = true
	ch.setLocked(SubEnded, ErrUnsubscribed)
	return ch.clearLocked()
}

// lostLocked takes the channel back to where it was without a connection.
func (ch *Channel) lostLocked() {
	ch.c.cancelAuthLocked(ch.job)
	ch.job = nil
	ch.counted = false
	ch.presence.empty()
	ch.encryption.forget(ch.c)
	ch.setLocked(SubIdle, ch.err)
}

// Resubscribe tries a channel whose subscription failed again, now and with a
// new authorization. In any other state it does nothing. The error is
// ErrUnsubscribed or ErrClosed.
func (ch *Channel) Resubscribe() error {
	ch.c.mu.Lock()
	defer ch.c.mu.Unlock()
	switch {
	case ch.c.closed:
		return ErrClosed
	case ch.state == SubEnded:
		return ErrUnsubscribed
	case ch.state != SubFailed:
		return nil
	}
	if cn, err := ch.c.connLocked(); err == nil {
		delete(cn.wire, ch.name) // what was not answered is asked again
		ch.c.subscribeLocked(ch, cn)
	}
	return nil
}

// A TriggerOption changes a trigger.
type TriggerOption func(*triggering)

type triggering struct{ wait bool }

// WhenSubscribed makes Trigger wait for the subscription, instead of failing
// with ErrNotSubscribed.
func WhenSubscribed() TriggerOption { return func(t *triggering) { t.wait = true } }

// ClientEventName returns the name with "client-" in front, where that is
// absent.
func ClientEventName(name string) string {
	if strings.HasPrefix(name, clientEventPrefix) {
		return name
	}
	return clientEventPrefix + name
}

const clientEventPrefix = "client-"

// Trigger sends a client event to the other subscribers of a private or
// presence channel. Data is sent as JSON, a [json.RawMessage] as it is. Nil
// means that the event was written to the connection, not that anybody got it.
//
// The error is ErrInvalidEventName for a name without "client-", ErrUnsupported
// on public and encrypted channels, ErrNotSubscribed, ErrNotConnected,
// ErrRateLimited, ErrUnsubscribed or ErrClosed, or that of ctx or of encoding data.
func (ch *Channel) Trigger(ctx context.Context, event string, data any, opts ...TriggerOption) error {
	var t triggering
	for _, o := range opts {
		o(&t)
	}
	switch {
	case !strings.HasPrefix(event, clientEventPrefix) || !utf8.ValidString(event):
		return fmt.Errorf("%w: %q", ErrInvalidEventName, event)
	case !ch.kind.ClientEvents() || ch.kind.Encrypted():
		return fmt.Errorf("%w: client events on %s", ErrUnsupported, ch.name)
	}
	text, err := message(event, ch.name, data)
	if err != nil {
		return err
	}
	if t.wait {
		if err := ch.AwaitSubscribed(ctx); err != nil {
			return err
		}
	}
	err = ch.c.checkRate()
	if err != nil {
		return err
	}
	return ch.c.send(ctx, text, func(*conn) error {
		switch ch.state {
		case SubSubscribed:
			return nil
		case SubEnded:
			return ErrUnsubscribed
		}
		return ErrNotSubscribed
	})
}

// Send writes any event, for what the package has no method for. The channel
// may be empty. Its errors are those of Channel.Trigger.
func (c *Client) Send(ctx context.Context, event string, data any, channel string) error {
	text, err := message(event, channel, data)
	if err != nil {
		return err
	}
	return c.send(ctx, text, func(*conn) error { return nil })
}

// message is an event as it is sent.
func message(event, channel string, data any) ([]byte, error) {
	text, err := raw(data)
	if err != nil {
		return nil, fmt.Errorf("client: data of %s: %w", event, err)
	}
	return encode(struct {
		Event   string          `json:"event"`
		Channel string          `json:"channel,omitempty"`
		Data    json.RawMessage `json:"data"`
	}{event, channel, text})
}
