package backend

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"

	"github.com/belfryhq/belfry/protocol"
)

// A Member is who a connection is on a presence channel.
type Member struct {
	UserID   string // 1 to 128 characters
	UserInfo any    // what others are told, an object of at most 1 KB as JSON; nil: nothing
	// SignedIn makes the member whoever the connection is signed in as. There
	// is no UserID and no UserInfo then; the service refuses the subscription if
	// nobody is signed in.
	SignedIn bool
}

// UserData is who signs in on a connection.
type UserData struct {
	ID        string   // 1 to 200 characters
	UserInfo  any      // what others see on presence channels, an object as JSON; nil: nothing
	Watchlist []string // up to 100 users whose coming and going the connection is told of
	// Extra are further members of the JSON. The connection gets them back.
	Extra map[string]any
}

// A ChannelAuth lets one connection subscribe to one channel. As JSON it is
// what client libraries expect of an authorization endpoint.
type ChannelAuth struct {
	Auth         string `json:"auth"`                    // key:signature
	ChannelData  string `json:"channel_data,omitempty"`  // of presence channels; part of what is signed
	SharedSecret string `json:"shared_secret,omitempty"` // key of an encrypted channel in base64; stays with the client
}

// A UserAuth signs a user in on one connection. As JSON it is what client
// libraries expect of a user authentication endpoint.
type UserAuth struct {
	Auth     string `json:"auth"`      // key:signature
	UserData string `json:"user_data"` // part of what is signed
}

// AuthorizeChannel lets a connection subscribe to a channel: private,
// encrypted or presence, as the name says. There is a member exactly for
// presence channels.
func (c *Client) AuthorizeChannel(socketID, channel string, m *Member) (*ChannelAuth, error) {
	switch {
	case IsPresence(channel) && m == nil:
		return nil, invalid(ErrMemberRequired, "channel", channel, "")
	case IsPresence(channel):
		return c.AuthorizePresenceChannel(socketID, channel, *m)
	case m != nil:
		return nil, invalid(ErrInvalidChannel, "channel", channel, "only presence channels have members")
	}
	return c.AuthorizePrivateChannel(socketID, channel)
}

// AuthorizePrivateChannel lets a connection subscribe to a private channel. On
// an encrypted one the answer has the key to its events.
func (c *Client) AuthorizePrivateChannel(socketID, channel string) (*ChannelAuth, error) {
	if IsPresence(channel) {
		return nil, invalid(ErrMemberRequired, "channel", channel, "")
	}
	return c.authorize(socketID, channel, "")
}

// AuthorizePresenceChannel lets a connection subscribe to a presence channel
// as m.
func (c *Client) AuthorizePresenceChannel(socketID, channel string, m Member) (*ChannelAuth, error) {
	if m.SignedIn {
		if m.UserID != "" || m.UserInfo != nil {
			return nil, invalid(ErrInvalidUserID, "user id", m.UserID, "the member is whoever is signed in")
		}
		return c.AuthorizeSignedIn(socketID, channel)
	}
	data, err := c.memberJSON(m)
	if err != nil {
		return nil, err
	}
	if !IsPresence(channel) {
		return nil, invalid(ErrInvalidChannel, "channel", channel, "not a presence channel")
	}
	return c.authorize(socketID, channel, data)
}

// AuthorizeSignedIn lets a connection that is signed in subscribe to a
// presence channel as the user that it is signed in as.
func (c *Client) AuthorizeSignedIn(socketID, channel string) (*ChannelAuth, error) {
	if !IsPresence(channel) {
		return nil, invalid(ErrInvalidChannel, "channel", channel, "not a presence channel")
	}
	return c.authorize(socketID, channel, "")
}

// AuthorizeChannelData is AuthorizeChannel for a caller that has channel_data
// as JSON, of which every byte counts. A presence channel needs it; elsewhere
// it may be empty.
func (c *Client) AuthorizeChannelData(socketID, channel, channelData string) (*ChannelAuth, error) {
	if IsPresence(channel) {
		m, err := protocol.ParseMember(channelData)
		if err != nil {
			return nil, invalid(ErrMemberRequired, "channel data", channelData, err.Error())
		}
		if err := c.checkMember(m.UserID, m.UserInfo); err != nil {
			return nil, err
		}
	}
	return c.authorize(socketID, channel, channelData)
}

// authorize signs what was checked for its kind. Names are checked here,
// because one with a colon could be signed for another purpose.
func (c *Client) authorize(socketID, channel, channelData string) (*ChannelAuth, error) {
	if err := checkSocketID(socketID); err != nil {
		return nil, err
	}
	if err := c.checkChannel(channel); err != nil {
		return nil, err
	}
	if !IsPrivate(channel) {
		return nil, invalid(ErrPublicChannel, "channel", channel, "")
	}
	auth := &ChannelAuth{ChannelData: channelData}
	if IsEncrypted(channel) {
		secret, err := c.SharedSecret(channel)
		if err != nil {
			return nil, err
		}
		auth.SharedSecret = base64.StdEncoding.EncodeToString(secret[:])
	}
	signed := socketID + ":" + channel
	if channelData != "" {
		signed += ":" + channelData
	}
	auth.Auth = c.token.Key + ":" + c.token.Sign([]byte(signed))
	return auth, nil
}

// memberJSON is the channel_data of a member.
func (c *Client) memberJSON(m Member) (string, error) {
	members := []member{{"user_id", m.UserID}}
	var info []byte
	if m.UserInfo != nil {
		var err error
		if info, err = encodeJSON(m.UserInfo); err != nil {
			return "", err
		}
		members = append(members, member{"user_info", json.RawMessage(info)})
	}
	if err := c.checkMember(m.UserID, info); err != nil {
		return "", err
	}
	data, err := object(members...)
	return string(data), err
}

func (c *Client) checkMember(id string, info []byte) error {
	if id == "" || !utf8.ValidString(id) || above(utf8.RuneCountInString(id), c.limits.MemberIDLength) {
		return invalid(ErrInvalidUserID, "user id", id, "empty, or too long")
	}
	if above(len(info), c.limits.MemberInfoBytes) {
		return invalid(ErrDataTooLarge, "user info", "", fmt.Sprintf("%d bytes, at most %d", len(info), c.limits.MemberInfoBytes))
	}
	return nil
}

// AuthenticateUser signs a user in on a connection.
func (c *Client) AuthenticateUser(socketID string, u UserData) (*UserAuth, error) {
	members := []member{{"id", u.ID}}
	if u.UserInfo != nil {
		members = append(members, member{"user_info", u.UserInfo})
	}
	if u.Watchlist != nil {
		members = append(members, member{"watchlist", u.Watchlist})
	}
	for _, name := range slices.Sorted(maps.Keys(u.Extra)) {
		if name == "id" || name == "user_info" || name == "watchlist" {
			return nil, invalid(ErrInvalidParameter, "extra", name, "it has a field of its own")
		}
		members = append(members, member{name, u.Extra[name]})
	}
	data, err := object(members...)
	if err != nil {
		return nil, err
	}
	return c.AuthenticateUserData(socketID, string(data))
}

// AuthenticateUserData is AuthenticateUser for a caller that has user_data as
// JSON, of which every byte counts.
func (c *Client) AuthenticateUserData(socketID, userData string) (*UserAuth, error) {
	if err := checkSocketID(socketID); err != nil {
		return nil, err
	}
	u, err := protocol.ParseUserData(userData)
	if err != nil {
		return nil, invalid(ErrInvalidUserID, "user data", userData, err.Error())
	}
	if err := c.checkUserID(u.ID); err != nil {
		return nil, err
	}
	if above(len(u.Watchlist), c.limits.Watchlist) {
		return nil, invalid(ErrDataTooLarge, "watchlist", "", fmt.Sprintf("%d users, at most %d", len(u.Watchlist), c.limits.Watchlist))
	}
	return &UserAuth{
		Auth:     c.token.Key + ":" + c.token.Sign([]byte(socketID+"::user::"+userData)),
		UserData: userData,
	}, nil
}
