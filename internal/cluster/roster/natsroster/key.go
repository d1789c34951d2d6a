package natsroster

import (
	"encoding/binary"
	"errors"

	"github.com/belfryhq/belfry/internal/cluster/roster"
)

// A key is a subject as the log has it: app and channel with their lengths,
// then 0 for the channel, or 1 and the user for a member. The first part is the
// same for a channel and its members.
type key = string

const (
	ofChannel = 0
	ofMember  = 1
	// maxKey is above what any limit of an app allows, and below what a batch
	// takes.
	maxKey = 64 << 10
)

var errKey = errors.New("roster: key is malformed")

func makeKey(s roster.Subject) key {
	b := make([]byte, 0, 2*binary.MaxVarintLen16+1+len(s.App)+len(s.Channel)+len(s.User))
	b = appendString(b, s.App)
	b = appendString(b, s.Channel)
	if !s.Member {
		return string(append(b, ofChannel))
	}
	return string(append(append(b, ofMember), s.User...))
}

// parse returns what makeKey was given. Every string has at most one subject,
// and every subject one key.
func parse(k key) (roster.Subject, error) {
	app, rest, ok := cutString(k)
	if !ok {
		return roster.Subject{}, errKey
	}
	channel, rest, ok := cutString(rest)
	if !ok || rest == "" {
		return roster.Subject{}, errKey
	}
	s := roster.Subject{App: app, Channel: channel, User: rest[1:], Member: rest[0] == ofMember}
	if rest[0] > ofMember || !s.Member && s.User != "" || len(k) > maxKey || makeKey(s) != k {
		return roster.Subject{}, errKey
	}
	return s, nil
}

// place is the part of a key that a channel shares with its members, and
// whether it is of a member. The key is valid.
func place(k key) (prefix string, member bool) {
	_, rest, _ := cutString(k)
	_, rest, _ = cutString(rest)
	return k[:len(k)-len(rest)], rest[0] == ofMember
}

func isMember(k key) bool {
	_, member := place(k)
	return member
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// cutString takes what appendString has written off the front.
func cutString(b string) (s, rest string, ok bool) {
	n, size := uint64(0), 0
	for size < len(b) && size < binary.MaxVarintLen32 {
		c := b[size]
		n |= uint64(c&0x7f) << (7 * size)
		size++
		if c < 0x80 {
			if n > uint64(len(b)-size) {
				return "", "", false
			}
			return b[size : size+int(n)], b[size+int(n):], true
		}
	}
	return "", "", false
}
