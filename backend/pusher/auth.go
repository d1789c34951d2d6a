package pusher

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/belfryhq/belfry/backend"
)

// MemberData is who a connection is on a presence channel.
type MemberData struct {
	UserID   string            `json:"user_id"`
	UserInfo map[string]string `json:"user_info,omitempty"`
}

// AuthorizePrivateChannel answers the form that a client library posts, with
// the JSON that it expects. The channel is private or encrypted.
func (c *Client) AuthorizePrivateChannel(params []byte) (response []byte, err error) {
	return c.authorizeChannel(params, nil)
}

// AuthenticatePrivateChannel is AuthorizePrivateChannel.
func (c *Client) AuthenticatePrivateChannel(params []byte) (response []byte, err error) {
	return c.authorizeChannel(params, nil)
}

// AuthorizePresenceChannel answers the form that a client library posts for a
// presence channel.
func (c *Client) AuthorizePresenceChannel(params []byte, member MemberData) (response []byte, err error) {
	return c.authorizeChannel(params, &member)
}

// AuthenticatePresenceChannel is AuthorizePresenceChannel.
func (c *Client) AuthenticatePresenceChannel(params []byte, member MemberData) (response []byte, err error) {
	return c.authorizeChannel(params, &member)
}

func (c *Client) authorizeChannel(params []byte, member *MemberData) ([]byte, error) {
	b, err := c.Backend()
	if err != nil {
		return nil, err
	}
	form, err := backend.ParseAuthBody(params)
	switch {
	case err != nil:
		return nil, err
	case !form.Has("channel_name"):
		return nil, errors.New("channel_name not found")
	case !form.Has("socket_id"):
		return nil, errors.New("socket_id not found")
	}
	channel, data := form.Get("channel_name"), ""
	if member != nil {
		text, err := json.Marshal(member)
		if err != nil {
			return nil, err
		}
		data = string(text)
	}
	if backend.IsPresence(channel) && member == nil {
		auth, err := b.AuthorizeSignedIn(form.Get("socket_id"), channel)
		if err != nil {
			return nil, err
		}
		return json.Marshal(auth)
	}
	auth, err := b.AuthorizeChannelData(form.Get("socket_id"), channel, data)
	if err != nil {
		return nil, err
	}
	return json.Marshal(auth)
}

// AuthenticateUser answers the form that a client library posts to sign in.
// The user data has at least an "id", which is a string.
func (c *Client) AuthenticateUser(params []byte, userData map[string]interface{}) (response []byte, err error) {
	b, err := c.Backend()
	if err != nil {
		return nil, err
	}
	form, err := backend.ParseAuthBody(params)
	switch {
	case err != nil:
		return nil, err
	case !form.Has("socket_id"):
		return nil, errors.New("socket_id not found")
	}
	data, err := json.Marshal(userData)
	if err != nil {
		return nil, err
	}
	auth, err := b.AuthenticateUserData(form.Get("socket_id"), string(data))
	if err != nil {
		return nil, err
	}
	return json.Marshal(auth)
}

// A Webhook is what the service told the application.
type Webhook struct {
	TimeMs int            `json:"time_ms"` // when it was made, in milliseconds since 1970
	Events []WebhookEvent `json:"events"`
}

// A WebhookEvent is one thing that happened.
type WebhookEvent struct {
	Name     string `json:"name"`
	Channel  string `json:"channel"`
	Event    string `json:"event,omitempty"`     // name of a client event
	Data     string `json:"data,omitempty"`      // of a client event, decrypted
	SocketID string `json:"socket_id,omitempty"` // that triggered a client event
	UserID   string `json:"user_id,omitempty"`
}

// Webhook checks a webhook and returns what it says. It fails when the data of
// an event can not be decrypted.
func (c *Client) Webhook(header http.Header, body []byte) (*Webhook, error) {
	b, err := c.Backend()
	if err != nil {
		return nil, err
	}
	if header.Get("Content-Type") == "" { // programs pass on what they kept
		if header = header.Clone(); header == nil {
			header = http.Header{}
		}
		header.Set("Content-Type", "application/json")
	}
	hook, err := b.Webhook(header, body)
	if err != nil {
		return nil, err
	}
	w := &Webhook{TimeMs: int(hook.TimeMS), Events: make([]WebhookEvent, len(hook.Events))}
	for i, e := range hook.Events {
		if e.DecryptErr != nil {
			return nil, e.DecryptErr
		}
		if e.Name == backend.EventClientEvent && backend.IsEncrypted(e.Channel) && !e.Decrypted {
			return nil, backend.ErrMasterKey
		}
		w.Events[i] = WebhookEvent{e.Name, e.Channel, e.Event, e.Data, e.SocketID, e.UserID}
	}
	return w, nil
}
