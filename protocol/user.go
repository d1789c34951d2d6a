package protocol

import (
	"errors"
	"unicode/utf8"

	"github.com/belfryhq/belfry/internal/rawjson"
)

// UserData is who signs in on a connection.
type UserData struct {
	ID        string
	UserInfo  []byte   // raw JSON as the application signed it; nil when there is none, or null
	Watchlist []string // in order, without repetitions; not limited
}

// What can be wrong with user_data. The texts are meant for clients: see
// [InvalidUserData].
var (
	ErrUserDataObject = errors.New("not a JSON object")
	ErrUserID         = errors.New("id must be a non-empty string of at most 200 characters without control characters")
	ErrWatchlist      = errors.New("watchlist must be an array of strings")
)

// ParseUserData reads the user_data of a sign-in. The id is a string of 1 to
// MaxUserID characters without control characters; the watchlist an array of
// strings, or null, which is none. The error is ErrUserDataObject, ErrUserID
// or ErrWatchlist.
func ParseUserData(userData string) (UserData, error) {
	var (
		u         UserData
		watchlist []byte
	)
	err := rawjson.Object([]byte(userData), func(key, value []byte) {
		switch string(key) {
		case "id":
			u.ID, _ = rawjson.String(value)
		case "user_info":
			u.UserInfo = presentInfo(value)
		case "watchlist":
			watchlist = value
		}
	})
	if err != nil {
		return UserData{}, ErrUserDataObject
	}
	if !validUserID(u.ID) {
		return UserData{}, ErrUserID
	}
	if watchlist != nil && !rawjson.IsNull(watchlist) {
		var ok bool
		if u.Watchlist, ok = parseWatchlist(watchlist); !ok {
			return UserData{}, ErrWatchlist
		}
	}
	return u, nil
}

func validUserID(id string) bool {
	for i := range len(id) {
		if id[i] < ' ' || id[i] == 0x7f {
			return false
		}
	}
	return id != "" && utf8.RuneCountInString(id) <= MaxUserID
}

func parseWatchlist(value []byte) (ids []string, ok bool) {
	ok = true
	seen := make(map[string]bool)
	err := rawjson.Array(value, func(element []byte) {
		id, isString := rawjson.String(element)
		if !isString {
			ok = false
			return
		}
		if !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	})
	return ids, ok && err == nil
}

// AppendSigninSuccess appends the answer to a sign-in, which repeats user_data
// as it came.
func AppendSigninSuccess(dst []byte, userData string) []byte {
	dst = begin(dst, EventSigninSuccess, "")
	start := len(dst)
	dst = append(dst, `{"user_data":`...)
	dst = rawjson.AppendString(dst, userData)
	dst = append(dst, '}')
	return append(quoteTail(dst, start), '}')
}

// AppendWatchlistEvents appends which watched users are, or became, online and
// offline. A list without users is left out.
func AppendWatchlistEvents(dst []byte, online, offline []string) []byte {
	dst = begin(dst, EventWatchlist, "")
	start := len(dst)
	dst = append(dst, `{"events":[`...)
	dst = appendWatchlistEvent(dst, "online", online)
	if len(online) > 0 && len(offline) > 0 {
		dst = append(dst, ',')
	}
	dst = appendWatchlistEvent(dst, "offline", offline)
	dst = append(dst, "]}"...)
	return append(quoteTail(dst, start), '}')
}

func appendWatchlistEvent(dst []byte, name string, ids []string) []byte {
	if len(ids) == 0 {
		return dst
	}
	dst = append(dst, `{"name":"`...)
	dst = append(dst, name...)
	dst = append(dst, `","user_ids":`...)
	separator := byte('[')
	for _, id := range ids {
		dst = append(dst, separator)
		dst = rawjson.AppendString(dst, id)
		separator = ','
	}
	return append(dst, "]}"...)
}
