package backend

import (
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/belfryhq/belfry/protocol"
)

// ValidChannelName reports whether an application may use a channel of that
// name: letters, digits and _-=@,.; and at most 200 bytes of them.
func ValidChannelName(s string) bool {
	return protocol.CheckChannel(s, protocol.MaxChannelName) == nil
}

// ValidSocketID reports whether s has the form of a connection's id, two
// numbers and a dot.
func ValidSocketID(s string) bool {
	before, after, ok := strings.Cut(s, ".")
	return ok && digits(before) && digits(after)
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// ValidUserID reports whether users can sign in with that id: at most 200
// characters and no control characters.
func ValidUserID(s string) bool { return validUserID(s, protocol.MaxUserID) }

func validUserID(s string, limit int) bool {
	return s != "" && utf8.ValidString(s) && !above(utf8.RuneCountInString(s), limit) && !strings.ContainsFunc(s, isControl)
}

// IsPrivate reports whether subscribing to the channel takes authorization:
// private, encrypted and presence channels.
func IsPrivate(channel string) bool { return protocol.KindOf(channel).Private() }

// IsPresence reports whether the channel has members.
func IsPresence(channel string) bool { return protocol.KindOf(channel).Presence() }

// IsEncrypted reports whether events on the channel are encrypted end to end.
func IsEncrypted(channel string) bool { return protocol.KindOf(channel).Encrypted() }

// IsCache reports whether new subscribers of the channel get its last event.
func IsCache(channel string) bool { return protocol.KindOf(channel).Cache() }

// UserChannel returns the channel on which events for a signed-in user travel.
func UserChannel(userID string) string { return protocol.UserChannel(userID) }

// checkTarget refuses what can not be published to. The channels of users are
// no names that applications choose, but may be published to.
func (c *Client) checkTarget(channel string) error {
	if id, ok := protocol.UserOf(channel); ok && validUserID(id, c.limits.UserIDLength) {
		return nil
	}
	return c.checkChannel(channel)
}

func (c *Client) checkChannel(channel string) error {
	switch err := protocol.CheckChannel(channel, max(c.limits.NameLength, 0)); err {
	case nil:
		return nil
	case protocol.ErrChannelTooLong:
		return invalid(ErrInvalidChannel, "channel", channel, fmt.Sprintf("longer than %d bytes", c.limits.NameLength))
	default:
		return invalid(ErrInvalidChannel, "channel", channel, "letters, digits and _-=@,.; are allowed")
	}
}

func (c *Client) checkEventName(name string) error {
	switch {
	case name == "" || !utf8.ValidString(name):
		return invalid(ErrInvalidEventName, "event", name, "empty, or not UTF-8")
	case above(utf8.RuneCountInString(name), c.limits.EventNameLength):
		return invalid(ErrInvalidEventName, "event", name, fmt.Sprintf("longer than %d characters", c.limits.EventNameLength))
	case protocol.IsReserved(name):
		return invalid(ErrInvalidEventName, "event", name, "the name belongs to the protocol")
	}
	return nil
}

func checkSocketID(id string) error {
	if !ValidSocketID(id) {
		return invalid(ErrInvalidSocketID, "socket id", id, "")
	}
	return nil
}

func (c *Client) checkUserID(id string) error {
	if !validUserID(id, c.limits.UserIDLength) {
		return invalid(ErrInvalidUserID, "user id", id, "empty, too long, or with control characters")
	}
	return nil
}

// pathSegment is a name as it stands in a path.
func pathSegment(s string) string { return url.PathEscape(s) }
