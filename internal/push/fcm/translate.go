package fcm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/push/notification"
)

// A Message is a notification of the legacy API, as HTTP v1 has it.
type Message struct {
	Body         json.RawMessage // the message without its token
	ValidateOnly bool            // checked by Google and not delivered
	// TTL is how long it is worth something. Nil means that it was not said; zero
	// means that it is for devices that are connected now.
	TTL *time.Duration
}

// legacy is what of a legacy message has a place in HTTP v1. Its target has none.
type legacy struct {
	CollapseKey           string                     `json:"collapse_key"`
	Priority              string                     `json:"priority"`
	TimeToLive            json.RawMessage            `json:"time_to_live"`
	RestrictedPackageName string                     `json:"restricted_package_name"`
	DryRun                bool                       `json:"dry_run"`
	Data                  map[string]json.RawMessage `json:"data"`
	Notification          map[string]json.RawMessage `json:"notification"`
}

// android is the part of a message that is for Android. What was written for it can not
// reach other platforms then.
type android struct {
	CollapseKey           string         `json:"collapse_key,omitempty"`
	Priority              string         `json:"priority,omitempty"`
	TTL                   string         `json:"ttl,omitempty"`
	RestrictedPackageName string         `json:"restricted_package_name,omitempty"`
	Notification          map[string]any `json:"notification,omitempty"`
}

type message struct {
	Data    map[string]string `json:"data,omitempty"`
	Android *android          `json:"android,omitempty"`
}

// texts are the keys of a legacy notification that keep their meaning, and lists those
// whose values are lists of texts.
var (
	texts = map[string]string{
		"title": "title", "body": "body", "icon": "icon", "sound": "sound", "tag": "tag", "color": "color",
		"click_action": "click_action", "body_loc_key": "body_loc_key", "title_loc_key": "title_loc_key", "image": "image",
		"android_channel_id": "channel_id",
	}
	lists = []string{"body_loc_args", "title_loc_args"}
)

// Translate makes a message of HTTP v1 from one of the legacy API, as gcm and fcm of a
// request hold it. The error says which field is wrong, for whoever has made the request.
func Translate(text []byte) (Message, error) {
	var old legacy
	d := json.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(&old); err != nil {
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && wrong.Field != "" {
			return Message{}, fmt.Errorf("%s is not of the right type", wrong.Field)
		}
		return Message{}, errors.New("it is not a JSON object")
	}
	m := message{Android: &android{CollapseKey: old.CollapseKey, RestrictedPackageName: old.RestrictedPackageName}}
	out := Message{ValidateOnly: old.DryRun}
	var err error
	if m.Data, err = translateData(old.Data); err != nil {
		return Message{}, err
	}
	if m.Android.Notification, err = translateNotification(old.Notification); err != nil {
		return Message{}, err
	}
	switch strings.ToLower(old.Priority) {
	case "":
	case "normal", "high":
		m.Android.Priority = strings.ToUpper(old.Priority)
	default:
		return Message{}, errors.New("priority is neither normal nor high")
	}
	if text := strings.Trim(string(old.TimeToLive), `"`); text != "" && text != "null" {
		seconds, err := strconv.ParseInt(text, 10, 64)
		if err != nil || seconds < 0 || seconds > int64(notification.MaxTTL/time.Second) {
			return Message{}, fmt.Errorf("time_to_live is not a number of seconds from 0 to %d", int64(notification.MaxTTL/time.Second))
		}
		ttl := time.Duration(seconds) * time.Second
		out.TTL, m.Android.TTL = &ttl, fmt.Sprintf("%ds", seconds)
	}
	if size := m.size(); size > notification.MaxFCM {
		return Message{}, fmt.Errorf("data and notification have %d bytes, at most %d are delivered", size, notification.MaxFCM)
	}
	if m.Android.empty() {
		m.Android = nil
	}
	out.Body, err = marshal(m)
	return out, err
}

// marshal is JSON as it is, without escapes for HTML.
func marshal(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("fcm: %w", err)
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

func (a *android) empty() bool {
	return a.CollapseKey == "" && a.Priority == "" && a.TTL == "" && a.RestrictedPackageName == "" && len(a.Notification) == 0
}

// size is what Google counts: keys and values of the data and the notification.
func (m *message) size() (n int) {
	for k, v := range m.Data {
		n += len(k) + len(v)
	}
	for k, v := range m.Android.Notification {
		n += len(k)
		switch v := v.(type) {
		case string:
			n += len(v)
		case []string:
			for _, one := range v {
				n += len(one)
			}
		}
	}
	return n
}

// Reserved reports whether data may not have a key: Google uses it.
func Reserved(key string) bool {
	return slices.Contains([]string{"from", "message_type", "gcm"}, key) ||
		strings.HasPrefix(key, "google.") || strings.HasPrefix(key, "gcm.notification.")
}

// translateData makes texts of values: v1 has no others.
func translateData(data map[string]json.RawMessage) (map[string]string, error) {
	out := make(map[string]string, len(data))
	for key, value := range data {
		if Reserved(key) {
			return nil, fmt.Errorf("data has the key %q, which is reserved", key)
		}
		if string(value) == "null" {
			continue
		}
		text, err := asText(value)
		if err != nil {
			return nil, fmt.Errorf("data.%s is not JSON", key)
		}
		out[key] = text
	}
	return out, nil
}

// asText is a text as it is, and anything else as compact JSON.
func asText(value json.RawMessage) (string, error) {
	var text string
	if json.Unmarshal(value, &text) == nil {
		return text, nil
	}
	var b bytes.Buffer
	if err := json.Compact(&b, value); err != nil {
		return "", err
	}
	return b.String(), nil
}

// translateNotification keeps what Android knows; the rest is of other platforms.
func translateNotification(old map[string]json.RawMessage) (map[string]any, error) {
	out := make(map[string]any, len(old))
	for key, value := range old {
		if string(value) == "null" {
			continue
		}
		if name := texts[key]; name != "" {
			text, err := asText(value)
			if err != nil {
				return nil, fmt.Errorf("notification.%s is not JSON", key)
			}
			out[name] = text
		}
		if slices.Contains(lists, key) {
			list, err := asList(value)
			if err != nil {
				return nil, fmt.Errorf("notification.%s is not a list", key)
			}
			out[key] = list
		}
	}
	return out, nil
}

// asList is a list of texts. Some libraries send it as JSON within a text.
func asList(value json.RawMessage) ([]string, error) {
	var text string
	if json.Unmarshal(value, &text) == nil {
		value = json.RawMessage(text)
	}
	var list []json.RawMessage
	if err := json.Unmarshal(value, &list); err != nil {
		return nil, err
	}
	out := make([]string, len(list))
	for i, one := range list {
		var err error
		if out[i], err = asText(one); err != nil {
			return nil, err
		}
	}
	return out, nil
}
