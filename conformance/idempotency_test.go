package conformance

import (
	"net/http"
	"strings"
	"sync"
	"testing"
)

// TestIdempotency checks idempotency keys, an addition of Belfry: the repeat of a
// request is answered like the first one, and nobody gets its events again.
func TestIdempotency(t *testing.T) {
	if target.external != nil {
		skip(t, "needs a server with idempotency keys, which the protocol does not have")
	}
	t.Parallel()
	for name, test := range map[string]func(*testing.T, *app, *conn, string){
		"repeat":     testIdempotentRepeat,
		"at_once":    testIdempotentAtOnce,
		"other_body": testIdempotentOtherBody,
		"batch":      testIdempotentBatch,
		"no_key":     testIdempotentNoKey,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := fixture(t, plain)
			c := a.connect(t)
			channel := unique("news")
			c.subscribe(channel)
			test(t, a, c, channel)
			c.nothing()
		})
	}
}

// under adds an idempotency key.
func (r *apiRequest) under(key string) *apiRequest {
	r.header.Set("Idempotency-Key", key)
	return r
}

func testIdempotentRepeat(t *testing.T, a *app, c *conn, channel string) {
	key := unique("key")
	for range 3 {
		a.post("/events", event1(channel, "e", "D")).under(key).do(t).expect(t, http.StatusOK, `{}`)
	}
	old := a.post("/events", event1(channel, "e", "D"))
	old.header.Set("X-Idempotency-Key", key)
	old.do(t).expect(t, http.StatusOK, `{}`)
	c.expect("e", channel, "D")
	c.nothing()
	a.post("/events", event1(channel, "e", "D")).under(unique("key")).do(t).expect(t, http.StatusOK, `{}`)
	c.expect("e", channel, "D")
}

func testIdempotentAtOnce(t *testing.T, a *app, c *conn, channel string) {
	key := unique("key")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			r, err := a.post("/events", event1(channel, "e", "D")).under(key).send()
			if err != nil || r.status != http.StatusOK {
				t.Errorf("a repeat while the first is under way: %v, %+v, want 200", err, r)
			}
		})
	}
	all.Wait()
	c.expect("e", channel, "D")
}

func testIdempotentOtherBody(t *testing.T, a *app, c *conn, channel string) {
	key := unique("key")
	a.post("/events", event1(channel, "e", "D")).under(key).set("auth_version", "2.0").do(t).expect(t, http.StatusUnauthorized, "…")
	a.post("/events", map[string]any{"name": "e", "channel": channel}).under(key).do(t).expect(t, http.StatusBadRequest, "…")
	a.post("/events", event1(channel, "e", "D")).under(key).do(t).expect(t, http.StatusOK, `{}`)
	c.expect("e", channel, "D")
	a.post("/events", event1(channel, "e", "E")).under(key).do(t).expect(t, http.StatusConflict, "The idempotency key was used for something else")
	a.post("/batch_events", batch(event1(channel, "e", "D"))).under(key).do(t).expect(t, http.StatusConflict, "…")
	long := strings.Repeat("k", 256)
	a.post("/events", event1(channel, "e", "D")).under(long).do(t).expect(t, http.StatusBadRequest, "Invalid idempotency key: it is longer than 255 bytes")
}

func testIdempotentBatch(t *testing.T, a *app, c *conn, channel string) {
	first, second := event1(channel, "e", "1"), event1(channel, "e", "2")
	first["idempotency_key"], second["idempotency_key"] = unique("key"), unique("key")
	a.post("/batch_events", batch(first)).do(t).expect(t, http.StatusOK, `{}`)
	c.expect("e", channel, "1")
	a.post("/batch_events", batch(first, second, event1(channel, "e", "3"))).do(t).expect(t, http.StatusOK, `{}`)
	c.expect("e", channel, "2")
	c.expect("e", channel, "3")
	a.post("/batch_events", batch(first, second)).do(t).expect(t, http.StatusOK, `{}`)
	c.nothing()
	wrong := event1(channel, "e", "4")
	wrong["idempotency_key"] = first["idempotency_key"]
	a.post("/batch_events", batch(event1(channel, "e", "5"), wrong)).do(t).expect(t, http.StatusConflict, "batch[1]: The idempotency key was used for something else")
}

// Without a key nothing is remembered.
func testIdempotentNoKey(t *testing.T, a *app, c *conn, channel string) {
	for range 2 {
		a.post("/events", event1(channel, "e", "D")).do(t).expect(t, http.StatusOK, `{}`)
		c.expect("e", channel, "D")
	}
}
