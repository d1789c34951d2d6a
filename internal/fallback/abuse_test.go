package fallback_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/fallback"
)

// TestAttemptsAreCountedOnce: a new session is an attempt, and whatever else
// the session asks for is none.
func TestAttemptsAreCountedOnce(t *testing.T) {
	var mu sync.Mutex
	left := 2
	attempt := func(*http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		left--
		return left >= 0
	}
	run(t, setup{fallback: fallback.Config{Attempt: attempt}}, func(n *node) {
		for i := range 2 {
			session := fmt.Sprintf("%s/%d/aaaaaaaa", appPath("1"), i)
			n.polling(session, "news") // three requests
		}
		for _, path := range []string{appPath("1") + "/2/aaaaaaaa/xhr", appPath("1") + "/2/aaaaaaaa/xhr_streaming", "/000/aaaaaaaa/xhr"} {
			if resp, _ := n.do("POST", path+query, "", "Origin", "https://page.test"); resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Access-Control-Allow-Origin") == "" {
				t.Errorf("%s = %d %v, want a 429 that may be read", path, resp.StatusCode, resp.Header)
			}
		}
		if c := n.connections(); c != 2 {
			t.Errorf("%d connections, want 2", c)
		}
	})
}

// TestLongHeadersAreNotKept: a request that waits for frames keeps its header in
// memory, so that one is short.
func TestLongHeadersAreNotKept(t *testing.T) {
	run(t, setup{}, func(n *node) {
		for _, path := range []string{appPath("1") + "/1/aaaaaaaa/xhr", appPath("1") + "/2/aaaaaaaa/xhr_streaming", "/000/aaaaaaaa/xhr"} {
			cookie := strings.Repeat("a", 8<<10)
			if resp, _ := n.do("POST", path+query, "", "Cookie", cookie, "X-Other", cookie); resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
				t.Errorf("%s with a header of 16 KiB = %d, want 431", path, resp.StatusCode)
			}
			if resp, _ := n.do("POST", path+query+"&more="+cookie+cookie, ""); resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
				t.Errorf("%s with a query of 16 KiB = %d, want 431", path, resp.StatusCode)
			}
		}
		n.polling(appPath("1")+"/3/aaaaaaaa", "news")
		if c := n.connections(); c != 1 {
			t.Errorf("%d connections, want 1", c)
		}
	})
}

// TestForgedSessions: whoever does not know both ids and the key reaches
// nothing.
func TestForgedSessions(t *testing.T) {
	run(t, setup{}, func(n *node) {
		s := n.connected(appPath("1")+"/42/Secret01", "news")
		for _, path := range []string{
			appPath("1") + "/42/secret01", appPath("1") + "/042/Secret01", appPath("1") + "/43/Secret01", appPath("2") + "/42/Secret01",
			"/app/KEY1/42/Secret01", "/app/key1%20/42/Secret01", "/42/Secret01",
		} {
			if status, _ := n.post(path+"/xhr_send", "[]"); status != http.StatusNotFound {
				t.Errorf("send to %s = %d, want 404", path, status)
			}
		}
		for _, path := range []string{appPath("1") + "/42/Secret01/../Secret01/xhr", appPath("1") + "/42/" + strings.Repeat("a", 65) + "/xhr", appPath("1") + "/42/a%2Fb/xhr", "/app//42/Secret01/xhr"} {
			if status, _ := n.post(path, ""); status == http.StatusOK {
				t.Errorf("%s = %d, want it refused", path, status)
			}
		}
		s.silent(time.Second) // nobody took it over
		// The same path, spelled otherwise, is the same session.
		if status, _ := n.post("/app/%6bey1/42/Secret01/xhr_send", "[]"); status != http.StatusNoContent {
			t.Errorf("send with an escaped key = %d, want 204", status)
		}
		s.expect("a[]")
	})
}

// TestManySessionsLeaveNothing: whatever way sessions end in, nothing is left
// of them. That no goroutine is, TestMain and the clock see to.
func TestManySessionsLeaveNothing(t *testing.T) {
	bothVersions(t, setup{}, func(n *node) {
		for i := range 60 {
			session := fmt.Sprintf("%s/%d/aaaaaaaa", appPath("1"), i)
			switch i % 6 {
			case 0: // never comes back
				n.polling(session, "news")
			case 1: // ends in the middle
				n.connected(session, "news").cancel()
			case 2: // is refused
				n.poll(strings.Replace(session, "key1", "nope", 1))
			case 3: // never names its app
				n.carrier("xhr", fmt.Sprintf("/%03d/aaaaaaaa", i)).next()
			case 4: // gives up a poll
				n.polling(session)
				abort := n.abortablePoll(session)
				n.connections()
				abort()
			case 5: // rotates and is gone
				s, had := n.begun(session)
				n.fillTo(s, had, pusherJSLimit+200, "x")
				s.cancel()
			}
		}
		time.Sleep(time.Minute)
		if n.connections() != 0 || n.sockets() != 0 {
			t.Errorf("%d connections, %d sessions are left", n.connections(), n.sockets())
		}
		for labels, v := range n.counters("belfry_fallback_sessions") {
			if v != 0 {
				t.Errorf("%v sessions of %s are left", v, labels)
			}
		}
	})
}
