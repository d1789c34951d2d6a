package history

import (
	"encoding/hex"
	"slices"
	"strings"

	"github.com/belfryhq/belfry/internal/cluster/node"
)

// Digits is how many hexadecimal digits an event's number has in its text. All
// have as many, so that texts compare as numbers do.
const Digits = 12

// maxMarks is how many publishers a position may name. A log knows fewer.
const maxMarks = 2 * maxPublishers

// A Mark is the place of an event: its publisher, and its number there.
type Mark struct {
	Publisher node.ID
	Number    uint64
}

// A Position says up to which number of each publisher all events have come. Of
// publishers that it does not name none has. The zero value is before everything.
type Position []Mark

// Of returns the number of a publisher, and whether the position names it.
func (p Position) Of(publisher node.ID) (number uint64, ok bool) {
	for _, m := range p {
		if m.Publisher == publisher {
			return m.Number, true
		}
	}
	return 0, false
}

// With returns a position that is at least at m.
func (p Position) With(m Mark) Position {
	for i := range p {
		if p[i].Publisher == m.Publisher {
			p[i].Number = max(p[i].Number, m.Number)
			return p
		}
	}
	return append(p, m)
}

// Append appends the mark's text: the publisher, a dash, and the number.
func (m Mark) Append(dst []byte) []byte {
	dst = append(dst, m.Publisher...)
	dst = append(dst, '-')
	return appendNumber(dst, m.Number)
}

func appendNumber(dst []byte, n uint64) []byte {
	const digits = "0123456789abcdef"
	for shift := 4 * (Digits - 1); shift >= 0; shift -= 4 {
		dst = append(dst, digits[n>>shift&0xf])
	}
	return dst
}

// Append appends the position's text: its marks, with commas between them.
func (p Position) Append(dst []byte) []byte {
	for i, m := range p {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = m.Append(dst)
	}
	return dst
}

// String returns the position's text.
func (p Position) String() string { return string(p.Append(nil)) }

// ParsePosition reads what Append has written. It comes from clients.
func ParsePosition(text string) (p Position, ok bool) {
	if text == "" {
		return nil, true
	}
	for mark := range strings.SplitSeq(text, ",") {
		publisher, number, found := strings.Cut(mark, "-")
		n, ok := parseNumber(number)
		if !found || !ok || !publisherName(publisher) || len(p) == maxMarks {
			return nil, false
		}
		p = p.With(Mark{node.ID(publisher), n})
	}
	return p, true
}

func parseNumber(text string) (n uint64, ok bool) {
	var b [Digits / 2]byte
	if len(text) != Digits {
		return 0, false
	}
	if _, err := hex.Decode(b[:], []byte(text)); err != nil {
		return 0, false
	}
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	return n, true
}

// publisherName reports whether a text can be the id of a node.
func publisherName(text string) bool {
	return 0 < len(text) && len(text) <= 16 && !slices.ContainsFunc([]byte(text), func(c byte) bool {
		return !('A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9')
	})
}
