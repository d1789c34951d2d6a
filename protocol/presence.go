package protocol

import (
	"errors"
	"iter"
	"strconv"

	"github.com/belfryhq/belfry/internal/rawjson"
)

// A Member is a user on a presence channel.
type Member struct {
	UserID   string
	UserInfo []byte // raw JSON as the application signed it; nil when there is none, or null
}

// CheckInfo returns ErrUserInfo if the member's user_info is there and is no
// object. Its length is not checked.
func (m Member) CheckInfo() *Error {
	if m.UserInfo != nil && !rawjson.IsObject(m.UserInfo) {
		return ErrUserInfo
	}
	return nil
}

// What can be wrong with a presence channel's channel_data. The texts are meant
// for clients: see [InvalidChannelData].
var (
	ErrChannelDataMissing = errors.New("missing, and the connection is not signed in")
	ErrChannelDataObject  = errors.New("not a JSON object")
	ErrMemberID           = errors.New("user_id must be a non-empty string or an integer up to 2^53")
)

// ParseMember reads the channel_data of a presence channel. The user_id is a
// string that is not empty, or an integer up to 2^53, which becomes its
// decimal text: 10 and "10" are the same user. Lengths are not checked. The
// error is ErrChannelDataObject or ErrMemberID.
func ParseMember(channelData string) (Member, error) {
	var m Member
	err := rawjson.Object([]byte(channelData), func(key, value []byte) {
		switch string(key) {
		case "user_id":
			m.UserID = memberID(value)
		case "user_info":
			m.UserInfo = presentInfo(value)
		}
	})
	switch {
	case err != nil:
		return Member{}, ErrChannelDataObject
	case m.UserID == "":
		return Member{}, ErrMemberID
	}
	return m, nil
}

// presentInfo takes null for a user_info that is not there.
func presentInfo(value []byte) []byte {
	if rawjson.IsNull(value) {
		return nil
	}
	return value
}

// memberID returns a user id in its string form, or "" if it cannot be one.
func memberID(value []byte) string {
	if id, ok := rawjson.String(value); ok {
		return id
	}
	// A fraction, an exponent or a word is no integer to ParseInt. Signs and
	// leading zeros that it would take are no JSON.
	text := string(value)
	if n, err := strconv.ParseInt(text, 10, 64); err != nil || n > MaxNumericUserID || n < -MaxNumericUserID {
		return ""
	}
	return text
}

// AppendPresenceSucceeded appends the answer to a subscription to a presence
// channel. It has the count distinct users on it, the new one included, in
// the order of members, which is run through twice.
func AppendPresenceSucceeded(dst []byte, channel string, members iter.Seq[Member], count int) []byte {
	dst = begin(dst, EventSubscriptionSucceeded, channel)
	start := len(dst)
	dst = append(dst, `{"presence":{"count":`...)
	dst = strconv.AppendInt(dst, int64(count), 10)
	dst = append(dst, `,"ids":[`...)
	first := true
	for m := range members {
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = rawjson.AppendString(dst, m.UserID)
	}
	dst = append(dst, `],"hash":{`...)
	first = true
	for m := range members {
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = rawjson.AppendString(dst, m.UserID)
		dst = append(dst, ':')
		if m.UserInfo == nil {
			dst = append(dst, "null"...)
		} else {
			dst = rawjson.Compact(dst, m.UserInfo)
		}
	}
	dst = append(dst, "}}}"...)
	return append(quoteTail(dst, start), '}')
}

// AppendMemberAdded appends the news that a user came, for the others on the
// channel.
func AppendMemberAdded(dst []byte, channel string, m Member) []byte {
	dst = begin(dst, EventMemberAdded, channel)
	start := len(dst)
	dst = append(dst, `{"user_id":`...)
	dst = rawjson.AppendString(dst, m.UserID)
	if m.UserInfo != nil {
		dst = append(dst, `,"user_info":`...)
		dst = rawjson.Compact(dst, m.UserInfo)
	}
	dst = append(dst, '}')
	return append(quoteTail(dst, start), '}')
}

// AppendMemberRemoved appends the news that the last connection of a user left.
func AppendMemberRemoved(dst []byte, channel, userID string) []byte {
	dst = begin(dst, EventMemberRemoved, channel)
	start := len(dst)
	dst = append(dst, `{"user_id":`...)
	dst = rawjson.AppendString(dst, userID)
	dst = append(dst, '}')
	return append(quoteTail(dst, start), '}')
}
