package httpapi

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/idempotency"
	"github.com/belfryhq/belfry/internal/natstest"
	"github.com/belfryhq/belfry/internal/trace"
)

// newKeyedFixture serves testApp with idempotency keys. The engine does not answer while
// without has an error.
func newKeyedFixture(t *testing.T) (f *fixture, without *atomic.Pointer[error]) {
	t.Helper()
	bucket, err := natstest.JetStream(t).CreateKeyValue(t.Context(), idempotency.BucketConfig(jetstream.MemoryStorage))
	if err != nil {
		t.Fatal(err)
	}
	without = new(atomic.Pointer[error])
	keys := idempotency.New(idempotency.Config{Bucket: bucket, Writable: func() error {
		if err := without.Load(); err != nil {
			return *err
		}
		return nil
	}})
	t.Cleanup(keys.Close)
	f = newFixture()
	f.cfg.Keys = keys
	return f, without
}

// under returns a call with an idempotency key.
func (q request) under(key string) request {
	q.header = http.Header{"Idempotency-Key": {key}}
	return q
}

// checkAnswer makes a call and checks its answer.
func (f *fixture) checkAnswer(t *testing.T, q request, status int, body string) *httptest.ResponseRecorder {
	t.Helper()
	w := f.do(t, q.build())
	if got := strings.TrimSuffix(w.Body.String(), "\n"); w.Code != status || got != body {
		t.Errorf("%s %s = %d %q, want %d %q", q.method, q.path, w.Code, got, status, body)
	}
	return w
}

const (
	keyTaken = "The idempotency key was used for something else"
	keyLost  = "The idempotency key can not be remembered now, try again"
)

func TestRepeatIsAnsweredLikeTheFirst(t *testing.T) {
	f, _ := newKeyedFixture(t)
	f.hub.channels = map[string]hub.ChannelState{"presence-desk": {Occupied: true, Users: 3}}
	f.hub.receipt = hub.Receipt{ID: trace.ID{Node: "NODE", Number: 7}, Events: 1, Here: 2}
	const body = `{"name":"n","data":"d","channel":"presence-desk","info":"user_count"}`
	const answer = `{"channels":{"presence-desk":{"user_count":3}}}`
	first := f.checkAnswer(t, event(body).under("a"), 200, answer)
	f.hub.channels["presence-desk"] = hub.ChannelState{Occupied: true, Users: 5}
	f.hub.receipt.ID.Number++
	q := event(body)
	q.header = http.Header{"X-Idempotency-Key": {"a"}}
	again := f.checkAnswer(t, q, 200, answer)
	for _, name := range []string{headerEventID, headerReceivers} {
		if got, want := again.Header().Get(name), first.Header().Get(name); got != want || want == "" {
			t.Errorf("%s of the repeat = %q, want %q", name, got, want)
		}
	}
	if first.Header().Get(headerReplayed) != "" || again.Header().Get(headerReplayed) != "true" {
		t.Errorf("%s = %q, then %q, want it on the repeat alone", headerReplayed, first.Header().Get(headerReplayed), again.Header().Get(headerReplayed))
	}
	checkHeard(t, f.hub, heard("n", `"d"`, "presence-desk"))
	f.checkAnswer(t, event(body).under("b"), 200, `{"channels":{"presence-desk":{"user_count":5}}}`)
	checkHeard(t, f.hub, heard("n", `"d"`, "presence-desk"), heard("n", `"d"`, "presence-desk"))
}

func TestKeyIsGoodForOneRequest(t *testing.T) {
	f, _ := newKeyedFixture(t)
	f.checkAnswer(t, event(`{"name":"n","data":"d","channel":"c"}`).under("a"), 200, "{}")
	for _, q := range []request{
		event(`{"name":"n","data":"e","channel":"c"}`),
		post("/apps/3/events", `{"name":"n","data":"d","channel":"c"}`, "info=user_count"),
		batch(`{"name":"n","data":"d","channel":"c"}`),
		post("/apps/3/channels/c/events", "d", "name=n"),
	} {
		f.checkAnswer(t, q.under("a"), 409, keyTaken)
	}
	checkHeard(t, f.hub, heard("n", `"d"`, "c"))

	old := post("/apps/3/channels/c/events", "d", "name=n").under("old")
	f.checkAnswer(t, old, 202, "")
	f.checkAnswer(t, old, 202, "")
	other := event(`{"name":"n","data":"d","channel":"c"}`).under("a")
	other.path, other.secret, other.set = "/apps/4/events", "other secret", map[string]string{"auth_key": "other"}
	f.checkAnswer(t, other, 200, "{}")
	checkHeard(t, f.hub, heard("n", `"d"`, "c"), heard("n", `"d"`, "c"), triggered{App: "4", Channels: []string{"c"}, Name: "n", Data: `"d"`, Except: "0.0"})
}

func TestInvalidKeys(t *testing.T) {
	f, _ := newKeyedFixture(t)
	const good = `{"name":"n","data":"d","channel":"c"}`
	long := strings.Repeat("k", 255)
	f.checkAnswer(t, event(good).under(long), 200, "{}")
	f.checkAnswer(t, event(good).under(long+"k"), 400, "Invalid idempotency key: it is longer than 255 bytes")
	f.checkAnswer(t, event(good).under(""), 400, "Invalid idempotency key: it is empty")
	f.checkAnswer(t, event(good).under("a\tb"), 400, "Invalid idempotency key: it has characters that do not print")
	two := event(good)
	two.header = http.Header{"Idempotency-Key": {"a"}, "X-Idempotency-Key": {"b"}}
	f.checkAnswer(t, two, 400, "There are two idempotency keys; a request can have one")
	f.checkAnswer(t, batch(`{"name":"n","data":"d","channel":"c","idempotency_key":1}`), 400, "Expected idempotency_key parameter to be a string")
	f.checkAnswer(t, batch(`{"name":"n","data":"d","channel":"c","idempotency_key":""}`), 400, "Invalid idempotency key: it is empty")
	checkHeard(t, f.hub, heard("n", `"d"`, "c"))
	f.checkAnswer(t, batch(`{"name":"n","data":"d","channel":"c","idempotency_key":null}`), 200, "{}")
}

// A repeated event of a batch is left out, and the others are not.
func TestRepeatedEventOfABatch(t *testing.T) {
	f, _ := newKeyedFixture(t)
	const (
		a     = `{"channel":"c","name":"a","data":"d","idempotency_key":"a"}`
		b     = `{"channel":"c","name":"b","data":"d","idempotency_key":"b","info":"user_count"}`
		c     = `{"channel":"c","name":"c","data":"d","idempotency_key":"c"}`
		plain = `{"channel":"c","name":"plain","data":"d"}`
		wrong = `{"channel":"c","name":"a","data":"else","idempotency_key":"a"}`
	)
	f.checkAnswer(t, batch(a, plain), 200, "{}")
	f.checkAnswer(t, batch(b, a, plain, b), 200, `{"batch":[{},{},{},{}]}`)
	want := []triggered{heard("a", `"d"`, "c"), heard("plain", `"d"`, "c"), heard("b", `"d"`, "c"), heard("plain", `"d"`, "c")}
	checkHeard(t, f.hub, want...)
	f.checkAnswer(t, batch(a), 200, "{}")
	f.checkAnswer(t, batch(c, wrong), 409, "batch[1]: "+keyTaken)
	f.checkAnswer(t, batch(c, `{"channel":"c","name":"c","data":"e","idempotency_key":"c"}`), 409, "batch[1]: "+keyTaken)
	checkHeard(t, f.hub, want...)
	f.checkAnswer(t, batch(c), 200, "{}") // was refused with the others, so its key is free
	f.checkAnswer(t, batch(plain).under("all"), 200, "{}")
	f.checkAnswer(t, batch(plain).under("all"), 200, "{}")
	checkHeard(t, f.hub, append(want, heard("c", `"d"`, "c"), heard("plain", `"d"`, "c"))...)
}

// What was refused has not used up its key.
func TestRefusedRequestDoesNotUseItsKey(t *testing.T) {
	f, without := newKeyedFixture(t)
	call := event(`{"name":"n","data":"d","channel":"c"}`).under("a")
	several := batch(`{"name":"m","data":"d","channel":"c","idempotency_key":"b"}`).under("c")
	f.checkAnswer(t, event(`{"name":"n","channel":"c"}`).under("a"), 400, "Missing required parameter: data")
	f.hub.err = hub.ErrOverloaded
	f.checkAnswer(t, call, 503, "Overloaded, try again")
	f.checkAnswer(t, several, 503, "Overloaded, try again")
	f.hub.err = nil
	without.Store(new(errors.New("no quorum")))
	if w := f.checkAnswer(t, call, 503, keyLost); w.Header().Get("Retry-After") != "1" {
		t.Errorf("Retry-After = %q, want 1", w.Header().Get("Retry-After"))
	}
	f.checkAnswer(t, batch(`{"name":"m","data":"d","channel":"c","idempotency_key":"b"}`), 503, "batch[0]: "+keyLost)
	f.checkAnswer(t, event(`{"name":"free","data":"d","channel":"c"}`), 200, "{}") // without a key it needs nobody
	without.Store(nil)
	checkHeard(t, f.hub, heard("free", `"d"`, "c"))
	for range 2 {
		f.checkAnswer(t, call, 200, "{}")
		f.checkAnswer(t, several, 200, "{}")
	}
	checkHeard(t, f.hub, heard("free", `"d"`, "c"), heard("n", `"d"`, "c"), heard("m", `"d"`, "c"))
}
