package protocol

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// An Error is a refusal that the client is told about, in a pusher:error event
// and, if its code is fatal, in the Close frame that follows. Treat it as
// read-only.
type Error struct {
	Code    CloseCode // zero is sent as null
	Message string
}

// Error returns the message and, if there is one, the code.
func (e *Error) Error() string {
	if e.Code == 0 {
		return "protocol: " + e.Message
	}
	return fmt.Sprintf("protocol: %s (%d)", e.Message, e.Code)
}

// Refusals that close the connection. See also [UnknownApp].
var (
	ErrTLSOnly            = &Error{CloseTLSOnly, "Application only accepts SSL connections, reconnect using wss://"}
	ErrAppDisabled        = &Error{CloseAppDisabled, "Application disabled"}
	ErrOverQuota          = &Error{CloseOverQuota, "Application is over connection quota"}
	ErrPathNotFound       = &Error{ClosePathNotFound, "Path not found"}
	ErrInvalidVersion     = &Error{CloseInvalidVersion, "Invalid version string format"}
	ErrUnsupportedVersion = &Error{CloseUnsupportedVersion, "Unsupported protocol version"}
	ErrNoVersion          = &Error{CloseNoVersion, "No protocol version supplied"}
	ErrNotAuthorized      = &Error{CloseUnauthorized, "Connection not authorized within timeout."}
	ErrTerminated         = &Error{CloseUnauthorized, "You got disconnected by the app."}
	ErrOrigin             = &Error{CloseUnauthorized, "Origin not allowed"}
	ErrOverCapacity       = &Error{CloseOverCapacity, "Over capacity"}
	ErrReconnect          = &Error{CloseReconnect, "Please reconnect immediately"}
	ErrPongTimeout        = &Error{ClosePongTimeout, "Pong reply not received"}
	ErrInactive           = &Error{CloseInactive, "Closed after inactivity"}
)

// Refusals after which the connection goes on.
var (
	ErrInvalidJSON          = &Error{0, "Received invalid JSON"}
	ErrMissingEvent         = MissingParameter("event")
	ErrClientEventRate      = &Error{ErrorClientEventRate, "Client event rejected due to rate limit"}
	ErrClientEventsDisabled = &Error{0, "To send client events, you must enable this feature in the Settings page of your dashboard."}
	ErrClientEventChannel   = &Error{0, "Client event rejected - only supported on private and presence channels"}
	ErrPresenceFull         = &Error{0, "The maximum members per presence channel limit was reached"}
	ErrTooManyChannels      = &Error{0, "The maximum channels per connection limit was reached"}
	ErrOtherUser            = &Error{0, "Connection is already signed in as a different user"}
	ErrSigninFormat         = &Error{0, "Invalid format: auth must have the format key:signature"}
	ErrUserInfo             = &Error{0, "user_info supplied to presence subscription is invalid - if supplied it must be a type of hash"}
	ErrInternal             = &Error{0, "Internal error"}
)

// UnknownApp says that no app has that key. It closes the connection.
func UnknownApp(key string) *Error {
	return &Error{CloseUnknownApp, "App key " + echo(key) + " not in this cluster. Did you forget to specify the cluster?"}
}

// MissingParameter says that a member of a message is missing, such as "event"
// or "data.channel".
func MissingParameter(name string) *Error { return &Error{0, "Missing parameter: " + name} }

// InvalidSignature says what should have been signed, and which digest was
// given instead of the right one, which it does not say.
func InvalidSignature(text, given string) *Error {
	text = cutBytes(strings.ToValidUTF8(text, "\uFFFD"), maxEchoSigned)
	return &Error{0, "Invalid signature: Expected HMAC SHA256 hex digest of " + text + ", but got " + echo(given)}
}

// InvalidAuth says that the token for a channel has no colon.
func InvalidAuth(channel string) *Error {
	return &Error{0, "Auth value for subscription to " + echo(channel) + " is invalid: should be of format 'key:signature'"}
}

// InvalidKey says that the key part of a token is not a key of the app.
func InvalidKey(key string) *Error {
	return &Error{0, "Invalid key in subscription auth data: '" + echo(key) + "'"}
}

// ExistingSubscription says that the connection has the channel already.
func ExistingSubscription(channel string) *Error {
	return &Error{0, "Existing subscription to channel " + echo(channel)}
}

// NoSubscription says that the connection does not have the channel.
func NoSubscription(channel string) *Error {
	return &Error{0, "No current subscription to channel " + echo(channel) + ", or subscription in progress"}
}

// EventDataTooLong says that an event's data is above the limit, in bytes.
func EventDataTooLong(limit int) *Error {
	return &Error{0, fmt.Sprintf("The data content of this event exceeds the allowed maximum (%d bytes)", limit)}
}

// EventNameTooLong says that an event's name is above the limit, in characters.
func EventNameTooLong(limit int) *Error {
	return &Error{0, fmt.Sprintf("The event name exceeds the allowed maximum (%d characters)", limit)}
}

// UnknownEvent says that clients may not send an event of that name.
func UnknownEvent(event string) *Error {
	return &Error{0, "Unsupported event received on socket: " + echo(event)}
}

// NotSubscribed says that a client may trigger events on its own channels only.
func NotSubscribed(channel string) *Error {
	return &Error{0, "Cannot broadcast client event (connection not subscribed to channel " + echo(channel) + ")"}
}

// InvalidChannel says that a channel's name is not allowed.
func InvalidChannel(channel string) *Error {
	return &Error{0, "Invalid channel name: " + echo(channel)}
}

// InvalidChannelData says why a presence channel could not be joined, for
// instance with the text of the error of [ParseMember].
func InvalidChannelData(reason string) *Error {
	return &Error{0, "Invalid channel_data: " + reason}
}

// InvalidUserData says why a sign-in was refused though its signature was
// right, for instance with the text of the error of [ParseUserData].
func InvalidUserData(reason string) *Error {
	return &Error{0, "Invalid user_data: " + reason}
}

// OtherUsersChannel says that the connection is not signed in as the user
// whose channel it asked for.
func OtherUsersChannel(channel string) *Error {
	return &Error{0, "Not signed in as the user of channel " + echo(channel)}
}

// WatchlistLimit says that only that many of the watched users were taken.
func WatchlistLimit(limit int) *Error {
	return &Error{ErrorWatchlistLimit, fmt.Sprintf("Watchlist limit exceeded. Only the first %d user IDs are accepted.", limit)}
}

// echo returns what the client sent as an error may repeat it.
func echo(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if utf8.RuneCountInString(s) <= maxEcho {
		return s
	}
	n := 0
	for i := range s {
		if n == maxEcho {
			return s[:i]
		}
		n++
	}
	return s
}
