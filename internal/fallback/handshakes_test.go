package fallback_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/fallback"
	"github.com/belfryhq/belfry/internal/hub"
)

func handshakes() []statement {
	return []statement{
		{22, "the_first_line_opens", testFirstLine},
		{23, "open_and_established_together", testOneFlush},
		{24, "activity_timeout", testActivityTimeout},
		{25, "nothing_precedes_established", testNothingPrecedes},
		{26, "unknown_key", testUnknownKey},
		{27, "quotas_and_versions", testRefusals},
		{28, "disabled", testDisabled},
		{29, "aborted_at_once", testAbortedAtOnce},
	}
}

func testFirstLine(t *testing.T) {
	bothVersions(t, setup{}, func(n *node) {
		n.stream(appPath("1") + "/1/aaaaaaaa").expect("o")
		if answer := n.poll(appPath("1") + "/2/aaaaaaaa"); !strings.HasPrefix(answer, "o\n") {
			t.Errorf("poll = %q", answer)
		}
	})
}

// flushes counts how often a handler's answer is flushed before the body says
// a word.
type flushes struct {
	http.ResponseWriter
	mu     *sync.Mutex
	chunks *[]string // what was written between two flushes
}

func (f flushes) Unwrap() http.ResponseWriter { return f.ResponseWriter }

func (f flushes) Write(b []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	(*f.chunks)[len(*f.chunks)-1] += string(b)
	return f.ResponseWriter.Write(b)
}

func (f flushes) FlushError() error {
	f.mu.Lock()
	*f.chunks = append(*f.chunks, "")
	f.mu.Unlock()
	return http.NewResponseController(f.ResponseWriter).Flush()
}

// Hijack has what is written to the connection from then on count as flushed.
func (f flushes) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(f.ResponseWriter).Hijack()
	return flushedConn{conn, f}, rw, err
}

type flushedConn struct {
	net.Conn
	to flushes
}

func (c flushedConn) Write(b []byte) (int, error) {
	c.to.mu.Lock()
	last := len(*c.to.chunks) - 1
	(*c.to.chunks)[last] += string(b)
	*c.to.chunks = append(*c.to.chunks, "")
	c.to.mu.Unlock()
	return c.Conn.Write(b)
}

// opened is how a first flush begins: with both lines, in pieces of a chunked
// response or without.
var opened = regexp.MustCompile(`(^|\r\n)o\n(\r\n[0-9a-f]+\r\n)?a\[`)

func testOneFlush(t *testing.T) {
	for name, http2 := range map[string]bool{"http1": false, "http2": true} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			chunks := []string{""}
			watch := func(h http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(flushes{w, &mu, &chunks}, r) })
			}
			run(t, setup{proxy: watch, http2: http2}, func(n *node) {
				s := n.stream(appPath("1") + "/1/aaaaaaaa")
				s.established()
				mu.Lock()
				if !opened.MatchString(chunks[0]) {
					t.Errorf("first flush of a stream has %q", chunks[0])
				}
				mu.Unlock()
				if answer := n.poll(appPath("1") + "/2/aaaaaaaa"); strings.Count(answer, "\n") != 2 || !strings.Contains(answer, "pusher:connection_established") {
					t.Errorf("first poll = %q", answer)
				}
			})
		})
	}
}

func testActivityTimeout(t *testing.T) {
	run(t, setup{app: func(a *apps.App) { a.ActivityTimeout = 30 * time.Second }}, func(n *node) {
		s := n.stream(appPath("1") + "/1/aaaaaaaa")
		s.expect("o")
		if m := s.event("pusher:connection_established"); !strings.Contains(m.text(), `"activity_timeout":30`) {
			t.Errorf("established = %+v", m)
		}
	})
}

// testNothingPrecedes publishes to everybody who could be there while clients
// connect.
func testNothingPrecedes(t *testing.T) {
	run(t, setup{}, func(n *node) {
		stop := make(chan struct{})
		var publisher sync.WaitGroup
		publisher.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
					n.trigger("news", "e", fmt.Sprint(i))
					time.Sleep(time.Millisecond)
				}
			}
		})
		for i := range 20 {
			session := fmt.Sprintf("%s/%d/aaaaaaaa", appPath("1"), i)
			s := n.stream(session)
			n.send(session, subscribeMessage("news"))
			s.established()
			s.event("pusher_internal:subscription_succeeded")
			s.event("e")
			s.cancel()
		}
		close(stop)
		publisher.Wait()
	})
}

func testUnknownKey(t *testing.T) {
	want := "o\nc[4001,\"App key nope\\\"\\n not in this cluster. Did you forget to specify the cluster?\"]\n"
	for _, end := range []string{"xhr", "xhr_streaming"} {
		bothVersions(t, setup{}, func(n *node) {
			if status, answer := n.post("/app/nope%22%0A/1/aaaaaaaa/"+end+query, ""); status != 200 || answer != want {
				t.Errorf("%s = %d %q, want 200 %q", end, status, answer, want)
			}
			if n.sockets() != 0 {
				t.Errorf("%d sessions are left", n.sockets())
			}
		})
	}
}

func testRefusals(t *testing.T) {
	tests := map[string]struct {
		setup setup
		query string
		want  string
	}{
		"quota":       {setup{app: func(a *apps.App) { a.Limits.Connections = 1 }}, query, `c[4004,"Application is over connection quota"]`},
		"capacity":    {setup{hub: hub.Config{MaxConnections: 1}}, query, `c[4100,"Over capacity"]`},
		"sessions":    {setup{fallback: fallback.Config{MaxSessions: 1}}, query, `c[4100,"Over capacity"]`},
		"version":     {setup{}, "?protocol=x", `c[4006,"Invalid version string format"]`},
		"old version": {setup{}, "?protocol=3", `c[4007,"Unsupported protocol version"]`},
		"disabled":    {setup{app: func(a *apps.App) { a.Disabled = true }}, query, `c[4003,"Application disabled"]`},
		"TLS only":    {setup{app: func(a *apps.App) { a.TLSOnly = true }}, query, `c[4000,"Application only accepts SSL connections, reconnect using wss://"]`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			run(t, tt.setup, func(n *node) {
				for i := range n.servers { // each has its turn
					n.stream(fmt.Sprintf("%s/%d/aaaaaaaa", appPath("1"), i)).expect("o")
				}
				for _, end := range []string{"xhr", "xhr_streaming"} {
					if _, answer := n.post(appPath("1")+"/1/bbbbbbbb/"+end+tt.query, ""); answer != "o\n"+tt.want+"\n" {
						t.Errorf("%s = %q, want o and %s", end, answer, tt.want)
					}
				}
			})
		})
	}
}

func testDisabled(t *testing.T) {
	run(t, setup{fallback: fallback.Config{Disabled: true}}, func(n *node) {
		for _, path := range []string{appPath("1") + "/1/aaaaaaaa/xhr", appPath("1") + "/1/aaaaaaaa/xhr_streaming", "/000/aaaaaaaa/xhr"} {
			resp, answer := n.do("POST", path, "", "Origin", "https://page.test")
			if resp.StatusCode != 404 || strings.Contains(answer, "c[") || resp.Header.Get("Access-Control-Allow-Origin") == "" {
				t.Errorf("%s = %d %q %v, want a 404 that may be read", path, resp.StatusCode, answer, resp.Header)
			}
		}
		if resp, _ := n.do("GET", "/info", ""); resp.StatusCode != 404 {
			t.Errorf("/info = %d, want 404", resp.StatusCode)
		}
	})
}

func testAbortedAtOnce(t *testing.T) {
	bothVersions(t, setup{}, func(n *node) {
		for i := range 10 {
			s := n.stream(fmt.Sprintf("%s/%d/aaaaaaaa", appPath("1"), i))
			if i%2 == 0 {
				s.expect("o")
			}
			s.cancel()
		}
		synctest.Wait()
		if n.connections() != 0 || n.sockets() != 0 {
			t.Errorf("%d connections, %d sockets are left", n.connections(), n.sockets())
		}
	})
}
