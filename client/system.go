package client

import (
	"context"
	"encoding/json"
	"reflect"
)

// On binds h to a system event, by the type of its argument. On a client it
// gets those of all channels and of the user, and those of connections; on a
// channel or user only its own.
func On[T SystemEvent](b Binder, h func(ctx context.Context, e T), opts ...BindOption) *Binding {
	return b.bound().add(&Binding{
		typ:    reflect.TypeFor[T](),
		system: func(ctx context.Context, e any) { h(ctx, e.(T)) },
	}, opts)
}

// A SystemEvent is something that happened to the client rather than an event
// that somebody published. Functions are bound to it with [On].
type SystemEvent interface {
	StateChange | ConnectingIn | Disconnected | Failure |
		Subscribed | SubscriptionFailed | Unsubscribed | SubscriptionCount | CacheMiss |
		MemberAdded | MemberRemoved | SignedIn | SignInFailed | WatchlistChange
}

// A Subscribed says that the service confirmed a subscription. It comes again
// after every reconnect.
type Subscribed struct {
	Channel      *Channel // that was confirmed
	Members      Members  // of presence channels, as of now
	Resubscribed bool     // whether the channel was subscribed on an earlier connection
	// Joined and Left are the difference to the members before the connection
	// was lost, if Resubscribed.
	Joined, Left []Member
}

// A SubscriptionFailed says that a channel is not subscribed, or not yet.
type SubscriptionFailed struct {
	Channel *Channel           // that is not subscribed
	Err     *SubscriptionError // why, and whether it is tried again
}

// An Unsubscribed says that a channel was unsubscribed. It comes to what is
// bound to the client; what was bound to the channel is gone.
type Unsubscribed struct {
	Channel *Channel // inert now
}

// A SubscriptionCount says how many connections have the channel.
type SubscriptionCount struct {
	Channel *Channel // that is counted
	Count   int      // of connections, this one included
}

// A CacheMiss says that a cache channel remembers no event.
type CacheMiss struct {
	Channel *Channel // that was subscribed to
}

// A MemberAdded says that a user came to a presence channel, or came again
// with other information.
type MemberAdded struct {
	Channel *Channel // of presence
	Member  Member   // as it is now
}

// A MemberRemoved says that a user left a presence channel.
type MemberRemoved struct {
	Channel *Channel // of presence
	Member  Member   // as it was known
}

// A SignedIn says that the service knows who the user is. It comes again after
// every reconnect.
type SignedIn struct {
	UserID string          // never empty
	Data   json.RawMessage // the user_data that was signed
}

// A SignInFailed says that the user is not signed in, or not yet.
type SignInFailed struct {
	Err       error // such as an *AuthError or *ServerError
	WillRetry bool  // whether it is tried again on this connection
}

// A WatchlistChange says that watched users came online or went offline.
type WatchlistChange struct {
	Name    string // "online" or "offline"
	UserIDs []string
}
