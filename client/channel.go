package client

import (
	"context"

	"github.com/belfryhq/belfry/protocol"
)

var _ Binder = (*Channel)(nil)

// A Channel is a channel that the program is interested in. It outlasts
// connections, together with what is bound to it. After Unsubscribe it is
// inert.
type Channel struct {
	binder // of the channel

	// Immutable.
	subs       *subscriptions
	name       string
	kind       protocol.Kind
	authorizer ChannelAuthorizer // nil: that of the client

	// Guarded by subscriptions.mu.
	order      uint64 // of subscribing
	settingUp  bool   // Setup runs: nothing is sent yet
	state      SubscriptionState
	err        error
	changed    broadcast // of state
	job        *authJob  // the latest; nil: none
	subscribed bool      // whether it ever was
	count      int
	counted    bool // whether there is a count
	presence   presence
	recovery   *recovery
	encryption encryption
}

// Name returns the channel's full name.
func (ch *Channel) Name() string { return ch.name }

// Kind returns what the name says about the channel.
func (ch *Channel) Kind() protocol.Kind { return ch.kind }

// IsCache reports whether new subscribers get the channel's last event.
func (ch *Channel) IsCache() bool { return ch.kind.Cache() }

// State returns where the channel is with its subscription.
func (ch *Channel) State() SubscriptionState {
	ch.subs.mu.Lock()
	defer ch.subs.mu.Unlock()
	return ch.state
}

// Subscribed reports whether the service has confirmed the subscription on the
// current connection.
func (ch *Channel) Subscribed() bool { return ch.State() == SubSubscribed }

// Err returns the last error of the subscription. It is nil once subscribed.
func (ch *Channel) Err() error {
	ch.subs.mu.Lock()
	defer ch.subs.mu.Unlock()
	return ch.err
}

// AwaitSubscribed blocks until the subscription is confirmed. It returns the
// error if it fails without being tried again, ErrUnsubscribed, ErrClosed, or
// the error of ctx, whichever comes first.
func (ch *Channel) AwaitSubscribed(ctx context.Context) error {
	return await(ctx, &ch.subs.mu, &ch.changed, func() (bool, error) {
		switch {
		case ch.subs.closed:
			return true, ErrClosed
		case ch.state == SubSubscribed:
			return true, nil
		case ch.state == SubFailed, ch.state == SubEnded:
			return true, ch.err
		}
		return false, nil
	})
}

// setLocked changes the state and wakes who waits for it.
func (ch *Channel) setLocked(state SubscriptionState, err error) {
	ch.state, ch.err = state, err
	ch.changed.tellLocked()
}

// SubscriptionCount returns how many connections have the channel, as the
// service said last on this connection. It is not ok before it has.
func (ch *Channel) SubscriptionCount() (n int, ok bool) {
	ch.subs.mu.Lock()
	defer ch.subs.mu.Unlock()
	return ch.count, ch.counted
}

// Members returns who is on a presence channel now. It is empty on other
// channels, and unless subscribed.
func (ch *Channel) Members() Members {
	ch.subs.mu.Lock()
	defer ch.subs.mu.Unlock()
	return ch.presence.snapshot()
}

// endLocked makes the channel inert, but for what is bound to it.
func (ch *Channel) endLocked() {
	ch.subs.auth.cancel(ch.job)
	ch.job = nil
	ch.presence.forget()
	ch.encryption.forgetLocked(ch.subs.auth)
	ch.setLocked(SubEnded, ErrUnsubscribed)
}

// lostLocked takes the channel back to where it was without a connection.
func (ch *Channel) lostLocked() {
	ch.subs.auth.cancel(ch.job)
	ch.job = nil
	ch.counted = false
	ch.presence.empty()
	ch.encryption.forgetLocked(ch.subs.auth)
	ch.setLocked(SubIdle, ch.err)
}

// authorizerOf is who is asked about the channel.
func (ch *Channel) authorizerOf() ChannelAuthorizer {
	if ch.authorizer != nil {
		return ch.authorizer
	}
	return ch.subs.cfg.ChannelAuthorizer
}
