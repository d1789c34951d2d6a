package protocol

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// A SocketID names one connection, as in "1234.5678". It is unguessable, since
// it is part of what applications sign. IDs are comparable with ==; the zero
// SocketID names no connection.
type SocketID struct {
	a, b uint64
}

// maxSocketIDPart bounds both numbers of the ids that NewSocketID draws.
const maxSocketIDPart = 10_000_000_000

// NewSocketID draws a random id, two numbers from 1 to 10^10. The caller makes
// sure that it is not in use.
func NewSocketID() SocketID {
	return SocketID{randomPart(), randomPart()}
}

// randomPart draws evenly, by drawing again what is out of range.
func randomPart() uint64 {
	const mask = 1<<34 - 1 // the smallest that covers the range
	for {
		var b [8]byte
		rand.Read(b[:]) // never fails
		if n := binary.LittleEndian.Uint64(b[:]) & mask; 1 <= n && n <= maxSocketIDPart {
			return n
		}
	}
}

// ParseSocketID reads an id. It is ok only for text that String returns for
// some id other than zero: two 64-bit numbers without leading zeros. Other text
// names no connection, even if it is digits, a dot and digits.
func ParseSocketID(s string) (id SocketID, ok bool) {
	left, right, _ := strings.Cut(s, ".")
	a, aOK := parsePart(left)
	b, bOK := parsePart(right)
	if !aOK || !bOK {
		return SocketID{}, false
	}
	id = SocketID{a, b}
	return id, !id.IsZero()
}

func parsePart(s string) (n uint64, ok bool) {
	if s == "" || s[0] < '0' || s[0] > '9' || s[0] == '0' && s != "0" {
		return 0, false // ParseUint would take no sign, but leading zeros
	}
	n, err := strconv.ParseUint(s, 10, 64)
	return n, err == nil
}

// allDigits reports whether s is one or more ASCII digits.
func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// IsZero reports whether id is the zero SocketID.
func (id SocketID) IsZero() bool { return id == SocketID{} }

// String returns the id as clients and applications know it.
func (id SocketID) String() string {
	var b [41]byte // two of the largest numbers and a dot
	return string(id.append(b[:0]))
}

func (id SocketID) append(dst []byte) []byte {
	dst = strconv.AppendUint(dst, id.a, 10)
	dst = append(dst, '.')
	return strconv.AppendUint(dst, id.b, 10)
}

// AppendText appends String. It never fails.
func (id SocketID) AppendText(dst []byte) ([]byte, error) { return id.append(dst), nil }

// MarshalText returns String. It never fails.
func (id SocketID) MarshalText() ([]byte, error) { return id.append(nil), nil }

// UnmarshalText is ParseSocketID, except that it also reads the zero id.
func (id *SocketID) UnmarshalText(text []byte) error {
	parsed, ok := ParseSocketID(string(text))
	if !ok && string(text) != (SocketID{}).String() {
		return fmt.Errorf("protocol: invalid socket id %.64q", text)
	}
	*id = parsed
	return nil
}
