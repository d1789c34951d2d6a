package httpapi

import (
	"net/http"
	"testing"
	"time"
)

// A limited is a fixture with a clock and limits on its app.
type limited struct {
	*fixture
	t  *testing.T
	at time.Duration
}

func newLimited(t *testing.T, events, reads int) *limited {
	l := &limited{fixture: newFixture(), t: t}
	l.app.Limits.BackendEventsPerSecond, l.app.Limits.ReadRequestsPerSecond = events, reads
	l.cfg.Now = func() time.Time { return time.Unix(testTime, 0).Add(l.at) }
	return l
}

// expect sends a request and compares the answer.
func (l *limited) expect(r *http.Request, status int, retryAfter string) {
	l.t.Helper()
	w := l.do(l.t, r)
	if w.Code != status || w.Header().Get("Retry-After") != retryAfter {
		l.t.Errorf("%s %s after %v = %d %q, Retry-After %q, want %d, %q", r.Method, r.URL.Path, l.at, w.Code, w.Body, w.Header().Get("Retry-After"), status, retryAfter)
	}
	if status == 429 && w.Body.String() != "Too many requests.\n" {
		l.t.Errorf("the text is %q", w.Body)
	}
}

func TestEventsBeyondTheLimitAreRefused(t *testing.T) {
	l := newLimited(t, 3, 0)
	one := func() *http.Request { return event(`{"name":"n","data":"d","channels":["a"]}`).build() }
	l.expect(event(`{"name":"n","data":"d","channels":["a","b"]}`).build(), 200, "")
	l.expect(event(`{"name":"n","channels":["a"]}`).build(), 400, "") // what is wrong does not count
	l.expect(post("/apps/3/channels/c/events", `d`, "name=n").build(), 202, "")
	l.expect(one(), 429, "1")
	l.expect(get("/apps/3/channels").build(), 200, "")
	before := len(l.hub.triggers)
	l.at = 400 * time.Millisecond
	batch := `{"batch":[{"name":"n","data":"d","channel":"a"},{"name":"n","data":"d","channel":"a"},{"name":"n","data":"d","channel":"a"},{"name":"n","data":"d","channel":"a"},{"name":"n","data":"d","channel":"a"}]}`
	l.expect(post("/apps/3/batch_events", batch).build(), 200, "") // larger than what is left, so it owes
	l.expect(one(), 429, "2")
	if got := len(l.hub.triggers) - before; got != 5 {
		t.Errorf("%d events were triggered, want those of the batch", got)
	}
	l.at = 3 * time.Second
	l.expect(one(), 200, "")
}

func TestReadsBeyondTheLimitAreRefused(t *testing.T) {
	l := newLimited(t, 0, 2)
	l.expect(get("/apps/3/channels").build(), 200, "")
	l.expect(get("/apps/3/channels/a").build(), 200, "")
	for _, path := range []string{"/apps/3/channels", "/apps/3/channels/a", "/apps/3/channels/presence-a/users", "/apps/3/channels/a/stats"} {
		l.expect(get(path).build(), 429, "1")
	}
	l.expect(post("/apps/3/users/u/terminate_connections", "").build(), 429, "1")
	l.expect(event(`{"name":"n","data":"d","channels":["a"]}`).build(), 200, "")
	foreign := get("/apps/3/channels")
	foreign.secret = "wrong"
	l.expect(foreign.build(), 401, "") // who is not the app is not told
}

func TestLimitsFollowTheApp(t *testing.T) {
	l := newLimited(t, 1, 0)
	one := func() *http.Request { return event(`{"name":"n","data":"d","channels":["a"]}`).build() }
	l.expect(one(), 200, "")
	l.expect(one(), 429, "1")
	registry := l.serving(t).(*Handler).apps
	change := func(perSecond int) {
		changed := *l.app
		changed.Limits.BackendEventsPerSecond = perSecond
		if err := registry.Put(&changed); err != nil {
			t.Fatal(err)
		}
	}
	change(0)
	l.expect(one(), 200, "")
	held := func() (n int) {
		l.serving(t).(*Handler).limits.byApp.Range(func(_, _ any) bool { n++; return true })
		return n
	}
	if held() != 0 {
		t.Error("an app without limits is kept account of")
	}
	change(1)
	l.expect(one(), 200, "")
	l.expect(one(), 429, "1")
	if err := registry.Remove(l.app.ID); err != nil || held() != 0 {
		t.Errorf("an app that is gone is kept account of (%v)", err)
	}
}
