package devices

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/push/notification"
	"github.com/belfryhq/belfry/internal/rawjson"
)

// A record is a device as it stands in the bucket.
type record struct {
	API         notification.API         `json:"api"`
	Platform    notification.Platform    `json:"platform"`
	Token       string                   `json:"token"`
	Topic       string                   `json:"topic,omitempty"`
	Environment notification.Environment `json:"environment,omitempty"`
	VAPIDKey    string                   `json:"vapid_key,omitempty"`
	User        string                   `json:"user,omitempty"`
	Mismatched  string                   `json:"mismatched,omitempty"`
	Interests   []string                 `json:"interests,omitempty"` // in order, each once
	Metadata    json.RawMessage          `json:"metadata,omitempty"`
	Created     int64                    `json:"created"`   // milliseconds
	Confirmed   int64                    `json:"confirmed"` // milliseconds; who has the token is who confirmed it last
}

// encode writes a record. Its errors have nothing of it in them.
func (r *record) encode() ([]byte, error) {
	text, err := json.Marshal(r)
	switch {
	case err != nil:
		return nil, errors.New("devices: a device can not be written")
	case len(text) > maxRecord:
		return nil, fmt.Errorf("%w: it takes more than %d bytes", ErrTooLarge, maxRecord)
	}
	return text, nil
}

// decode reads a record, and keeps nothing of the text. Its errors have nothing of it in
// them. A start reads all devices, so this does without reflection.
func decode(text []byte) (*record, error) {
	r := new(record)
	ok := true
	read := func(into *string, value []byte) {
		s, is := rawjson.String(value)
		*into, ok = s, ok && is
	}
	number := func(into *int64, value []byte) {
		n, err := strconv.ParseInt(string(value), 10, 64)
		*into, ok = n, ok && err == nil
	}
	err := rawjson.Object(text, func(name, value []byte) {
		switch string(name) {
		case "api":
			read((*string)(&r.API), value)
		case "platform":
			read((*string)(&r.Platform), value)
		case "token":
			read(&r.Token, value)
		case "topic":
			read(&r.Topic, value)
		case "environment":
			read((*string)(&r.Environment), value)
		case "vapid_key":
			read(&r.VAPIDKey, value)
		case "user":
			read(&r.User, value)
		case "mismatched":
			read(&r.Mismatched, value)
		case "metadata":
			r.Metadata = slices.Clone(value)
		case "created":
			number(&r.Created, value)
		case "confirmed":
			number(&r.Confirmed, value)
		case "interests":
			is := rawjson.Array(value, func(element []byte) {
				r.Interests = append(r.Interests, "")
				read(&r.Interests[len(r.Interests)-1], element)
			})
			ok = ok && is == nil
		}
	})
	switch {
	case err != nil || !ok:
		return nil, errors.New("devices: a device can not be read")
	case r.Token == "" || !slices.Contains(platforms[:], r.Platform):
		return nil, errors.New("devices: a device has no token, or a platform that is not known")
	case !ascending(r.Interests):
		return nil, errors.New("devices: the interests of a device are not in order")
	}
	return r, nil
}

// ascending reports whether names are in order, each once.
func ascending(names []string) bool {
	for i := 1; i < len(names); i++ {
		if names[i-1] >= names[i] {
			return false
		}
	}
	return true
}

// has reports whether the device is subscribed to an interest, and where it stands or
// would stand.
func (r *record) has(interest string) (int, bool) { return slices.BinarySearch(r.Interests, interest) }

// platforms are all that there are.
var platforms = [...]notification.Platform{notification.APNs, notification.GCM, notification.FCM, notification.Web}

// pack is a token in few bytes, with its provider in front. No two tokens are alike.
// A token of GCM and the same one of FCM are one.
func pack(p notification.Platform, token string) string {
	if p != notification.APNs {
		return string(p.Provider()[0]) + token
	}
	if digits, err := hex.DecodeString(token); err == nil && token == strings.ToLower(token) {
		return "a" + string(digits)
	}
	return "A" + token
}

// unpack is the token that was packed.
func unpack(packed string) string {
	if packed[0] == 'a' {
		return hex.EncodeToString([]byte(packed[1:]))
	}
	return packed[1:]
}

// A Device is what is known of one device.
type Device struct {
	notification.Device
	Interests []string        // in order
	Metadata  json.RawMessage // as it was registered; may be nil
	Created   time.Time
}

// device is a record as callers see it.
func (r *record) device(app, id string) Device {
	return Device{
		Device: notification.Device{
			App: app, ID: id, API: r.API, Platform: r.Platform, Token: r.Token, Topic: r.Topic, Environment: r.Environment,
			VAPIDKey: r.VAPIDKey, User: r.User, Confirmed: time.UnixMilli(r.Confirmed), Mismatched: r.Mismatched,
		},
		Interests: r.Interests, Metadata: r.Metadata, Created: time.UnixMilli(r.Created),
	}
}
