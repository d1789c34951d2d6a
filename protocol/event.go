package protocol

import (
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/belfryhq/belfry/internal/rawjson"
)

// Events that clients send.
const (
	EventSubscribe   = "pusher:subscribe"
	EventUnsubscribe = "pusher:unsubscribe"
	EventSignin      = "pusher:signin"
	EventPing        = "pusher:ping"
	EventPong        = "pusher:pong" // both ways
)

// Events that the server sends of itself.
const (
	EventConnectionEstablished = "pusher:connection_established"
	EventError                 = "pusher:error"
	EventSigninSuccess         = "pusher:signin_success"
	EventCacheMiss             = "pusher:cache_miss"
	EventSubscriptionError     = "pusher:subscription_error"
	EventSubscriptionSucceeded = "pusher_internal:subscription_succeeded"
	EventMemberAdded           = "pusher_internal:member_added"
	EventMemberRemoved         = "pusher_internal:member_removed"
	EventSubscriptionCount     = "pusher_internal:subscription_count"
	EventWatchlist             = "pusher_internal:watchlist_events"
)

// IsClientEvent reports whether clients may trigger events of that name.
func IsClientEvent(event string) bool { return strings.HasPrefix(event, "client-") }

// IsReserved reports whether an event's name is one of the protocol's own
// events, present or future.
func IsReserved(event string) bool {
	return strings.HasPrefix(event, "pusher:") || strings.HasPrefix(event, "pusher_internal:")
}

// InPusherNamespace reports whether an event's name is in the namespace of
// which the names of the protocol's events are a part, so that no
// application may trigger it. That is the word "pusher", and nothing or no
// further letter or digit behind it (docs/protocol.md, "Names of events").
func InPusherNamespace(event string) bool {
	rest, ok := strings.CutPrefix(event, "pusher")
	r, _ := utf8.DecodeRuneInString(rest)
	return ok && !unicode.IsLetter(r) && !unicode.IsDigit(r)
}

// emptyData is the data of events that have none, and exactly this: official
// clients compare it byte by byte.
const emptyData = `"{}"`

// AppendEvent appends an event on a channel. Its data is a JSON string literal,
// quotes included, copied as it is: see [AppendDataLiteral]. The userID is that
// of the client who triggered it on a presence channel, or empty.
func AppendEvent(dst []byte, event, channel string, data []byte, userID string) []byte {
	dst = begin(dst, event, channel)
	dst = append(dst, data...)
	if userID != "" {
		dst = append(dst, `,"user_id":`...)
		dst = rawjson.AppendString(dst, userID)
	}
	return append(dst, '}')
}

// AppendDataLiteral appends the data of a client event as a JSON string
// literal, which is how it is relayed. A string stays as it is; the raw text of
// anything else becomes the content of a string; nil, which is absent, is as
// good as null.
func AppendDataLiteral(dst, data []byte) []byte {
	switch {
	case data == nil:
		return append(dst, `"null"`...)
	case rawjson.IsString(data):
		return append(dst, data...)
	}
	return rawjson.AppendQuoted(dst, data)
}

// DataLen returns the size of a client event's data that is compared with the
// limit: the bytes of the string that AppendDataLiteral makes of it.
func DataLen(data []byte) int {
	switch {
	case data == nil:
		return len("null")
	case rawjson.IsString(data):
		return rawjson.StringLen(data)
	}
	return len(data)
}

// AppendConnectionEstablished appends the first event of every connection. The
// timeout is told in whole seconds, at least one.
func AppendConnectionEstablished(dst []byte, id SocketID, activityTimeout time.Duration) []byte {
	dst = begin(dst, EventConnectionEstablished, "")
	dst = append(dst, `"{\"socket_id\":\"`...)
	dst = id.append(dst)
	dst = append(dst, `\",\"activity_timeout\":`...)
	dst = strconv.AppendInt(dst, max(1, int64(activityTimeout/time.Second)), 10)
	return append(dst, `}"}`...)
}

// AppendError appends a pusher:error event. Its data is an object, not a
// string, unlike that of other events.
func AppendError(dst []byte, e *Error) []byte {
	dst = begin(dst, EventError, "")
	dst = append(dst, `{"code":`...)
	if e.Code == 0 {
		dst = append(dst, "null"...)
	} else {
		dst = strconv.AppendInt(dst, int64(e.Code), 10)
	}
	dst = append(dst, `,"message":`...)
	dst = rawjson.AppendString(dst, e.Message)
	return append(dst, "}}"...)
}

// AppendPong appends the answer to a ping.
func AppendPong(dst []byte) []byte {
	return AppendEvent(dst, EventPong, "", []byte(emptyData), "")
}

// begin appends an event up to its data. An empty channel is left out.
func begin(dst []byte, event, channel string) []byte {
	dst = append(dst, `{"event":`...)
	dst = rawjson.AppendString(dst, event)
	if channel != "" {
		dst = append(dst, `,"channel":`...)
		dst = rawjson.AppendString(dst, channel)
	}
	return append(dst, `,"data":`...)
}

// quoteTail turns what dst holds from start on into a string literal.
func quoteTail(dst []byte, start int) []byte {
	end := len(dst)
	dst = rawjson.AppendQuoted(dst, dst[start:end])
	return append(dst[:start], dst[end:]...)
}
