package protocol

import (
	"strings"
	"unicode/utf8"
)

// A CloseCode says why a connection was closed or, from 4300, why something
// was refused on a connection that goes on.
type CloseCode int

// Codes of the Pusher Channels protocol (docs/protocol.md, "Errors and close
// codes").
const (
	CloseTLSOnly            CloseCode = 4000 // the app accepts TLS only
	CloseUnknownApp         CloseCode = 4001 // no app has that key
	CloseAppDisabled        CloseCode = 4003
	CloseOverQuota          CloseCode = 4004 // the app has all its connections
	ClosePathNotFound       CloseCode = 4005
	CloseInvalidVersion     CloseCode = 4006 // the protocol version is no number
	CloseUnsupportedVersion CloseCode = 4007
	CloseNoVersion          CloseCode = 4008
	CloseUnauthorized       CloseCode = 4009 // by time, by termination, or by origin
	CloseOverCapacity       CloseCode = 4100 // the node is full, or this client reads too slowly
	CloseReconnect          CloseCode = 4200 // come back at once
	ClosePongTimeout        CloseCode = 4201
	CloseInactive           CloseCode = 4202

	ErrorClientEventRate CloseCode = 4301 // never closes
	ErrorWatchlistLimit  CloseCode = 4302 // never closes
)

// Codes of WebSocket itself (RFC 6455, section 7.4.1) that are sent.
const (
	CloseNormal      CloseCode = 1000
	CloseGoingAway   CloseCode = 1001
	CloseProtocol    CloseCode = 1002 // a broken frame
	CloseUnsupported CloseCode = 1003 // a binary message
	CloseInvalidText CloseCode = 1007 // a text message that is not UTF-8
	ClosePolicy      CloseCode = 1008 // compressed messages that are nearly nothing but repetition
	CloseTooBig      CloseCode = 1009
)

// Fatal reports whether a connection is closed with this code. The others only
// ever stand in an error event.
func (c CloseCode) Fatal() bool { return 1000 <= c && c < 4300 }

// An Action is what a client does when its connection was closed.
type Action int

// The actions of the documented ranges of codes.
const (
	Other          Action = iota // for the client to decide
	DoNotReconnect               // 4000 to 4099: not without a change
	BackOff                      // 4100 to 4199: reconnect after a second or more
	ReconnectNow                 // 4200 to 4299
)

// Action returns what the Pusher Channels protocol documentation asks of a
// client that was closed with this code.
func (c CloseCode) Action() Action {
	switch {
	case 4000 <= c && c <= 4099:
		return DoNotReconnect
	case 4100 <= c && c <= 4199:
		return BackOff
	case 4200 <= c && c <= 4299:
		return ReconnectNow
	}
	return Other
}

// CloseReason returns message as it fits into a Close frame: valid UTF-8, at
// most MaxCloseReason bytes, cut between characters.
func CloseReason(message string) string {
	return cutBytes(strings.ToValidUTF8(message, "\uFFFD"), MaxCloseReason)
}

// cutBytes cuts valid UTF-8 to at most n bytes, between characters.
func cutBytes(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
