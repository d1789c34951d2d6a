package protocol

import "github.com/belfryhq/belfry/internal/rawjson"

// A Message is what a client sent.
type Message struct {
	Event      string // never empty
	Channel    string
	HasChannel bool   // whether there is a channel that is a string
	Data       []byte // raw JSON, part of the text; nil when absent
}

// ParseMessage reads the text of one inbound message. What is not a JSON object
// is ErrInvalidJSON, and one whose event is missing, empty or no string is
// ErrMissingEvent. Of repeated members the last counts; unknown ones are
// ignored.
func ParseMessage(text []byte) (Message, *Error) {
	var m Message
	err := rawjson.Object(text, func(key, value []byte) {
		switch string(key) {
		case "event":
			m.Event = eventName(value)
		case "channel":
			m.Channel, m.HasChannel = rawjson.String(value)
		case "data":
			m.Data = value
		}
	})
	switch {
	case err != nil:
		return Message{}, ErrInvalidJSON
	case m.Event == "":
		return Message{}, ErrMissingEvent
	}
	return m, nil
}

// eventName decodes an event's name, or returns "" for what is none. The names
// that all clients send cost no allocation.
func eventName(value []byte) string {
	switch string(value) {
	case `"pusher:ping"`:
		return EventPing
	case `"pusher:pong"`:
		return EventPong
	case `"pusher:subscribe"`:
		return EventSubscribe
	case `"pusher:unsubscribe"`:
		return EventUnsubscribe
	case `"pusher:signin"`:
		return EventSignin
	}
	name, _ := rawjson.String(value)
	return name
}

// A Subscribe is the data of pusher:subscribe and pusher:unsubscribe. A member
// that is missing, null or no string is not there: its Has field is false.
type Subscribe struct {
	Channel, Auth, ChannelData          string
	HasChannel, HasAuth, HasChannelData bool
	// BadChannelData says that there is a channel_data that is neither a
	// string nor null. No signature can be right for it.
	BadChannelData bool
	// Resume is what the client asks for of the channel's history; nil: nothing.
	Resume *Resume
}

// ParseSubscribe reads data that is a JSON object, or a JSON string that
// holds one. Anything else is the zero Subscribe.
func ParseSubscribe(data []byte) Subscribe {
	var s Subscribe
	err := object(data, func(key, value []byte) {
		switch string(key) {
		case "channel":
			s.Channel, s.HasChannel = rawjson.String(value)
		case "auth":
			s.Auth, s.HasAuth = rawjson.String(value)
		case "channel_data":
			s.ChannelData, s.HasChannelData = rawjson.String(value)
			s.BadChannelData = !s.HasChannelData && !rawjson.IsNull(value)
		case "resume":
			s.Resume = parseResume(value)
		}
	})
	if err != nil {
		return Subscribe{}
	}
	return s
}

// A Signin is the data of pusher:signin. A member that is missing, null or no
// string is not there: its Has field is false.
type Signin struct {
	Auth, UserData       string
	HasAuth, HasUserData bool
}

// ParseSignin reads data that is a JSON object, or a JSON string that holds
// one. Anything else is the zero Signin.
func ParseSignin(data []byte) Signin {
	var s Signin
	err := object(data, func(key, value []byte) {
		switch string(key) {
		case "auth":
			s.Auth, s.HasAuth = rawjson.String(value)
		case "user_data":
			s.UserData, s.HasUserData = rawjson.String(value)
		}
	})
	if err != nil {
		return Signin{}
	}
	return s
}

// object reads an object that may be wrapped into one string.
func object(data []byte, member func(key, value []byte)) error {
	if text, ok := rawjson.String(data); ok {
		data = []byte(text)
	}
	return rawjson.Object(data, member)
}
