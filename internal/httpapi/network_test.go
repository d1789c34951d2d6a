package httpapi

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// overNetwork serves f on a listener and sends it requests as they are built.
func overNetwork(t *testing.T, f *fixture, http2 bool) (do func(request) (*http.Response, string)) {
	t.Helper()
	s := httptest.NewUnstartedServer(f.serving(t))
	s.EnableHTTP2 = http2
	if http2 {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	client := s.Client()
	t.Cleanup(client.CloseIdleConnections)
	return func(q request) (*http.Response, string) {
		r, err := http.NewRequestWithContext(context.Background(), q.method, s.URL+q.target(), strings.NewReader(q.body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp, string(body)
	}
}

func testSameOverEveryVersion(t *testing.T) {
	calls := []request{
		event(`{"name":"n","data":"d","channels":["a","presence-b"],"info":"user_count"}`),
		event(`{"name":"n","data":"d"}`),
		get("/apps/3/channels/presence-a@b,c.d;e=f_1", "info=user_count"),
		get("/apps/3/channels/presence-a%40b%2Cc", "info=user_count"),
		post("/apps/3/channels/c/events", "x", "name=n"),
		get("/apps/3/nothing"),
	}
	one, two := overNetwork(t, newFixture(), false), overNetwork(t, newFixture(), true)
	for _, q := range calls {
		r1, body1 := one(q)
		r2, body2 := two(q)
		if r1.ProtoMajor != 1 || r2.ProtoMajor != 2 {
			t.Fatalf("spoke HTTP/%d and HTTP/%d, want 1 and 2", r1.ProtoMajor, r2.ProtoMajor)
		}
		if r1.StatusCode != r2.StatusCode || body1 != body2 || r1.ContentLength != r2.ContentLength || r1.StatusCode == 401 {
			t.Errorf("%s %s: HTTP/1.1 says %d %q, HTTP/2 says %d %q", q.method, q.path, r1.StatusCode, body1, r2.StatusCode, body2)
		}
	}
}

func testConnectionStaysUsable(t *testing.T) {
	f := newFixture()
	s := httptest.NewUnstartedServer(f.serving(t))
	var connections atomic.Int32
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	s.Start()
	defer s.Close()
	transport := &http.Transport{MaxConnsPerHost: 1}
	defer transport.CloseIdleConnections()
	wrong := event(`{"name":"n","data":"` + strings.Repeat("d", 10000) + `","channel":"c"}`)
	wrong.signature = flip
	for _, q := range []request{get("/apps/3/channels"), wrong, event(`{"name":"n"}`), get("/apps/3/x"), event(`{"name":"n","data":"d","channel":"c"}`)} {
		r, err := http.NewRequestWithContext(t.Context(), q.method, s.URL+q.target(), strings.NewReader(q.body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections for five requests one after the other, want 1", n)
	}
}

// testBodyRefusedEarly sends a body that is too long and then waits, as a
// client may that wants to know before it goes on.
func testBodyRefusedEarly(t *testing.T) {
	f := newFixture()
	f.cfg.MaxBodySize = 1000
	s := httptest.NewServer(f.serving(t))
	defer s.Close()
	for name, rest := range map[string]string{
		"by length": "Content-Length: 1001\r\n\r\n",
		"in chunks": "Transfer-Encoding: chunked\r\n\r\n3e9\r\n" + strings.Repeat("x", 1001) + "\r\n",
	} {
		q := event("{}")
		conn, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\n%s", q.target(), rest); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		resp.Body.Close()
		if resp.StatusCode != 413 || !resp.Close {
			t.Errorf("%s: status = %d, connection closes = %t, want 413 and true", name, resp.StatusCode, resp.Close)
		}
	}
}
