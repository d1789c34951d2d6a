package admission

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// A guessed is a secret with a time of its own.
type guessed struct {
	*Secret
	t  *testing.T
	at time.Time
}

func newGuessed(t *testing.T) *guessed {
	g := &guessed{t: t, at: time.Unix(1e9, 0)}
	g.Secret = NewSecret(SecretConfig{Secret: "right", TrustedProxies: trusted, Registerer: prometheus.NewRegistry(), Now: func() time.Time { return g.at }})
	return g
}

func (g *guessed) expect(peer, given string, right bool, wait time.Duration, forwarded ...string) {
	g.t.Helper()
	if r, w := g.Try(request(peer, forwarded...), given, func() bool { return g.Is(given) }); r != right || w != wait {
		g.t.Errorf("Try(%s, %s) = %t, %v, want %t, %v", peer, given, r, w, right, wait)
	}
}

func TestGuessesOfOneAddressAreSlowedDown(t *testing.T) {
	g := newGuessed(t)
	for i := range 9 {
		g.expect("192.0.2.1:1", fmt.Sprint("wrong", i), false, 0)
		g.expect("192.0.2.1:2", "right", true, 0)
	}
	g.expect("192.0.2.1:1", "wrong9", false, 0)
	g.expect("192.0.2.1:1", "wrong10", false, 6*time.Second)
	g.expect("192.0.2.1:1", "right", false, 6*time.Second) // or a flood of guesses would find it
	g.expect("192.0.2.2:1", "right", true, 0)
	g.at = g.at.Add(6 * time.Second)
	g.expect("192.0.2.1:1", "right", true, 0)
	g.expect("192.0.2.1:1", "wrong11", false, 0)
	g.expect("192.0.2.1:1", "right", false, 6*time.Second)
	g.at = g.at.Add(time.Minute)
	g.expect("192.0.2.1:1", "right", true, 0)
	if wrong, slowed := value(t, g.wrong), value(t, g.slowed); wrong != 11 || slowed != 3 {
		t.Errorf("%v wrong ones and %v slowed down, want 11 and 3", wrong, slowed)
	}
}

// A program that was not told of the new token asks again and again.
func TestTheSameWrongSecretsAgainKeepNobodyOut(t *testing.T) {
	g := newGuessed(t)
	for range 1000 {
		g.expect("192.0.2.1:1", "old", false, 0)
		g.expect("192.0.2.1:1", "older", false, 0)
		g.expect("192.0.2.1:1", "right", true, 0)
	}
}

func TestGuessesAreCountedByTheClientBehindAProxy(t *testing.T) {
	g := newGuessed(t)
	for i := range 10 {
		g.expect("10.0.0.1:1", fmt.Sprint("wrong", i), false, 0, "198.51.100.1")
	}
	g.expect("10.0.0.1:1", "wrong", false, 6*time.Second, "198.51.100.1")
	g.expect("10.0.0.1:1", "right", true, 0, "198.51.100.2")
	g.expect("10.0.0.1:1", "right", true, 0)
	for i := range 10 {
		g.expect("10.0.0.1:1", fmt.Sprint("wrong", i), false, 0) // names nobody, and so is one itself
		g.expect(fmt.Sprintf("[2001:db8::%d]:1", i), fmt.Sprint("wrong", i), false, 0)
	}
	g.expect("10.0.0.1:1", "wrong", false, 6*time.Second)
	g.expect("[2001:db8::ff]:1", "wrong", false, 6*time.Second)
}

// Who has more addresses than are known has one allowance for all the rest.
func TestTooManyAddressesShareTheirGuesses(t *testing.T) {
	g := newGuessed(t)
	slowed := 0
	const many = shardCount*maxAddresses + 5000
	for i := range many {
		a := netip.AddrFrom4([4]byte{9, byte(i >> 16), byte(i >> 8), byte(i)})
		if _, wait := g.Try(request(a.String()+":1"), fmt.Sprint("wrong", i), func() bool { return false }); wait > 0 {
			slowed++
		}
	}
	if slowed < 4000 {
		t.Errorf("%d of %d addresses were slowed down, want most of those that are too many", slowed, many)
	}
}
