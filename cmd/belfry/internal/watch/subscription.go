package watch

import (
	"encoding/json"

	"github.com/belfryhq/belfry/protocol"
)

// A Subscription is what to watch.
type Subscription struct {
	Channels []string
	UserID   string // on presence channels
	UserInfo string // JSON, or empty
	All      bool   // print every frame
	Count    int    // end after that many events; zero is never
	Last     int    // events of the past
	Since    string // or those after a position
}

// user is who to sign in as, or empty.
func (s Subscription) user() string {
	for _, channel := range s.Channels {
		if id, ok := protocol.UserOf(channel); ok {
			return id
		}
	}
	return ""
}

// info is what the others see of the user on presence channels, or nil.
func (s Subscription) info() any {
	if s.UserInfo == "" {
		return nil
	}
	return json.RawMessage(s.UserInfo)
}

// A frame is what printing needs to know of a message of the service.
type frame struct {
	Event   string `json:"event"`
	Channel string `json:"channel"`
}

// isNews reports whether f is about a channel and not an answer to us. How many
// have subscribed is none: it comes with our own subscription.
func (f frame) isNews() bool {
	switch f.Event {
	case protocol.EventSubscriptionSucceeded, protocol.EventSubscriptionError, protocol.EventSubscriptionCount:
		return false
	}
	return f.Channel != ""
}
