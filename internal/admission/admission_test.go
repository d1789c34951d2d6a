package admission

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/belfryhq/belfry/internal/forwarded"
)

var trusted = forwarded.Proxies{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}

func request(peer string, forwarded ...string) *http.Request {
	r := httptest.NewRequest("GET", "/app/k", nil)
	r.RemoteAddr = peer
	for _, f := range forwarded {
		r.Header.Add("X-Forwarded-For", f)
	}
	return r
}

// A clock is a limiter with a time of its own.
type clock struct {
	*Limiter
	t  *testing.T
	at time.Time
}

func newClock(t *testing.T, perMinute int) *clock {
	c := &clock{t: t, at: time.Unix(1e9, 0)}
	c.Limiter = New(Config{PerMinute: perMinute, TrustedProxies: trusted, Registerer: prometheus.NewRegistry(), Now: func() time.Time { return c.at }})
	return c
}

func (c *clock) expect(peer string, want time.Duration) {
	c.t.Helper()
	wait, ok := c.Admit(request(peer))
	if ok != (want == 0) || wait != want {
		c.t.Errorf("Admit(%s) = %v, %t, want %v", peer, wait, ok, want)
	}
}

func value(t *testing.T, c prometheus.Counter) float64 {
	t.Helper()
	var m dto.Metric
	if err := c.Write(&m); err != nil {
		t.Fatal(err)
	}
	return m.Counter.GetValue()
}

func TestEachAddressHasItsOwnAttempts(t *testing.T) {
	c := newClock(t, 3)
	for range 3 {
		c.expect("192.0.2.1:1", 0)
	}
	c.expect("192.0.2.1:2", 20*time.Second)
	c.expect("192.0.2.2:1", 0)
	for i := range 3 {
		c.expect(fmt.Sprintf("[2001:db8::%d]:1", i), 0) // all of one network
	}
	c.expect("[2001:db8::ffff]:1", 20*time.Second)
	c.expect("[2001:db8:0:1::1]:1", 0)
	c.expect("@", 0)
	if got := value(t, c.refused); got != 2 {
		t.Errorf("%v attempts were refused, want 2", got)
	}
	c.at = c.at.Add(20 * time.Second)
	c.expect("192.0.2.1:1", 0)
	c.expect("192.0.2.1:1", 20*time.Second)
	c.SetPerMinute(0)
	c.expect("192.0.2.1:1", 0)
}

func TestAddressesAreForgottenButNotTooEarly(t *testing.T) {
	c := newClock(t, 60)
	for range 60 {
		c.expect("192.0.2.1:1", 0)
	}
	c.at = c.at.Add(59500 * time.Millisecond) // half an attempt is missing
	for range 59 {
		c.expect("192.0.2.1:1", 0)
	}
	c.at = c.at.Add(600 * time.Millisecond) // another minute: the address is among those of the past
	c.expect("192.0.2.1:1", 0)
	c.expect("192.0.2.1:1", 900*time.Millisecond)
	c.at = c.at.Add(3 * time.Minute)
	c.expect("192.0.2.9:1", 0)
	c.at = c.at.Add(3 * time.Minute)
	for i := range 1000 {
		c.expect(fmt.Sprintf("198.51.%d.%d:1", i/250, i%250), 0)
	}
	n := 0
	for i := range c.attempts.shards {
		n += len(c.attempts.shards[i].recent)
		if _, kept := c.attempts.shards[i].past[netip.MustParseAddr("192.0.2.1")]; kept {
			t.Error("an address that did not try for minutes is kept")
		}
	}
	if n != 1000 {
		t.Errorf("%d addresses are kept, want 1000", n)
	}
}

func TestTooManyAddressesAreLetThrough(t *testing.T) {
	c := newClock(t, 1)
	const many = shardCount*maxAddresses + 5000
	for i := range many {
		a := netip.AddrFrom4([4]byte{9, byte(i >> 16), byte(i >> 8), byte(i)})
		c.expect(a.String()+":1", 0)
	}
	if got := value(t, c.uncounted); got == 0 {
		t.Errorf("all of %d addresses were counted", many)
	}
}

func TestWrap(t *testing.T) {
	c := newClock(t, 2)
	h := c.Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	for _, want := range []int{418, 418, 429} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, request("192.0.2.1:1"))
		if w.Code != want {
			t.Errorf("status %d, want %d", w.Code, want)
		}
		if got := w.Header().Get("Retry-After"); want == 429 && got != "30" {
			t.Errorf("Retry-After = %q, want 30", got)
		}
	}
}
