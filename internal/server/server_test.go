package server

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/gobwas/ws"
	"go.uber.org/goleak"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/protocol"
)

func TestServesClientsAndBackends(t *testing.T) {
	for _, portable := range []bool{false, true} {
		n := start(t, Config{AdminListen: "127.0.0.1:0", PortableSockets: portable})
		a, b := n.connect(), n.connect()
		a.subscribe("news")
		b.subscribe("news")
		client := &http.Client{Transport: &http.Transport{}}
		n.trigger(client, "http://"+n.Addr().String(), "news", "hello")
		a.expect(event("news", "hello"))
		b.expect(event("news", "hello"))
		client.CloseIdleConnections()
		for _, url := range []string{"/healthz", "/readyz"} {
			if status, body := get(t, "http://"+n.AdminAddr().String()+url); status != 200 || body != "OK\n" {
				t.Errorf("GET %s = %d %q, want 200 OK", url, status, body)
			}
		}
		status, body := get(t, "http://"+n.AdminAddr().String()+"/metrics")
		for _, want := range []string{"belfry_connections 2\n", "belfry_subscriptions 2\n", "belfry_deliveries_total 2\n", "go_goroutines "} {
			if status != 200 || !strings.Contains(body, want) {
				t.Errorf("GET /metrics = %d, want %q in it", status, want)
			}
		}
	}
}

// Every client is told to go elsewhere before the node ends, and gets all that
// was sent to it before.
func TestStopSendsEveryClientElsewhere(t *testing.T) {
	for _, portable := range []bool{false, true} {
		n := start(t, Config{PortableSockets: portable})
		clients := make([]*conn, 60)
		for i := range clients {
			clients[i] = n.connect()
			clients[i].subscribe("news")
		}
		var all sync.WaitGroup
		for i, c := range clients {
			all.Go(func() {
				c.expectRefused(protocol.ErrReconnect)
				if i%2 == 0 { // the others just read
					ws.WriteFrame(c, ws.MaskFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(4200, ""))))
				}
				if got := c.next(); !strings.HasPrefix(got, "error: ") {
					t.Errorf("the client got %q behind the Close frame", got)
				}
			})
		}
		if err := n.stop(); err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
		all.Wait()
		if got := n.loops.Sockets(); got != 0 || n.hub.Connections() != 0 {
			t.Errorf("%d sockets and %d sessions are left", got, n.hub.Connections())
		}
		if _, err := net.Dial("tcp", n.Addr().String()); err == nil {
			t.Error("the listener is still open")
		}
	}
}

// A client that does not say goodbye keeps the node from stopping for as long
// as it has for that, and no longer.
func TestDrainWaitsForGoodbyes(t *testing.T) {
	n := start(t, Config{})
	c, polite := n.connect(), n.connect()
	go func() {
		polite.expectRefused(protocol.ErrReconnect)
		ws.WriteFrame(polite, ws.MaskFrame(ws.NewCloseFrame(ws.NewCloseFrameBody(4200, ""))))
	}()
	n.drain()
	if got := n.loops.Sockets(); got != 0 {
		t.Errorf("%d sockets are left after the drain, want 0", got)
	}
	c.expectRefused(protocol.ErrReconnect)
}

func TestDrainingNode(t *testing.T) {
	n := start(t, Config{AdminListen: "127.0.0.1:0"})
	a := n.connect()
	a.subscribe("news")
	n.hub.Drain() // the beginning of a stop
	late := dial(t, "ws://"+n.Addr().String()+"/app/key?protocol=7", nil)
	late.expectRefused(protocol.ErrReconnect)
	for url, want := range map[string]int{
		"http://" + n.Addr().String() + "/ready": 503, "http://" + n.Addr().String() + "/up": 200,
		"http://" + n.AdminAddr().String() + "/readyz": 503, "http://" + n.AdminAddr().String() + "/healthz": 200,
	} {
		if status, body := get(t, url); status != want || status == 503 && body != "draining\n" {
			t.Errorf("GET %s = %d %q, want %d", url, status, body, want)
		}
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	n.trigger(client, "http://"+n.Addr().String(), "news", "still here")
	a.expect(event("news", "still here"))
}

func TestStopsRunBackwardsAndPastFailures(t *testing.T) {
	s := &Server{}
	var order []string
	bad := errors.New("bad")
	for _, name := range []string{"a", "b", "c"} {
		s.onStop(name, func(context.Context) error {
			order = append(order, name)
			if name != "b" {
				return bad
			}
			return nil
		})
	}
	err := s.stop()
	if want := []string{"c", "b", "a"}; !slices.Equal(order, want) {
		t.Errorf("the parts ended in the order %q, want %q", order, want)
	}
	if !errors.Is(err, bad) || err.Error() != "server: stop c: bad\nserver: stop a: bad" {
		t.Errorf("stop = %q, want both failures by name", err)
	}
	if err := s.stop(); err != nil || len(order) != 3 {
		t.Errorf("stopping again = %v and ends %q, want nothing", err, order[3:])
	}
}

// If New fails halfway, nothing of the first half is left.
func TestNewThatFailsLeavesNothing(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String() // that the tests take, and must give back
	free.Close()
	good := Config{Listen: address, Apps: []*apps.App{testApp()}}
	for name, tt := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"two apps of one id":     {func(c *Config) { c.Apps = append(c.Apps, testApp()) }, `two apps have the id "1"`},
		"the plain port taken":   {func(c *Config) { c.Listen = taken.Addr().String() }, "server: plain listener: "},
		"the TLS port taken":     {func(c *Config) { *c = withCertificate(t, *c, taken.Addr().String()) }, "server: tls listener: "},
		"the admin port taken":   {func(c *Config) { c.AdminListen = taken.Addr().String() }, "server: admin listener: "},
		"no certificate":         {func(c *Config) { c.TLSListen, c.TLSCertFile, c.TLSKeyFile = "127.0.0.1:0", "no such", "file" }, "server: TLS certificate: "},
		"an address that's none": {func(c *Config) { c.AdminListen = "nonsense" }, "server: admin listener: "},
	} {
		before := goleak.IgnoreCurrent()
		cfg := good
		tt.change(&cfg)
		s, err := New(cfg)
		if err == nil || s != nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "stop") {
			t.Errorf("%s: New = %v, %v, want an error with %q", name, s, err, tt.want)
		}
		if err := goleak.Find(before); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Errorf("%s: the port is still taken: %v", name, err)
			continue
		}
		l.Close()
	}
}

// A node that waits, here for whoever is told of the first app, has its ports
// and says why it does nothing on them yet.
func TestNodeThatStartsSaysSo(t *testing.T) {
	var base string
	node := start(t, Config{
		AdminListen: "127.0.0.1:0", AdminToken: "token", Apps: []*apps.App{}, Path: "/realtime",
		FirstApp: func(_ *apps.App, at *url.URL) error {
			base = at.String()
			for path, want := range map[string]int{"/up": 200, "/healthz": 200, "/ready": 503, "/readyz": 503, "/realtime/app/key": 503, "/api/v1/apps": 503} {
				if status, body := get(t, at.Scheme+"://"+at.Host+path); status != want || status == 503 && !strings.Contains(body, "starting") {
					t.Errorf("GET %s of a node that starts = %d %s, want %d", path, status, body, want)
				}
			}
			return nil
		},
	})
	if want := "http://" + node.Addr().String() + "/realtime"; base != want {
		t.Errorf("FirstApp was given %s, want %s", base, want)
	}
	if status, _ := get(t, "http://"+node.AdminAddr().String()+"/readyz"); status != 200 {
		t.Errorf("GET /readyz when the node has started = %d, want 200", status)
	}
}

func TestRunEndsWhenAListenerFails(t *testing.T) {
	s, err := New(Config{Listen: "127.0.0.1:0", AdminListen: "127.0.0.1:0", Apps: []*apps.App{testApp()}})
	if err != nil {
		t.Fatal(err)
	}
	s.admin.listener.Close()
	if err := s.Run(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "server: admin listener: ") {
		t.Errorf("Run = %v, want the failure of the listener", err)
	}
	if _, err := net.Dial("tcp", s.Addr().String()); err == nil {
		t.Error("the other listener is still open")
	}
}

func TestRunThatEndsAtOnce(t *testing.T) {
	s, err := New(Config{Listen: "127.0.0.1:0", Apps: []*apps.App{testApp()}})
	if err != nil {
		t.Fatal(err)
	}
	if s.TLSAddr() != nil || s.AdminAddr() != nil {
		t.Errorf("the addresses are %v and %v, want none", s.TLSAddr(), s.AdminAddr())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Run(ctx); err != nil {
		t.Errorf("Run = %v, want nil", err)
	}
}
