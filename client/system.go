package client

import (
	"encoding/json"
	"time"
)

// A SystemEvent is something that happened to the client rather than an event
// that somebody published. Functions are bound to it with [On].
type SystemEvent interface {
	StateChange | ConnectingIn | Disconnected | Failure |
		Subscribed | SubscriptionFailed | Unsubscribed | SubscriptionCount | CacheMiss |
		MemberAdded | MemberRemoved | SignedIn | SignInFailed | WatchlistChange
}

// A StateChange is one change of the client's state, in order and without gaps.
type StateChange struct {
	Previous, Current State  // always two different ones
	SocketID          string // when Current is StateConnected
	Err               error  // why, unless the caller wanted it
}

// A ConnectingIn comes once before each wait for a retry. It is no countdown.
type ConnectingIn struct {
	Delay   time.Duration // until the retry
	Attempt int           // of the retry, counted from 1
}

// A Disconnected comes once for each connection that was lost or refused or
// could not be made.
type Disconnected struct {
	Err          error // nil if the caller wanted it
	Code         int   // WebSocket close code; 0 if there was none
	Reason       string
	Class        CloseClass    // what the end asks for
	WasConnected bool          // false: the connection was never established
	SocketID     string        // of the connection that ended
	WillRetry    bool          // false: the client has failed, or the caller disconnected
	Delay        time.Duration // until the retry
	Attempt      int           // of the retry, counted from 1 since the last stable connection
}

// A Failure is an error that no call returns: what the service objects to, bad
// messages, data that does not decode or decrypt, queues that are full.
type Failure struct {
	Err error // such as a *ServerError, *ProtocolError, *DecodeError, *DecryptError or *SlowConsumerError
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

// The names under which system events are bound. They can not be names of
// events.
const (
	keyStateChange        = "\x00state"
	keyConnectingIn       = "\x00connecting in"
	keyDisconnected       = "\x00disconnected"
	keyFailure            = "\x00failure"
	keySubscribed         = "\x00subscribed"
	keySubscriptionFailed = "\x00subscription failed"
	keyUnsubscribed       = "\x00unsubscribed"
	keySubscriptionCount  = "\x00subscription count"
	keyCacheMiss          = "\x00cache miss"
	keyMemberAdded        = "\x00member added"
	keyMemberRemoved      = "\x00member removed"
	keySignedIn           = "\x00signed in"
	keySignInFailed       = "\x00sign-in failed"
	keyWatchlistChange    = "\x00watchlist"
)

// systemKey is the name under which a system event is bound.
func systemKey(e any) string {
	switch e.(type) {
	case StateChange:
		return keyStateChange
	case ConnectingIn:
		return keyConnectingIn
	case Disconnected:
		return keyDisconnected
	case Failure:
		return keyFailure
	case Subscribed:
		return keySubscribed
	case SubscriptionFailed:
		return keySubscriptionFailed
	case Unsubscribed:
		return keyUnsubscribed
	case SubscriptionCount:
		return keySubscriptionCount
	case CacheMiss:
		return keyCacheMiss
	case MemberAdded:
		return keyMemberAdded
	case MemberRemoved:
		return keyMemberRemoved
	case SignedIn:
		return keySignedIn
	case SignInFailed:
		return keySignInFailed
	case WatchlistChange:
		return keyWatchlistChange
	}
	panic("client: not a system event")
}

// The names that pusher-js has for system events. Functions that are bound to
// them get an Event with the data that the service sent.
const (
	eventSubscriptionSucceeded = "pusher:subscription_succeeded"
	eventSubscriptionError     = "pusher:subscription_error"
	eventSubscriptionCount     = "pusher:subscription_count"
	eventMemberAdded           = "pusher:member_added"
	eventMemberRemoved         = "pusher:member_removed"
	eventSigninError           = "pusher:signin_error"
)
