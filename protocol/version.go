package protocol

import (
	"net/url"
	"strconv"
	"strings"
)

// The protocol versions that are served.
const (
	MinVersion = 4
	MaxVersion = 7
)

// Version returns the protocol version that a client asks for with the query
// of its URL, from MinVersion to MaxVersion, or the refusal. Old JavaScript
// clients, which send only the version of their library, get the protocol that
// it spoke. A client that says nothing gets the version assume; zero refuses
// it (docs/protocol.md, "Protocol versions").
func Version(query url.Values, assume int) (int, *Error) {
	if p := query.Get("protocol"); p != "" {
		if len(p) > 9 || !allDigits(p) {
			return 0, ErrInvalidVersion
		}
		version, _ := strconv.Atoi(p)
		return supported(version)
	}
	if v := query.Get("version"); v != "" && javaScript(query) {
		library, ok := parseLibraryVersion(v)
		if !ok {
			return 0, ErrInvalidVersion
		}
		return supported(spokenBy(library))
	}
	if assume != 0 {
		return supported(assume)
	}
	return 0, ErrNoVersion
}

func supported(version int) (int, *Error) {
	if version < MinVersion || version > MaxVersion {
		return 0, ErrUnsupportedVersion
	}
	return version, nil
}

// javaScript reports whether the client is pusher-js or does not say what it is.
func javaScript(query url.Values) bool {
	return !query.Has("client") || query.Get("client") == "js"
}

// A libraryVersion is major, minor and patch level.
type libraryVersion [3]uint64

func (v libraryVersion) before(w libraryVersion) bool {
	for i := range v {
		if v[i] != w[i] {
			return v[i] < w[i]
		}
	}
	return false
}

// spokenBy returns the protocol version of a release of pusher-js. The table
// is read from its changelog, since no release ever announced it.
func spokenBy(v libraryVersion) int {
	switch {
	case v.before(libraryVersion{1, 8, 0}):
		return 2
	case v.before(libraryVersion{1, 10, 1}):
		return 3
	case v.before(libraryVersion{1, 11, 0}):
		return 4
	case v.before(libraryVersion{2, 0, 0}):
		return 5
	case v.before(libraryVersion{2, 1, 5}):
		return 6
	}
	return 7
}

// parseLibraryVersion reads two or three numbers. What follows them, such as
// the name of a pre-release, is ignored, but must begin with one of -.+ after
// the second number.
func parseLibraryVersion(s string) (v libraryVersion, ok bool) {
	major, rest, ok := leadingNumber(s)
	if !ok || !strings.HasPrefix(rest, ".") {
		return v, false
	}
	minor, rest, ok := leadingNumber(rest[1:])
	if !ok || rest != "" && !strings.Contains("-.+", rest[:1]) {
		return v, false
	}
	var patch uint64
	if rest, ok = strings.CutPrefix(rest, "."); ok {
		patch, _, _ = leadingNumber(rest)
	}
	return libraryVersion{major, minor, patch}, true
}

// leadingNumber splits the digits off the start of s. A number that is too
// large becomes the largest.
func leadingNumber(s string) (n uint64, rest string, ok bool) {
	rest = strings.TrimLeft(s, "0123456789")
	digits := s[:len(s)-len(rest)]
	n, _ = strconv.ParseUint(digits, 10, 64)
	return n, rest, digits != ""
}
