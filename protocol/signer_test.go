package protocol_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/belfryhq/belfry/protocol"
)

func TestSignerIsSign(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secret := rapid.String().Draw(t, "secret")
		signer := protocol.NewSigner(secret)
		for range 3 { // the second and third use what the first left
			text := rapid.String().Draw(t, "text")
			want := protocol.Sign(secret, text)
			if got := signer.Sign([]byte(text)); got != want {
				t.Fatalf("Sign(%q) = %s, want %s", text, got, want)
			}
			if !signer.Verify([]byte(text), want) || signer.Verify([]byte(text), strings.ToUpper(want)) && strings.ToUpper(want) != want {
				t.Fatalf("Verify(%q, %s) refuses it, or accepts upper case", text, want)
			}
			if signer.Verify([]byte(text+"x"), want) || signer.Verify([]byte(text), want[1:]) {
				t.Fatalf("Verify(%q, %s) accepts another text or less", text, want)
			}
		}
	})
}
