package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/rawjson"
	"github.com/belfryhq/belfry/protocol"
)

// An Event is what arrived. It is immutable and may be kept.
type Event struct {
	Name    string // never empty
	Channel string // empty for events without a channel
	// Data is what was published: the content of the string that travels, or
	// the JSON text of anything else, byte for byte; decrypted on encrypted
	// channels.
	Data     string
	UserID   string // who sent it; only of client events on presence channels
	Position string // its place in the history of the channel; empty if that has none
	Received time.Time
}

// Decode reads Data as JSON into v.
func (e Event) Decode(v any) error { return json.Unmarshal([]byte(e.Data), v) }

// parseEvent reads a message.
func parseEvent(text []byte, binary bool) (Event, error) {
	if binary {
		return Event{}, errBinary
	}
	m, perr := protocol.ParseMessage(text)
	if perr != nil {
		return Event{}, errors.New(perr.Message)
	}
	e := Event{Name: m.Event, Channel: m.Channel, Data: content(m.Data), Received: time.Now()}
	if strings.HasPrefix(e.Name, clientEventPrefix) {
		var sender struct {
			UserID json.RawMessage `json:"user_id"`
		}
		if json.Unmarshal(text, &sender) == nil {
			e.UserID = id(sender.UserID)
		}
	}
	if bytes.Contains(text, positionMember) {
		var place struct{ Position string }
		if json.Unmarshal(text, &place) == nil {
			e.Position = place.Position
		}
	}
	return e, nil
}

// positionMember begins the place of an event in the history of its channel.
var positionMember = []byte(`,"position":"`)

// ClientEventName returns the name with "client-" in front, where that is
// absent.
func ClientEventName(name string) string {
	if strings.HasPrefix(name, clientEventPrefix) {
		return name
	}
	return clientEventPrefix + name
}

const clientEventPrefix = "client-"

// content is what a member called data says: the content of a string, the JSON
// text of anything else, nothing if it is absent. The text is valid JSON.
func content(raw []byte) string {
	if !rawjson.IsString(raw) {
		return string(raw)
	}
	return rawjson.Unquote(raw)
}

// id is a name that some services write as a number: its digits then. It is
// empty for anything else.
func id(raw json.RawMessage) string {
	switch {
	case len(raw) == 0:
		return ""
	case rawjson.IsString(raw):
		return rawjson.Unquote(raw)
	case raw[0] == '-' || '0' <= raw[0] && raw[0] <= '9':
		return string(raw)
	}
	return ""
}

// raw is v as JSON: a json.RawMessage as it is.
func raw(v any) ([]byte, error) {
	if m, ok := v.(json.RawMessage); ok && json.Valid(m) {
		return m, nil
	}
	return encode(v)
}

// encode is v as JSON in which <, > and & stay as they are.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
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
