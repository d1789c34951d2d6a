package trace

import (
	"strings"
	"unicode/utf8"

	"github.com/belfryhq/belfry/protocol"
)

// maxText and maxSentence are how many bytes of a text of a stranger a record
// keeps.
const (
	maxText     = 256
	maxSentence = 1024
)

// Short returns a text as records keep it: what is long is cut, and does not hold
// on to the rest.
func Short(text string) string { return cut(text, maxText) }

func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	end := most
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return strings.Clone(text[:end]) + "…"
}

// shorten cuts the texts of a record.
func (r *Record) shorten() {
	for _, text := range [...]*string{&r.User, &r.Channel, &r.Event} {
		if len(*text) > maxText {
			*text = Short(*text)
		}
	}
	r.Text = cut(r.Text, maxSentence)
	if c := r.Client; c != nil {
		c.Key, c.Library, c.Origin = Short(c.Key), Short(c.Library), Short(c.Origin)
	}
}

// Meaning says what a close code means, in a sentence for people.
func Meaning(code protocol.CloseCode) string {
	switch code {
	case 0:
		return "No code was given."
	case protocol.CloseNormal:
		return "The client closed the connection."
	case protocol.CloseGoingAway:
		return "The page was left, or the program ended."
	case protocol.CloseTLSOnly:
		return "The app takes connections over TLS only."
	case protocol.CloseUnknownApp:
		return "No app has that key, or it was deleted."
	case protocol.CloseAppDisabled:
		return "The app is disabled."
	case protocol.CloseOverQuota:
		return "The app has as many connections as its limit allows."
	case protocol.CloseUnauthorized:
		return "The client was not authorized in time, its user's connections were terminated, or its origin is not allowed."
	case protocol.CloseOverCapacity:
		return "The client took too little for too long, or the node was full."
	case protocol.CloseReconnect:
		return "The client was asked to connect anew, as when a node stops."
	case protocol.ClosePongTimeout:
		return "The client did not answer a ping."
	case protocol.CloseTooBig:
		return "The client sent a message that is too large."
	case protocol.CloseProtocol, protocol.CloseUnsupported, protocol.CloseInvalidText:
		return "The client sent what WebSocket or the protocol does not allow."
	case protocol.ClosePolicy:
		return "The client's compressed messages were nearly nothing but repetition."
	}
	return ""
}
