package belfrytest

import (
	"cmp"
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/belfryhq/belfry/backend"
	"github.com/belfryhq/belfry/client"
	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/server"
)

// The app of every service.
const (
	AppID  = "test-app"
	Key    = "test-key"
	Secret = "test-secret"
)

// MasterKey is the master key of encrypted channels, in base64.
const MasterKey = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

// A Config says what the service is to be like. The zero Config is an app with
// everything switched on, and the limits of the hosted service.
type Config struct {
	NoClientEvents    bool          // refuse events that clients trigger
	ActivityTimeout   time.Duration // silence before a ping; at least 1 s; default 120 s
	Connections       int           // at a time; more are refused with 4004; default: no limit
	AuthorizedOnly    bool          // close connections that do not sign in or subscribe to a channel that needs it
	AuthorizedTimeout time.Duration // for AuthorizedOnly; default 30 s
	History           bool          // keep events for clients that come back; see client.WithRecovery
	WebhookURL        string        // where all webhooks go, at once and one event each; empty: nowhere
	Logger            *slog.Logger  // nil: no log
}

// A Server is a service that runs within a test. Its methods may be called by
// any goroutine.
type Server struct {
	node  *server.Server
	front *http.Server
	addr  string // of the front
	to    string // of the node
	proxy *httputil.ReverseProxy
	auth  *http.ServeMux

	mu sync.Mutex
	// Guarded by mu.
	conns   map[*relay]bool
	gate    chan struct{} // closed while messages pass; replaced by Freeze
	refusal refusal
	authing AuthFault
	api     APIFault
	working sync.WaitGroup
}

// Start starts a service, which ends with the test. It ends the test if that
// is not possible.
func Start(t testing.TB, cfg Config) *Server {
	t.Helper()
	node, err := server.New(server.Config{
		Listen:                 "127.0.0.1:0",
		Apps:                   []*apps.App{cfg.app()},
		DrainTimeout:           time.Millisecond,
		SubscriptionErrorFrame: true,
		Compression:            true,
		Webhooks: server.Webhooks{
			Grace:           -1,
			AllowedNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")},
		},
		Log: cfg.Logger,
	})
	if err != nil {
		t.Fatalf("belfrytest: %v", err)
	}
	open := make(chan struct{})
	close(open)
	s := &Server{node: node, to: node.Addr().String(), conns: make(map[*relay]bool), gate: open}
	s.proxy = &httputil.ReverseProxy{
		FlushInterval: -1,
		Transport:     &http.Transport{},
		ErrorLog:      slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: s.to})
			r.Out.Host = r.In.Host
		},
	}
	s.run(t)
	s.serveAuth(t)
	return s
}

// app is the app that is configured.
func (cfg Config) app() *apps.App {
	limits := apps.DefaultLimits()
	limits.Connections = cfg.Connections
	app := &apps.App{
		ID: AppID, Name: "test", Keys: []apps.Key{{Key: Key, Secret: Secret}},
		ClientEvents:         !cfg.NoClientEvents,
		SubscriptionCount:    true,
		WatchlistEvents:      true,
		AuthorizedRequired:   cfg.AuthorizedOnly,
		AuthorizationTimeout: cmp.Or(cfg.AuthorizedTimeout, apps.DefaultAuthorizationTimeout),
		ActivityTimeout:      cmp.Or(cfg.ActivityTimeout, apps.DefaultActivityTimeout),
		Limits:               limits,
		History:              apps.History{Enabled: cfg.History, TTL: 2 * time.Minute, Events: 1000, Bytes: 256 << 10, AppBytes: 64 << 20, Rewind: 100},
	}
	if cfg.WebhookURL != "" {
		all := apps.ChannelOccupied | apps.ChannelVacated | apps.MemberAdded | apps.MemberRemoved | apps.ClientEvent | apps.CacheMiss | apps.SubscriptionCount
		app.Webhooks = []apps.Webhook{{URL: cfg.WebhookURL, Events: all}}
	}
	return app
}

// run serves the node and what stands in front of it until the test ends.
func (s *Server) run(t testing.TB) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("belfrytest: %v", err)
	}
	s.addr = listener.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	requests, stop := context.WithCancel(context.Background())
	s.front = &http.Server{
		Handler:     s,
		ErrorLog:    slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		BaseContext: func(net.Listener) context.Context { return requests },
	}
	var ended sync.WaitGroup
	ended.Go(func() { s.front.Serve(listener) })
	ended.Go(func() {
		if err := s.node.Run(ctx); err != nil {
			t.Errorf("belfrytest: %v", err)
		}
	})
	t.Cleanup(func() {
		s.Thaw()
		stop()
		s.front.Close()
		s.DropConnections()
		s.working.Wait()
		s.proxy.Transport.(*http.Transport).CloseIdleConnections()
		cancel()
		ended.Wait()
	})
}

// Addr returns where the service is, as "host:port".
func (s *Server) Addr() string { return s.addr }

// URL returns where the service is, as "http://host:port".
func (s *Server) URL() string { return "http://" + s.addr }

// AppURL returns the service, the app and its credentials in one, which is what
// programs expect in PUSHER_URL.
func (s *Server) AppURL() string {
	return "http://" + Key + ":" + Secret + "@" + s.addr + "/apps/" + AppID
}

// BackendConfig returns a configuration for backends of the service.
func (s *Server) BackendConfig() backend.Config {
	return backend.Config{
		AppID: AppID, Key: Key, Secret: Secret,
		Host: s.addr, Insecure: true, EncryptionMasterKeyBase64: MasterKey,
	}
}

// Backend returns a new backend of the service.
func (s *Server) Backend(t testing.TB) *backend.Client {
	t.Helper()
	c, err := backend.New(s.BackendConfig())
	if err != nil {
		t.Fatalf("belfrytest: %v", err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// ClientConfig returns a configuration for clients of the service that are
// authorized as a user: on presence channels, and for signing in. The back-off
// between attempts to connect is a second.
func (s *Server) ClientConfig(user string) client.Config {
	host, port, _ := net.SplitHostPort(s.addr)
	number, _ := strconv.Atoi(port)
	params := url.Values{"user": {user}}
	return client.Config{
		Endpoint:          client.Endpoint{Host: host, Port: number, Insecure: true},
		Proxy:             func(*http.Request) (*url.URL, error) { return nil, nil },
		ChannelAuthorizer: &client.HTTPAuth{Endpoint: s.ChannelAuthURL(), Params: params},
		UserAuthenticator: &client.HTTPAuth{Endpoint: s.UserAuthURL(), Params: params},
		Reconnect:         client.ReconnectPolicy{Delay: time.Second, Constant: true},
	}
}

// Client returns a new client of the service that is authorized as a user. It
// is not connected, and is closed with the test.
func (s *Server) Client(t testing.TB, user string) *client.Client {
	t.Helper()
	c, err := client.New(Key, s.ClientConfig(user))
	if err != nil {
		t.Fatalf("belfrytest: %v", err)
	}
	t.Cleanup(func() { shutdown(t, c) })
	return c
}
