package backend

import "github.com/belfryhq/belfry/protocol"

// A Token is one of the key and secret pairs of an app.
type Token struct {
	Key    string // public
	Secret string // never printed
}

// Sign returns the lower-case hexadecimal HMAC-SHA256 of msg.
func (t Token) Sign(msg []byte) string { return protocol.Sign(t.Secret, string(msg)) }

// Verify reports whether hexSig is what Sign returns. The time that it takes
// says nothing about the right signature.
func (t Token) Verify(msg []byte, hexSig string) bool {
	return t.Secret != "" && protocol.VerifySignature(t.Secret, string(msg), hexSig)
}

// String returns the key. The secret is never printed, with any verb.
func (t Token) String() string { return t.Key }

// GoString is String.
func (t Token) GoString() string { return "backend.Token{Key:" + t.Key + "}" }
