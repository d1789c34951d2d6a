package protocol

import (
	"strconv"

	"github.com/belfryhq/belfry/internal/rawjson"
)

// A SubscriptionError tells the listeners of a channel why it was not
// subscribed to (docs/protocol.md, "Refused subscriptions").
type SubscriptionError struct {
	Type   string
	Error  string
	Status int
}

// The reasons for refusing a subscription that clients tell apart.
var (
	// SubscriptionUnauthorized: the token is missing or wrong, or the
	// presence data is.
	SubscriptionUnauthorized = SubscriptionError{"AuthError", "The connection is unauthorized.", 401}
	// SubscriptionInvalidChannel: no channel can have that name.
	SubscriptionInvalidChannel = SubscriptionError{"InvalidChannel", "The channel name is not allowed.", 400}
	// SubscriptionNameTooLong: no channel of this app can have that name.
	SubscriptionNameTooLong = SubscriptionError{"LimitReached", "The channel name is too long.", 4009}
	// SubscriptionLimit: the channel or the connection is full, or the
	// member's data is too big.
	SubscriptionLimit = SubscriptionError{"LimitReached", "A limit of the channel or of the connection was reached.", 4004}
	// SubscriptionFailed: the fault is the server's.
	SubscriptionFailed = SubscriptionError{"ServerError", "Internal error", 500}
)

// AppendSubscriptionSucceeded appends the answer to a subscription to any
// channel but a presence channel.
func AppendSubscriptionSucceeded(dst []byte, channel string) []byte {
	return AppendEvent(dst, EventSubscriptionSucceeded, channel, []byte(emptyData), "")
}

// AppendSubscriptionError appends a refusal for the listeners of the channel.
// Its data is an object, not a string.
func AppendSubscriptionError(dst []byte, channel string, e SubscriptionError) []byte {
	dst = begin(dst, EventSubscriptionError, channel)
	dst = append(dst, `{"type":`...)
	dst = rawjson.AppendString(dst, e.Type)
	dst = append(dst, `,"error":`...)
	dst = rawjson.AppendString(dst, e.Error)
	dst = append(dst, `,"status":`...)
	dst = strconv.AppendInt(dst, int64(e.Status), 10)
	return append(dst, "}}"...)
}

// AppendSubscriptionCount appends how many connections have the channel.
func AppendSubscriptionCount(dst []byte, channel string, n int) []byte {
	dst = begin(dst, EventSubscriptionCount, channel)
	dst = append(dst, `"{\"subscription_count\":`...)
	dst = strconv.AppendInt(dst, int64(n), 10)
	return append(dst, `}"}`...)
}
