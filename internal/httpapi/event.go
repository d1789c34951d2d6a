package httpapi

import (
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/rawjson"
	"github.com/belfryhq/belfry/protocol"
)

// fields are the members of an event as it was sent: raw JSON, nil where
// absent. Libraries send null for what their caller left out.
type fields struct {
	name, data, channel, channels, socketID, info, key []byte
}

// set takes one member of the object. Members that mean nothing are ignored,
// because some libraries let their callers add any.
func (f *fields) set(key, value []byte) {
	if rawjson.IsNull(value) {
		value = nil
	}
	switch string(key) {
	case "name":
		f.name = value
	case "data":
		f.data = value
	case "channel":
		f.channel = value
	case "channels":
		f.channels = value
	case "socket_id":
		f.socketID = value
	case "info":
		f.info = value
	case "idempotency_key": // of one event of a batch
		f.key = value
	}
}

// event checks the name and the data.
func (c *call) event(f *fields) (hub.Event, error) {
	name, ok := rawjson.String(f.name)
	if !ok {
		return hub.Event{}, badRequest("Expected name parameter to be a string")
	}
	if err := checkEventName(name, c.app.Limits.EventNameLength); err != nil {
		return hub.Event{}, err
	}
	data, err := c.data(f.data)
	return hub.Event{Name: name, Data: data}, err
}

// data returns the data of an event as the JSON string that clients get. A
// string stays as it was written, in the memory of the call.
func (c *call) data(value []byte) ([]byte, error) {
	switch limit := c.app.Limits.EventData; {
	case value == nil:
		return nil, badRequest("Missing required parameter: data")
	case !rawjson.IsString(value):
		var size int
		value, size = c.quoteJSON(value)
		if limit > 0 && size > limit {
			return nil, errDataSize(limit)
		}
	case limit > 0 && len(value)-len(`""`) > limit && rawjson.StringLen(value) > limit: // escapes only make it longer
		return nil, errDataSize(limit)
	}
	return value, nil
}

// checkEventName allows what is not reserved for frames of the protocol.
func checkEventName(name string, limit int) error {
	switch {
	case name == "":
		return badRequest("Invalid event name: it is empty")
	case limit > 0 && len(name) > limit && utf8.RuneCountInString(name) > limit:
		return badRequest("Invalid event name: it is longer than " + strconv.Itoa(limit) + " characters")
	case protocol.InPusherNamespace(name):
		return badRequest("The 'pusher' namespace is reserved for internal usage")
	}
	return nil
}

// checkTarget allows a channel, or the one form in which a user is named like
// one.
func checkTarget(app *apps.App, name string) error {
	if strings.HasPrefix(name, "#") {
		if id, ok := protocol.UserOf(name); ok && validUserID(id) {
			return nil
		}
		return errChannelName(name)
	}
	return checkChannel(app, name)
}

// checkChannel allows what clients can subscribe to.
func checkChannel(app *apps.App, name string) error {
	if protocol.CheckChannel(name, app.Limits.ChannelNameLength) != nil {
		return errChannelName(name)
	}
	return nil
}

// validUserID reports whether somebody may be signed in under that id. The
// length is that of sign-in, in characters.
func validUserID(id string) bool {
	return id != "" && utf8.RuneCountInString(id) <= protocol.MaxUserID &&
		!strings.ContainsFunc(id, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// except returns the socket that is not to get the event. Text that can name
// no socket excludes none, as on the hosted service.
func except(value []byte) (protocol.SocketID, error) {
	if value == nil {
		return protocol.SocketID{}, nil
	}
	s, ok := rawjson.String(value)
	if !ok {
		return protocol.SocketID{}, badRequest("Expected socket_id parameter to be a string")
	}
	id, _ := protocol.ParseSocketID(s)
	return id, nil
}

func errChannelName(name string) error {
	return badRequest("Invalid channel name: " + printable(name))
}

func errDataSize(limit int) error {
	return &statusError{
		status: http.StatusRequestEntityTooLarge,
		message: "The data content of this event exceeds the allowed maximum (" + strconv.Itoa(limit) +
			" bytes). See https://pusher.com/docs/channels/server_api/http-api#publishing-events for more info",
	}
}
