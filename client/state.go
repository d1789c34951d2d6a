package client

import "time"

// A State is where a client is with its connection. The names are those of
// pusher-js.
type State uint8

// The states of a client.
const (
	StateInitialized  State = iota // never connected, and nothing runs
	StateConnecting                // dialling, in the handshake, or waiting to try again
	StateConnected                 // the service has given the connection its socket id
	StateUnavailable               // not connected for Config.UnavailableAfter, and still trying
	StateFailed                    // gave up by itself; Client.Err says why; Connect tries again
	StateDisconnected              // the caller disconnected or closed
)

// String returns the name that pusher-js has for the state.
func (s State) String() string {
	return name(s, "initialized", "connecting", "connected", "unavailable", "failed", "disconnected")
}

// name is the name of a value among those of its type.
func name[T ~uint8](v T, names ...string) string {
	if int(v) >= len(names) {
		return "unknown"
	}
	return names[v]
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

// A SubscriptionState is where a channel is with its subscription.
type SubscriptionState uint8

// The states of a channel.
const (
	SubIdle        SubscriptionState = iota // there is no connection
	SubAuthorizing                          // waiting for the authorizer
	SubRequested                            // the service was asked
	SubSubscribed                           // the service has confirmed
	SubFailed                               // until Resubscribe, or the next connection
	SubEnded                                // unsubscribed for good
)

// String returns the state in a word.
func (s SubscriptionState) String() string {
	return name(s, "idle", "authorizing", "requested", "subscribed", "failed", "ended")
}
