// Package payload makes of what backends write for each platform what its provider
// gets. It knows the forms of the API of 2016 and of Beams, and what the SDKs of Beams
// want to find in a notification.
//
// Whatever is wrong is found before anything is queued, sizes included. The package
// keeps nothing and takes no locks.
package payload

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/belfryhq/belfry/internal/push/fcm"
	"github.com/belfryhq/belfry/internal/push/notification"
)

// A Request is what a backend has written for each platform; nil for none.
type Request struct {
	APNs, GCM, FCM, Web json.RawMessage
	// API is the one that it came by.
	API notification.API
	// InstanceID and PublishID go to devices of Beams. An empty instance is none.
	InstanceID, PublishID string
	Accepted              time.Time
}

// A Mistake is what is wrong with what a backend has written.
type Mistake struct {
	Field string // such as "apns.priority"
	Text  string // what is wrong with it
}

func (e *Mistake) Error() string { return e.Field + " " + e.Text }

func wrong(field, format string, args ...any) error {
	return &Mistake{field, fmt.Sprintf(format, args...)}
}

// object is a JSON object whose values are as they came.
type object map[string]json.RawMessage

// Notifications returns what devices of each platform get. The error is an [*Mistake].
func (r *Request) Notifications() ([]notification.Notification, error) {
	var list []notification.Notification
	for _, make := range []func() ([]notification.Notification, error){r.apns, r.gcm, r.fcm, r.web} {
		some, err := make()
		if err != nil {
			return nil, err
		}
		list = append(list, some...)
	}
	return list, nil
}

// each calls make for devices of Beams, and for those of 2016.
func (r *Request) each(make func(beams bool) (notification.Notification, error)) ([]notification.Notification, error) {
	plain, err := make(false)
	if err != nil {
		return nil, err
	}
	if r.InstanceID == "" {
		return []notification.Notification{plain}, nil
	}
	plain.API = notification.Native
	marked, err := make(true)
	if err != nil {
		return nil, err
	}
	marked.API = notification.Beams
	return []notification.Notification{marked, plain}, nil
}

// parse reads an object; the field is its name in errors.
func parse(field string, text json.RawMessage) (object, error) {
	o := object{}
	if err := json.Unmarshal(text, &o); err != nil || o == nil {
		return nil, wrong(field, "is not an object")
	}
	return o, nil
}

// inside reads an object in an object. Without one it is empty.
func (o object) inside(field, name string) (object, error) {
	if isNull(o[name]) {
		return object{}, nil
	}
	return parse(field+"."+name, o[name])
}

func isNull(text json.RawMessage) bool { return len(text) == 0 || string(text) == "null" }

// encode writes JSON as it is, without escapes for HTML. What was JSON can be written.
func encode(v any) json.RawMessage {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(err) // it is made of JSON that was read
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}

// number reads a whole number, which some libraries send as text.
func number(text json.RawMessage) (int64, bool) {
	n, err := strconv.ParseInt(string(bytes.Trim(text, `"`)), 10, 64)
	return n, err == nil
}

// apns makes the payload for Apple of what stands under apns.
func (r *Request) apns() ([]notification.Notification, error) {
	if isNull(r.APNs) {
		return nil, nil
	}
	return r.each(func(beams bool) (notification.Notification, error) {
		o, err := parse("apns", r.APNs)
		if err != nil {
			return notification.Notification{}, err
		}
		n := notification.Notification{Platform: notification.APNs}
		if err := takeOptions(o, &n); err != nil {
			return n, err
		}
		aps, err := o.inside("apns", "aps")
		if err != nil {
			return n, err
		}
		if len(aps) == 0 && !isNull(o["alert"]) { // as an example of the reference has it
			aps = object{"alert": o["alert"]}
			delete(o, "alert")
		}
		if beams {
			if err := r.track(o, aps); err != nil {
				return n, err
			}
		}
		delete(o, "pusher")
		o["aps"] = encode(aps)
		if r.API == notification.Beams {
			for name := range o {
				if name != "aps" && name != "data" {
					delete(o, name)
				}
			}
		}
		if n.Body = encode(o); len(n.Body) > notification.MaxAPNs {
			return n, wrong("apns", "has %d bytes as Apple gets it, at most %d are delivered", len(n.Body), notification.MaxAPNs)
		}
		return n, nil
	})
}

// takeOptions takes the options of delivery out of an object.
func takeOptions(o object, n *notification.Notification) error {
	if v := o["priority"]; !isNull(v) {
		p, ok := number(v)
		if !ok || p != 5 && p != 10 {
			return wrong("apns.priority", "is neither 5 nor 10")
		}
		n.Priority = int(p)
	}
	if v := o["expiration"]; !isNull(v) {
		at, ok := number(v)
		const year10000 = 253402300800
		if !ok || at < 0 || at >= year10000 {
			return wrong("apns.expiration", "is not a time in seconds since 1970")
		}
		n.Expiration = &at
		if at > 0 {
			n.Expires = time.Unix(at, 0)
		}
	}
	if v := o["collapse_id"]; !isNull(v) {
		if json.Unmarshal(v, &n.CollapseID) != nil || len(n.CollapseID) > notification.MaxCollapseID {
			return wrong("apns.collapse_id", "is not a text of at most %d bytes", notification.MaxCollapseID)
		}
	}
	if v := o["apns-id"]; !isNull(v) && json.Unmarshal(v, &n.APNsID) != nil {
		return wrong("apns.apns-id", "is not a text")
	}
	for _, name := range []string{"priority", "expiration", "collapse_id", "apns-id"} {
		delete(o, name)
	}
	return nil
}

// track adds what the SDK of Beams for Apple looks for.
func (r *Request) track(o, aps object) error {
	var options struct {
		Disable bool `json:"disable_delivery_tracking"`
	}
	if v := o["pusher"]; !isNull(v) && json.Unmarshal(v, &options) != nil {
		return wrong("apns.pusher", "is not an object with disable_delivery_tracking")
	}
	data, err := o.inside("apns", "data")
	if err != nil {
		return err
	}
	mark := map[string]any{"instanceId": r.InstanceID, "publishId": r.PublishID}
	if _, asked := aps["content-available"]; !asked && !options.Disable {
		aps["content-available"] = json.RawMessage("1")
		mark["userShouldIgnore"] = true // or the app would take it for one of its own
	}
	data["pusher"] = encode(mark)
	o["data"] = encode(data)
	return nil
}

func (r *Request) gcm() ([]notification.Notification, error) {
	if isNull(r.GCM) {
		return r.android(notification.GCM, "fcm", r.FCM)
	}
	return r.android(notification.GCM, "gcm", r.GCM)
}

func (r *Request) fcm() ([]notification.Notification, error) {
	if isNull(r.FCM) {
		return r.android(notification.FCM, "gcm", r.GCM)
	}
	return r.android(notification.FCM, "fcm", r.FCM)
}

// openTracking is the action by which a tap goes through the SDK of Beams.
const openTracking = "com.pusher.pushnotifications.OPEN_TRACKING"

// android makes the message of FCM of what stands under gcm or fcm.
func (r *Request) android(p notification.Platform, field string, text json.RawMessage) ([]notification.Notification, error) {
	if isNull(text) {
		return nil, nil
	}
	return r.each(func(beams bool) (notification.Notification, error) {
		n := notification.Notification{Platform: p}
		o, err := parse(field, text)
		if err != nil {
			return n, err
		}
		if beams {
			if err := r.mark(field, o); err != nil {
				return n, err
			}
		}
		m, err := fcm.Translate(encode(o))
		if err != nil {
			return n, &Mistake{field, "is wrong: " + err.Error()}
		}
		n.Body, n.ValidateOnly = m.Body, m.ValidateOnly
		if m.TTL != nil && *m.TTL > 0 {
			n.Expires = r.Accepted.Add(*m.TTL)
		}
		return n, nil
	})
}

// mark adds what the SDK of Beams for Android looks for.
func (r *Request) mark(field string, o object) error {
	data, err := o.inside(field, "data")
	if err != nil {
		return err
	}
	shown, err := o.inside(field, "notification")
	if err != nil {
		return err
	}
	delete(data, "pusher")
	mark := map[string]any{"instanceId": r.InstanceID, "publishId": r.PublishID, "hasDisplayableContent": len(shown) > 0, "hasData": len(data) > 0}
	if len(shown) > 0 {
		if action := shown["click_action"]; !isNull(action) {
			mark["clickAction"] = action
		}
		shown["click_action"] = encode(openTracking)
		o["notification"] = encode(shown)
	}
	data["pusher"] = encode(string(encode(mark)))
	o["data"] = encode(data)
	return nil
}

// web makes the plaintext for browsers of what stands under web.
func (r *Request) web() ([]notification.Notification, error) {
	if isNull(r.Web) {
		return nil, nil
	}
	o, err := parse("web", r.Web)
	if err != nil {
		return nil, err
	}
	shown, err := o.inside("web", "notification")
	if err != nil {
		return nil, err
	}
	data, err := o.inside("web", "data")
	if err != nil {
		return nil, err
	}
	if _, taken := data["pusher"]; taken {
		return nil, wrong("web.data", "has the key pusher, which is reserved")
	}
	n := notification.Notification{Platform: notification.Web, TTL: notification.MaxTTL, Urgent: len(shown) > 0}
	if v := o["time_to_live"]; !isNull(v) {
		seconds, ok := number(v)
		if !ok || seconds < 0 || seconds > int64(notification.MaxTTL/time.Second) {
			return nil, wrong("web.time_to_live", "is not a number of seconds from 0 to %d", int64(notification.MaxTTL/time.Second))
		}
		n.TTL = time.Duration(seconds) * time.Second
	}
	if n.TTL > 0 {
		n.Expires = r.Accepted.Add(n.TTL)
	}
	data["pusher"] = encode(map[string]any{
		"instanceId": r.InstanceID, "publishId": r.PublishID, "hasDisplayableContent": len(shown) > 0, "hasData": len(data) > 0,
	})
	n.Body = encode(object{"notification": encode(shown), "data": encode(data)})
	if len(n.Body) > notification.MaxWeb {
		return nil, wrong("web", "has %d bytes as the browser gets it, at most %d are delivered", len(n.Body), notification.MaxWeb)
	}
	return []notification.Notification{n}, nil
}

// Interests checks the names of interests and returns each once, in order. They are at
// least one, and at most limit.
func Interests(names []string, limit int) ([]string, error) {
	switch {
	case len(names) == 0:
		return nil, errors.New("has no interest")
	case len(names) > limit:
		return nil, fmt.Errorf("has %d interests, at most %d are allowed", len(names), limit)
	}
	for _, name := range names {
		if !IsInterest(name) {
			return nil, errors.New("has a name that is not 1 to 164 of the characters A-Z a-z 0-9 _ - = @ , . ;")
		}
	}
	return unique(names), nil
}

func unique(names []string) []string {
	set := slices.Clone(names)
	slices.Sort(set)
	return slices.Compact(set)
}

// MaxName is how long the name of an interest and the id of a user may be, in characters.
const MaxName = 164

// IsInterest reports whether an interest may be called so.
func IsInterest(name string) bool {
	if name == "" || len(name) > MaxName {
		return false
	}
	for _, c := range []byte(name) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case bytes.IndexByte([]byte("_-=@,.;"), c) >= 0:
		default:
			return false
		}
	}
	return true
}
