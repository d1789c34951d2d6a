package protocol

import (
	"errors"
	"strings"
)

// A Kind is what a channel's name says about it. Its methods answer what
// follows from it; do not compare a Kind with < or >.
type Kind uint8

// What kinds are made of.
const (
	kindAuth Kind = 1 << iota
	kindPresence
	kindCache
	kindEncrypted
	kindUser
)

// The kinds of channels (docs/protocol.md, "Channel names").
const (
	Public         Kind = 0
	Cache               = kindCache
	Private             = kindAuth
	PrivateCache        = kindAuth | kindCache
	Encrypted           = kindAuth | kindEncrypted
	EncryptedCache      = kindAuth | kindEncrypted | kindCache
	Presence            = kindAuth | kindPresence
	PresenceCache       = kindAuth | kindPresence | kindCache
	User                = kindUser
)

const userPrefix = "#server-to-user-"

// prefixes lists the prefixes that mean something, longer ones before those
// that they start with.
var prefixes = []struct {
	prefix string
	kind   Kind
}{
	{"private-encrypted-cache-", EncryptedCache},
	{"private-encrypted-", Encrypted},
	{"private-cache-", PrivateCache},
	{"private-", Private},
	{"presence-cache-", PresenceCache},
	{"presence-", Presence},
	{"cache-", Cache},
	{userPrefix, User},
}

// KindOf returns the kind of a channel. Only the start of the name counts, and
// case does; the rest of it may be empty and is not checked.
func KindOf(channel string) Kind {
	for i := range prefixes {
		if strings.HasPrefix(channel, prefixes[i].prefix) {
			return prefixes[i].kind
		}
	}
	return Public
}

// Private reports whether a subscription needs a token that the application
// signed: all private, encrypted and presence kinds.
func (k Kind) Private() bool { return k&kindAuth != 0 }

// Presence reports whether subscribers are members who see each other.
func (k Kind) Presence() bool { return k&kindPresence != 0 }

// Cache reports whether a new subscriber gets the last event.
func (k Kind) Cache() bool { return k&kindCache != 0 }

// Encrypted reports whether what is published is encrypted end to end, and is
// nothing to look into.
func (k Kind) Encrypted() bool { return k&kindEncrypted != 0 }

// ClientEvents reports whether clients may trigger events on the channel: the
// same kinds that need a token.
func (k Kind) ClientEvents() bool { return k.Private() }

// String returns the kind as it stands in front of names, such as
// "private-encrypted-cache", or "public" or "user".
func (k Kind) String() string {
	switch k {
	case Public:
		return "public"
	case User:
		return "user"
	}
	for _, p := range prefixes {
		if p.kind == k {
			return strings.TrimSuffix(p.prefix, "-")
		}
	}
	return "unknown"
}

// What can be wrong with a channel's name.
var (
	ErrChannelName    = errors.New("protocol: invalid channel name")
	ErrChannelTooLong = errors.New("protocol: channel name too long")
)

// CheckChannel returns ErrChannelName if name is not a name that applications
// may use: ASCII letters, digits and _-=@,.; and at least one of them. Names
// with #, those of users included, are not. It returns ErrChannelTooLong if
// the name is otherwise right but longer than limit bytes; zero is no limit.
func CheckChannel(name string, limit int) error {
	if name == "" {
		return ErrChannelName
	}
	for i := range len(name) {
		if !channelByte[name[i]] {
			return ErrChannelName
		}
	}
	if limit > 0 && len(name) > limit {
		return ErrChannelTooLong
	}
	return nil
}

// channelByte holds the characters of channel names.
var channelByte = func() (set [256]bool) {
	const chars = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-=@,.;"
	for i := range len(chars) {
		set[chars[i]] = true
	}
	return set
}()

// UserChannel returns the channel on which events for a signed-in user travel.
func UserChannel(id string) string { return userPrefix + id }

// UserOf returns the user whose channel this is. It is ok only for names that
// UserChannel returns for an id that is not empty.
func UserOf(channel string) (id string, ok bool) {
	id, ok = strings.CutPrefix(channel, userPrefix)
	return id, ok && id != ""
}
