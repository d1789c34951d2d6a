package protocol

import (
	"net/url"
	"strings"
)

// A ClientLibrary is what a client says it is, as far as that changes what it
// is sent (docs/protocol.md, "What clients cannot take"). The zero
// ClientLibrary is any that takes everything.
type ClientLibrary uint8

// The libraries that cannot take everything.
const (
	// JavaClient is pusher-websocket-java, in the applications for Android too
	// that stand on it. It decrypts every event of an encrypted channel whose
	// data is not "{}", and throws an exception where that is no ciphertext.
	JavaClient ClientLibrary = 1 + iota
)

// ClientLibraryOf returns the library of a client with that query. Any version
// counts: none is known that mends what is said here.
func ClientLibraryOf(query url.Values) ClientLibrary {
	switch strings.ToLower(query.Get("client")) {
	case "java-client", "pusher-java-client", "pusher-websocket-java":
		return JavaClient
	}
	return 0
}

// Takes reports whether a client can be sent an event of the protocol on a
// channel of that kind. Events of applications are not asked about.
func (l ClientLibrary) Takes(event string, kind Kind) bool {
	if l == JavaClient && kind.Encrypted() {
		return event != EventSubscriptionError && event != EventSubscriptionCount
	}
	return true
}
