//go:build unix

package alerts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"

	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"github.com/pusher/pusher-http-go/v5"

	"github.com/belfryhq/belfry/e2e/service"
)

// one begins the timeline of one service.
func one(t *testing.T, s *service.Service) *Timeline {
	t.Helper()
	return Watch(t, map[string]string{"node-1": s.AdminAddr})
}

// appWith is the app of a service with further settings.
func appWith(settings string) string {
	return "\n  - id: \"1\"\n    keys: [{key: app-key, secret: app-secret}]\n" + settings
}

// connect connects a client that reads as little as it can, and subscribes to a channel.
func connect(t *testing.T, s *service.Service) {
	t.Helper()
	connectTo(t, s, "news")
}

func connectTo(t *testing.T, s *service.Service, channel string) {
	t.Helper()
	narrow := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		return errors.Join(c.Control(func(fd uintptr) {
			err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 16<<10)
		}), err)
	}}
	d := ws.Dialer{NetDial: func(ctx context.Context, network, addr string) (net.Conn, error) {
		return narrow.DialContext(ctx, network, addr)
	}}
	conn, _, _, err := d.Dial(t.Context(), "ws://"+s.Addr+"/app/app-key?protocol=7")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := wsutil.WriteClientText(conn, []byte(`{"event":"pusher:subscribe","data":{"channel":"`+channel+`"}}`)); err != nil {
		t.Fatal(err)
	}
}

func backend(s *service.Service, secret string) *pusher.Client {
	return &pusher.Client{AppID: "1", Key: "app-key", Secret: secret, Host: s.Addr, HTTPClient: &http.Client{Timeout: service.Patience}}
}

func TestDown(t *testing.T) {
	t.Parallel()
	s := service.Start(t, service.Config{})
	l := one(t, s)
	s.Kill()
	l.Scrape()
	l.Expect("BelfryDown node-1")
}

func TestRestartsOften(t *testing.T) {
	t.Parallel()
	s := service.Start(t, service.Config{})
	l := one(t, s)
	for range 3 {
		s.Stop()
		s.Restart()
		l.Scrape()
	}
	l.Expect("BelfryRestartsOften node-1")
}

func TestConnectionsRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ settings, app string }{
		"node": {"max_connections: 1", ""},
		"app":  {"", appWith("    limits: {connections: 1}")},
	} {
		t.Run(name, func(t *testing.T) {
			s := service.Start(t, service.Config{Settings: test.settings, Apps: test.app})
			l := one(t, s)
			for range 20 {
				connect(t, s)
			}
			code := map[string]string{"node": "4100", "app": "4004"}[name]
			l.Await(fmt.Sprintf("belfry_connections_refused_total{code=%q}", code), Above(18))
			l.Expect("BelfryConnectionsRefused node-1")
		})
	}
}

func TestSlowClients(t *testing.T) {
	t.Parallel()
	s := service.Start(t, service.Config{Settings: "websocket: {send_buffer: 64KiB}"})
	l := one(t, s)
	for range 20 {
		connect(t, s)
	}
	l.Await("belfry_subscriptions", Above(19))
	data, b := strings.Repeat("x", 10_000), backend(s, "app-secret")
	l.Await(`belfry_websocket_closed_total{code="4100"}`, func(closed float64) bool {
		if err := b.Trigger("news", "e", data); err != nil {
			t.Fatal(err)
		}
		return closed >= 20
	})
	l.Expect("BelfrySlowClients node-1")
}

func TestBackendUnauthorized(t *testing.T) {
	t.Parallel()
	s := service.Start(t, service.Config{})
	l := one(t, s)
	for range 20 {
		if backend(s, "not the secret").Trigger("news", "e", "d") == nil {
			t.Fatal("an event with a wrong signature was taken")
		}
	}
	l.Scrape()
	l.Expect("BelfryBackendUnauthorized node-1")
}

func TestBackendLimited(t *testing.T) {
	t.Parallel()
	s := service.Start(t, service.Config{Apps: appWith("    limits: {backend_events_per_second: 1}")})
	l := one(t, s)
	b := backend(s, "app-secret")
	l.Await(`belfry_http_api_requests_total{code="429",route="events"}`, func(refused float64) bool {
		_ = b.Trigger("news", "e", "d") // most are refused
		return refused >= 20
	})
	l.Expect("BelfryBackendLimited node-1")
}

// endpoint is one for webhooks that fails until it is told to work.
func endpoint(t *testing.T) (url string, work func()) {
	t.Helper()
	var works atomic.Bool
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if !works.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL, func() { works.Store(true) }
}

func TestWebhooks(t *testing.T) {
	t.Parallel()
	for _, window := range []string{"1h", "1s"} {
		t.Run(window, func(t *testing.T) {
			url, work := endpoint(t)
			s := service.Start(t, service.Config{
				Settings: "webhooks: {allowed_networks: [127.0.0.1], retry_first: 50ms, retry_window: " + window + "}",
				Apps:     appWith("    webhooks: [{url: \"" + url + "\", events: [channel_existence]}]"),
			})
			l := one(t, s)
			connect(t, s)
			if window == "1h" {
				l.Await("belfry_webhook_endpoints_down", Above(0))
				l.Expect("BelfryWebhookEndpointDown node-1")
				return
			}
			l.Await(`belfry_webhook_dead_letters_total{reason="exhausted"}`, Above(0))
			work()
			connectTo(t, s, "another")
			l.scrapes = l.scrapes[:len(l.scrapes)-1]
			l.Await("belfry_webhook_endpoints_down", func(v float64) bool { return v == 0 })
			l.Expect("BelfryWebhookDeadLetters node-1")
		})
	}
}

func TestReloadRefused(t *testing.T) {
	t.Parallel()
	s := service.Start(t, service.Config{})
	l := one(t, s)
	s.Append("no_such_setting: 1\n")
	s.Signal(syscall.SIGHUP)
	l.Await(`belfry_config_reloads_total{result="refused"}`, Above(0))
	l.Expect("BelfryReloadRefused node-1")
}

func TestAppConflicts(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	s := service.Start(t, service.Config{DataDir: data})
	l := one(t, s)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.AdminAddr+"/api/v1/apps",
		strings.NewReader(`{"id":"shop","keys":[{"key":"shop-key","secret":"shop-secret"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+s.Token())
	request.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		t.Fatalf("create the app: %s %s", resp.Status, text)
	}
	s.Stop()
	again := service.Start(t, service.Config{DataDir: data, Apps: "\n  - id: shop\n    keys: [{key: shop-key, secret: another-secret}]\n"})
	l.Move("node-1", again.AdminAddr)
	l.Await("belfry_app_conflicts", Above(0))
	l.Expect("BelfryAppConflicts node-1")
}
