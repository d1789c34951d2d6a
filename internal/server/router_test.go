package server

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/internal/apps"
)

func TestRouter(t *testing.T) {
	const notFound = "404 NOT FOUND"
	root := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "root "+r.URL.Path) })
	for _, tt := range []struct {
		prefix, method, path string
		root                 http.Handler
		status               int
		body                 string // the beginning
	}{
		{"", "GET", "/", nil, 200, "Belfry\n"},
		{"", "GET", "/", root, 200, "root /"},
		{"", "GET", "/favicon.ico", nil, 404, notFound},
		{"", "GET", "/favicon.ico", root, 200, "root /favicon.ico"},
		{"", "GET", "/up", root, 200, "OK\n"},
		{"", "GET", "/ready", root, 200, "OK\n"},
		{"", "GET", "/accept-traffic", root, 200, "OK\n"},
		{"", "GET", "/app/key", root, 426, noUpgrade + "\n"},
		{"", "GET", "/app/", root, 426, noUpgrade + "\n"},
		{"", "GET", "/apps/1/channels", root, 401, ""}, // signed by nobody
		{"", "GET", "/apps/1/nothing", root, 404, notFound},
		{"", "POST", "/apps//events", root, 404, ""}, // not cleaned, not redirected
		{"", "GET", "/apps/../up", root, 404, notFound},
		{"", "GET", "//app/key", root, 426, noUpgrade + "\n"},
		{"", "GET", "//apps/1/channels", root, 401, ""},
		{"", "POST", "///apps/1/events", root, 401, ""},
		{"", "POST", "//users/1/terminate_connections", root, 401, ""},
		{"", "GET", "//up", root, 200, "OK\n"},
		{"", "GET", "//pusher/info", root, 200, "{"},
		{"", "GET", "//", root, 200, "root /"},
		{"", "GET", "//dev/a%2Fb", root, 200, "root /dev/a/b"},
		{"", "GET", "/a//b/", root, 200, "root /a/b/"}, // which it would redirect
		{"", "GET", "//", nil, 200, "Belfry\n"},
		{"/rt", "GET", "//rt//app/key", nil, 426, noUpgrade + "\n"},
		{"/rt", "GET", "/app/key", nil, 426, noUpgrade + "\n"}, // where a proxy strips it
		{"/rt", "GET", "//rt//apps/1/channels", nil, 401, ""},
		{"/rt", "GET", "/pusher/info", nil, 200, "{"},
		{"/rt", "GET", "/rt/pusher/info", nil, 200, "{"},
		{"/rt", "GET", "/rt/", root, 200, "root /"},
		{"/rt", "GET", "/rt/app/key", nil, 426, noUpgrade + "\n"},
		{"/rt", "GET", "/rt/apps/1/channels", nil, 401, ""},
		{"/rt", "GET", "/apps/1/channels", nil, 401, ""}, // for libraries that know no prefix
		{"/rt", "GET", "/rt/up", nil, 200, "OK\n"},
		{"/rt", "GET", "/up", nil, 200, "OK\n"},
		{"/rt", "GET", "/", nil, 200, "Belfry\n"},
		{"/rt", "GET", "/rtapps/1/channels", nil, 404, notFound},
		{"/app", "GET", "/app/key", nil, 426, noUpgrade + "\n"}, // a prefix like a path of our own
		{"/app", "GET", "/app/app/key", nil, 426, noUpgrade + "\n"},
		{"/app", "GET", "/app/pusher/info", nil, 200, "{"},
		{"/app", "GET", "/app/up", nil, 200, "OK\n"},
		{"/app", "GET", "/app/", nil, 200, "Belfry\n"},
		{"/apps", "GET", "/apps/1/channels", nil, 401, ""},
		{"/apps", "GET", "/apps/apps/1/channels", nil, 401, ""},
		{"/apps/1", "GET", "/apps/1/channels", nil, 401, ""},
	} {
		s, err := New(Config{Listen: "127.0.0.1:0", Path: tt.prefix, Root: tt.root, Apps: []*apps.App{testApp()}})
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		s.plain.server.Handler.ServeHTTP(w, httptest.NewRequest(tt.method, tt.path, nil))
		if w.Code != tt.status || !strings.HasPrefix(w.Body.String(), tt.body) {
			t.Errorf("%s %s with prefix %q = %d %q, want %d %q", tt.method, tt.path, tt.prefix, w.Code, w.Body, tt.status, tt.body)
		}
		if w.Code == 426 && (w.Header().Get("Upgrade") != "websocket" || w.Header().Get("Connection") != "Upgrade") {
			t.Errorf("%s: the answer 426 has %v, want what to upgrade to", tt.path, w.Header())
		}
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	}
}

func TestRouterSaysWhyANodeIsNotReady(t *testing.T) {
	r := &router{ready: func() error { return errors.New("reason") }}
	for _, path := range []string{"/ready", "/accept-traffic"} {
		w := httptest.NewRecorder()
		r.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != 503 || w.Body.String() != "reason\n" {
			t.Errorf("GET %s = %d %q, want 503 and the reason", path, w.Code, w.Body)
		}
	}
}

// Proxies that set the header on all requests, and libraries that try HTTP/2,
// do not ask for a WebSocket.
func TestUpgradeHeaderOnOrdinaryRequests(t *testing.T) {
	n := start(t, Config{})
	for _, tt := range []struct {
		method, path, key string
		status            int
	}{
		{"POST", "/apps/1/events", "dGhlIHNhbXBsZSBub25jZQ==", 401},
		{"GET", "/apps/1/channels", "", 401},
		{"GET", "/up", "", 200},
		{"POST", "/pusher/app/key/1/aaaaaaaa/xhr", "dGhlIHNhbXBsZSBub25jZQ==", 200},
		{"GET", "/app/key", "", 426},
		{"POST", "/app/key", "dGhlIHNhbXBsZSBub25jZQ==", 426},
	} {
		r, err := http.NewRequest(tt.method, "http://"+n.Addr().String()+tt.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Connection", "Upgrade")
		r.Header.Set("Upgrade", "websocket")
		if tt.key != "" {
			r.Header.Set("Sec-WebSocket-Key", tt.key)
		}
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != tt.status {
			t.Errorf("%s %s with Upgrade: websocket = %d, want %d", tt.method, tt.path, resp.StatusCode, tt.status)
		}
	}
}
