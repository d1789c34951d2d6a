package backend

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// A ChannelsQuery says which channels to list, and with what.
type ChannelsQuery struct {
	Prefix string      // of their names, such as "presence-"; empty: all
	Info   []Attribute // UserCount, if the prefix is that of presence channels
}

// Channels returns the occupied channels by name: those that have at least
// one subscriber. The map is empty, not nil, if there are none.
func (c *Client) Channels(ctx context.Context, q ChannelsQuery) (map[string]ChannelInfo, error) {
	query := url.Values{}
	if q.Prefix != "" {
		query.Set("filter_by_prefix", q.Prefix)
	}
	for _, a := range q.Info {
		if a == UserCount && !strings.HasPrefix(q.Prefix, "presence-") {
			return nil, invalid(ErrInvalidAttribute, "attribute", string(a), "the prefix has to begin with presence-")
		}
	}
	if len(q.Info) > 0 {
		query.Set("info", joinAttributes(q.Info))
	}
	response, err := c.Get(ctx, "/channels", query)
	if err != nil {
		return nil, err
	}
	reply := struct {
		Channels map[string]ChannelInfo `json:"channels"`
	}{}
	if err := response.Decode(&reply); err != nil {
		return nil, err
	}
	if reply.Channels == nil {
		reply.Channels = map[string]ChannelInfo{}
	}
	return reply.Channels, nil
}

// Channel returns whether a channel is occupied, and the attributes that are
// asked for. A channel that nobody uses is no error.
func (c *Client) Channel(ctx context.Context, name string, attrs ...Attribute) (*ChannelInfo, error) {
	if err := c.checkChannel(name); err != nil {
		return nil, err
	}
	for _, a := range attrs {
		if a == UserCount && !IsPresence(name) || a == CachedEvent && !IsCache(name) {
			return nil, invalid(ErrInvalidAttribute, "attribute", string(a), "the channel "+name+" has none")
		}
	}
	query := url.Values{}
	if len(attrs) > 0 {
		query.Set("info", joinAttributes(attrs))
	}
	response, err := c.Get(ctx, "/channels/"+name, query)
	if err != nil {
		return nil, err
	}
	info := new(ChannelInfo)
	if err := response.Decode(info); err != nil {
		return nil, err
	}
	return info, nil
}

// A User is somebody on a presence channel.
type User struct {
	ID string // the digits, where a service writes a number
}

// ChannelUsers returns the users on a presence channel, each once however many
// connections they have, in the order of the service.
func (c *Client) ChannelUsers(ctx context.Context, name string) ([]User, error) {
	if err := c.checkChannel(name); err != nil {
		return nil, err
	}
	if !IsPresence(name) {
		return nil, invalid(ErrInvalidChannel, "channel", name, "only presence channels have users")
	}
	response, err := c.Get(ctx, "/channels/"+name+"/users", nil)
	if err != nil {
		return nil, err
	}
	reply := struct {
		Users []struct {
			ID text `json:"id"`
		} `json:"users"`
	}{}
	if err := response.Decode(&reply); err != nil {
		return nil, err
	}
	users := make([]User, len(reply.Users))
	for i, u := range reply.Users {
		users[i].ID = string(u.ID)
	}
	return users, nil
}

// TerminateUserConnections closes all connections that are signed in as a
// user. The user may connect again unless the application refuses to
// authenticate.
func (c *Client) TerminateUserConnections(ctx context.Context, userID string) error {
	if err := c.checkUserID(userID); err != nil {
		return err
	}
	if strings.ContainsAny(userID, "/?#%") || userID == "." || userID == ".." {
		return invalid(ErrInvalidUserID, "user id", userID, "it can not stand in a path")
	}
	path := "/users/" + pathSegment(userID) + "/terminate_connections"
	_, err := c.do(ctx, call{method: http.MethodPost, path: path, body: []byte("{}"), retries: c.retries})
	return err
}

// A text is a string that some senders write as a number or as an object. A
// number keeps its digits; what is neither string nor number is its JSON.
type text string

func (t *text) UnmarshalJSON(raw []byte) error {
	raw = bytes.TrimSpace(raw)
	switch {
	case len(raw) == 0:
		return fmt.Errorf("backend: no JSON value")
	case raw[0] == '"':
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return err
		}
		*t = text(s)
	case string(raw) == "null":
		*t = ""
	default:
		*t = text(raw)
	}
	return nil
}
