package inspect

import (
	"regexp"
	"strconv"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/protocol"
)

// What is said of a wrong signature: to a client and to a backend.
var (
	wrongOfClient  = regexp.MustCompile(`(?s)Expected HMAC SHA256 hex digest of (.*), but got ([0-9a-f]{64})$`)
	wrongOfBackend = regexp.MustCompile(`HmacSHA256Hex\((".*"), your_secret_key\), but you sent "([0-9a-f]{64})"`)
)

// whoseSecret says what a wrong signature was made with, if that is a secret of the app
// after all: that of another key, or one with a line end that came along from a file.
// It is empty if nothing is known.
func whoseSecret(app *apps.App, text string) string {
	signed, digest, ok := wrongSignature(text)
	if !ok {
		return ""
	}
	for _, k := range app.Keys {
		switch {
		case protocol.NewSigner(k.Secret).Verify(signed, digest):
			return "The last one is signed with the secret of " + k.Key + ", and names another key of this app."
		case protocol.NewSigner(k.Secret+"\n").Verify(signed, digest), protocol.NewSigner(k.Secret+" ").Verify(signed, digest):
			return "The last one is signed with the secret of " + k.Key + " and a line end or a space behind it."
		}
	}
	return ""
}

// wrongSignature reads what should have been signed, and what was given.
func wrongSignature(text string) (signed []byte, digest string, ok bool) {
	if m := wrongOfClient.FindStringSubmatch(text); m != nil {
		return []byte(m[1]), m[2], true
	}
	m := wrongOfBackend.FindStringSubmatch(text)
	if m == nil {
		return nil, "", false
	}
	plain, err := strconv.Unquote(m[1])
	return []byte(plain), m[2], err == nil
}
