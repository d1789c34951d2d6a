package pusher

import (
	"context"
	"strings"

	"github.com/belfryhq/belfry/backend"
)

// A TriggerChannelsList is the answer to a trigger that asked for attributes.
type TriggerChannelsList struct {
	Channels map[string]TriggerChannelListItem `json:"channels"`
}

// A TriggerChannelListItem is what is told about a channel; nil is not told.
type TriggerChannelListItem struct {
	UserCount         *int `json:"user_count,omitempty"`
	SubscriptionCount *int `json:"subscription_count,omitempty"`
}

// A TriggerBatchChannelsList is the answer to a batch that asked for
// attributes, in the order of the batch.
type TriggerBatchChannelsList struct {
	Batch []TriggerBatchChannelListItem `json:"batch"`
}

// A TriggerBatchChannelListItem is what is told about the channel of an event;
// nil is not told.
type TriggerBatchChannelListItem struct {
	UserCount         *int `json:"user_count,omitempty"`
	SubscriptionCount *int `json:"subscription_count,omitempty"`
}

// A Channel is the state of a channel. A count that was not asked for is 0.
type Channel struct {
	Name              string
	Occupied          bool `json:"occupied,omitempty"`
	UserCount         int  `json:"user_count,omitempty"`
	SubscriptionCount int  `json:"subscription_count,omitempty"`
}

// A ChannelsList is the occupied channels.
type ChannelsList struct {
	Channels map[string]ChannelListItem `json:"channels"`
}

// A ChannelListItem is one of the occupied channels.
type ChannelListItem struct {
	UserCount int `json:"user_count"`
}

// Users are those on a presence channel.
type Users struct {
	List []User `json:"users"`
}

// A User is somebody on a presence channel.
type User struct {
	ID string `json:"id"`
}

// ChannelsParams say which channels are listed; nil leaves a parameter out.
type ChannelsParams struct {
	FilterByPrefix *string
	Info           *string
}

// ChannelParams say what is asked about a channel; nil asks for nothing more.
type ChannelParams struct {
	Info *string
}

// Channels lists the occupied channels.
func (c *Client) Channels(params ChannelsParams) (*ChannelsList, error) {
	b, err := c.Backend()
	if err != nil {
		return nil, err
	}
	var query backend.ChannelsQuery
	if params.FilterByPrefix != nil {
		query.Prefix = *params.FilterByPrefix
	}
	if params.Info != nil {
		query.Info = attributes(*params.Info)
	}
	channels, err := b.Channels(context.Background(), query)
	if err != nil {
		return nil, err
	}
	list := &ChannelsList{Channels: make(map[string]ChannelListItem, len(channels))}
	for name, info := range channels {
		list.Channels[name] = ChannelListItem{value(info.UserCount)}
	}
	return list, nil
}

// Channel returns the state of one channel.
func (c *Client) Channel(name string, params ChannelParams) (*Channel, error) {
	b, err := c.Backend()
	if err != nil {
		return nil, err
	}
	var attrs []backend.Attribute
	if params.Info != nil {
		attrs = attributes(*params.Info)
	}
	info, err := b.Channel(context.Background(), name, attrs...)
	if err != nil {
		return nil, err
	}
	return &Channel{name, info.Occupied, value(info.UserCount), value(info.SubscriptionCount)}, nil
}

// GetChannelUsers returns the users on a presence channel.
func (c *Client) GetChannelUsers(name string) (*Users, error) {
	b, err := c.Backend()
	if err != nil {
		return nil, err
	}
	users, err := b.ChannelUsers(context.Background(), name)
	if err != nil {
		return nil, err
	}
	list := &Users{List: make([]User, len(users))}
	for i, u := range users {
		list.List[i].ID = u.ID
	}
	return list, nil
}

// attributes splits a list at its commas.
func attributes(info string) []backend.Attribute {
	var attrs []backend.Attribute
	for name := range strings.SplitSeq(info, ",") {
		if name = strings.TrimSpace(name); name != "" {
			attrs = append(attrs, backend.Attribute(name))
		}
	}
	return attrs
}

func value(n *int) int {
	if n == nil {
		return 0
	}
	return *n
}
