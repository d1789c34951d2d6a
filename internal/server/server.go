// Package server assembles one node: it makes the components, connects them, opens
// the listeners, and stops everything in the opposite order.
//
// A [Server] has clients, and a [Witness] is only counted. Both stand on a
// process: the log and the metrics, the listener of operators, the engine, and
// the list of how all of it ends.
//
// It knows the life of the process and nothing of what the components do.
package server

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/belfryhq/belfry/internal/acme"
	"github.com/belfryhq/belfry/internal/admin"
	"github.com/belfryhq/belfry/internal/admission"
	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/appstore"
	"github.com/belfryhq/belfry/internal/cluster/roster"
	"github.com/belfryhq/belfry/internal/devsite"
	"github.com/belfryhq/belfry/internal/explain"
	"github.com/belfryhq/belfry/internal/fallback"
	"github.com/belfryhq/belfry/internal/forwarded"
	"github.com/belfryhq/belfry/internal/history/durable"
	"github.com/belfryhq/belfry/internal/httpapi"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/idempotency"
	"github.com/belfryhq/belfry/internal/inspect"
	"github.com/belfryhq/belfry/internal/journal"
	"github.com/belfryhq/belfry/internal/keyuse"
	"github.com/belfryhq/belfry/internal/loop"
	"github.com/belfryhq/belfry/internal/mount"
	"github.com/belfryhq/belfry/internal/signing"
	"github.com/belfryhq/belfry/internal/tap"
	"github.com/belfryhq/belfry/internal/ticket"
	"github.com/belfryhq/belfry/internal/usage"
	"github.com/belfryhq/belfry/internal/webhook"
	"github.com/belfryhq/belfry/internal/ws"
	"github.com/belfryhq/belfry/web"
)

// Config describes one node. Package config makes it of files, environment
// and flags, and checks it; here the zero value of a field means what its
// comment says.
type Config struct {
	Listen      string // plain WebSocket and HTTP API, as in "127.0.0.1:6001"; empty: none
	TLSListen   string // the same over TLS; empty: none
	TLSCertFile string // PEM, read again when it changes
	TLSKeyFile  string
	// ACME is where the certificate of TLSListen comes from, unless it is in files.
	ACME        acme.Settings
	AdminListen string   // health, metrics and the admin API; empty: none
	AdminHosts  []string // patterns of package hostname: names under which AdminListen is reached, besides those that are known
	// AdminTLSCertFile and AdminTLSKeyFile encrypt AdminListen, if they are given.
	// They are PEM, read again when they change.
	AdminTLSCertFile, AdminTLSKeyFile string
	// AdminOpen lets whoever asks into the console. It is for belfry dev, on
	// loopback.
	AdminOpen bool
	// AdminInsecure lets people into the console whose session can be read on the
	// network.
	AdminInsecure bool
	AppMetrics    int    // for how many apps there are metrics; 0: none
	AdminToken    string // what the admin API asks for; empty: the one that DataDir keeps, and no API without DataDir
	Path          string // prefix in front of /app and /apps; empty, or as in "/realtime"

	// DataDir is where the engine keeps what it has to remember. Empty means in
	// memory, until the node ends.
	DataDir string
	// EngineURL is an engine elsewhere, which several nodes may share; then
	// DataDir is not used for it. Empty means one in this process.
	EngineURL string
	Cluster   ClusterConfig // not used for the engine with EngineURL

	Apps []*apps.App // of the configuration
	// FirstApp makes a node without configured apps make one with random
	// credentials, once in the life of its data, when all else has started. It is
	// called with the app and the address of the node, and again at the next
	// start if it fails.
	FirstApp func(app *apps.App, base *url.URL) error

	MaxConnections       int            // of the node; 0: no limit
	ConnectionAttempts   int            // of one address in a minute; 0: no limit
	MaxPending           int            // connections without a complete request; 0: the default of package accept
	MaxPendingPerAddress int            // those of one address; 0: the default of package accept
	TrustedProxies       []netip.Prefix // whose X-Forwarded-Proto and X-Forwarded-For are believed, and who have no such limit

	// DrainTimeout is how long the clients of a node that stops are sent away
	// for, at most. Zero means DefaultDrainTimeout.
	DrainTimeout time.Duration

	MaxMessageSize         int           // of clients, in bytes; 0: the default of package ws
	PongTimeout            time.Duration // 0: the default of package ws
	SendBuffer             int           // bytes that may wait for one client; 0: the default of package loop
	SubscriptionErrorFrame bool          // tell listeners of a channel that it was refused
	Compression            bool          // let clients negotiate permessage-deflate
	PortableSockets        bool          // a goroutine per socket even where the loops could poll
	NetHTTP                bool          // have net/http answer what loops could
	AssumeProtocol         int           // version of clients that name none; 0: refuse them

	HTTPPath    string // in front of the HTTP transports, behind Path; empty: the default of package fallback, "/": nothing
	NoFallbacks bool   // answer the HTTP transports with 404

	// Journal is how many bytes the node's journal has, out of which explain
	// answers. Zero means that there is none.
	Journal int

	MaxBodySize      int  // of the HTTP API, in bytes; 0: the default of package httpapi
	UnknownKeyStatus int  // 0: the default of package httpapi
	CORS             bool // on the HTTP API

	Webhooks Webhooks
	Push     Push
	// Version is what operators are told that this node is.
	Version string

	// Leaving is called when the node begins to end, with how long that may take
	// at most. It may be nil.
	Leaving func(within time.Duration)

	// Hosts reports whether requests are answered that name that host, with or
	// without a port. Nil answers all. It is what keeps pages that have another
	// name point here (DNS rebinding) away from a service with known credentials.
	Hosts func(host string) bool

	// Root answers what is not part of the protocol, on the plain and the TLS
	// listener. Nil answers / with a line of text, and the rest with 404.
	Root http.Handler
	Log  *slog.Logger // nil: no log
}

// DefaultJournal is how large the journal of a node is unless somebody says
// otherwise.
const DefaultJournal = journal.DefaultSize

// DefaultDrainTimeout is the default of Config.DrainTimeout.
const DefaultDrainTimeout = 10 * time.Second

// A Server is a node that has clients.
type Server struct {
	process

	hub        *hub.Hub
	loops      *loop.Group
	apps       *appstore.Store
	webhooks   *webhook.Sender
	fallbacks  *fallback.Server
	inspection *inspect.API
	keyUses    *keyuse.Table
	roster     roster.Roster
	cluster    *cluster // nil: the node is alone
	tracing    tracing
	limits     httpapi.Limits
	api        *httpapi.Handler
	signing    *signing.API
	attempts   *admission.Limiter
	tickets    *ticket.Keys

	keys      *idempotency.Store // of requests of backends
	histories *durable.Store     // of apps that want theirs to survive
	push      push

	drainOver atomic.Int64 // Config.DrainTimeout, as it is now

	router       *router
	plain, tls   *endpoint                   // nil: not asked for
	certificates atomic.Pointer[acme.Source] // nil: from files, or the engine is not there yet
}

// New opens the listeners of a node and makes it. They answer 503 until the
// node is complete, which it is when New returns. Whoever calls New must call
// [Server.Run]. If New fails, nothing is left.
func New(cfg Config) (_ *Server, err error) {
	s := new(Server)
	s.drainOver.Store(int64(cmp.Or(cfg.DrainTimeout, DefaultDrainTimeout)))
	defer func() {
		if err != nil {
			err = errors.Join(err, s.abandon(s.plain, s.tls))
		}
	}()
	if err := s.begin(cfg); err != nil {
		return nil, err
	}
	if err := s.listen(); err != nil {
		return nil, err
	}
	if err := s.openEngine(); err != nil {
		return nil, err
	}
	if err := s.openTickets(); err != nil {
		return nil, err
	}
	if err := s.openCertificates(); err != nil {
		return nil, err
	}
	registry, err := apps.NewRegistry(nil)
	if err != nil {
		return nil, err
	}
	if err := s.openApps(registry); err != nil {
		return nil, err
	}
	s.openTracing(registry)
	if err := s.openHub(registry); err != nil {
		return nil, err
	}
	used, err := s.openUsage(registry)
	if err != nil {
		return nil, err
	}
	if err := s.openIdempotency(); err != nil {
		return nil, err
	}
	s.openInspection(registry, used)
	s.attempts = admission.New(admission.Config{PerMinute: cfg.ConnectionAttempts, TrustedProxies: cfg.TrustedProxies, Registerer: s.metrics})
	s.openHTTPAPI(registry)
	s.openPush(registry)
	s.router = s.routes(registry)
	if err := s.join(); err != nil {
		return nil, err
	}
	if err := s.firstApp(); err != nil { // last: whoever fails later would not be told of it again
		return nil, err
	}
	s.open(s.router)
	s.openAdmin(s.clientAdministration(used))
	return s, s.beginCertificates()
}

// openHub makes the hub, and what it tells: the loops, whoever tells backends,
// and the ways to peers. It ends the other way round: first the sockets, then
// what hears of their end.
func (s *Server) openHub(registry *apps.Registry) (err error) {
	s.loops = loop.NewGroup(loop.Config{SendBuffer: s.cfg.SendBuffer, Portable: s.cfg.PortableSockets, Registerer: s.metrics})
	defer func() {
		if err != nil { // their end is not registered yet
			err = errors.Join(err, s.loops.Stop(context.Background()))
		}
	}()
	s.openRoster()
	if s.cfg.Clustered() {
		s.onStop("roster", s.roster.Close) // whoever takes over the queue must be alone with it
	}
	if err := s.openWebhooks(registry); err != nil {
		return err
	}
	if !s.cfg.Clustered() {
		s.onStop("roster", s.roster.Close) // which may decide something that is to be told
	}
	if err := s.openBus(); err != nil {
		return err
	}
	s.openDurable()
	s.keyUses = keyuse.New(nil)
	s.hub = hub.New(hub.Config{
		KeyUses:          s.keyUses,
		Observer:         s.webhooks,
		Tracer:           s.tracing.app,
		Strangers:        s.tracing.strangers.App(""),
		Node:             s.id,
		Apps:             registry,
		Loops:            s.loops,
		Broker:           s.cluster.bus(),
		Durable:          s.histories,
		Spent:            s.limits.Spent,
		MaxConnections:   s.cfg.MaxConnections,
		AssumeProtocol:   s.cfg.AssumeProtocol,
		HostedErrorsOnly: !s.cfg.SubscriptionErrorFrame,
		Registerer:       s.metrics,
	})
	s.limits.Share = s.hub.Spend
	s.onStop("hub", func(context.Context) error { s.hub.Close(); return nil })
	s.onStop("peers", s.leave)
	s.onStop("sockets", s.loops.Stop)
	return nil
}

// clientAdministration is what operators are answered of a node that has apps.
func (s *Server) clientAdministration(used *usage.Recorder) admin.Config {
	cfg := s.administration()
	cfg.Ready, cfg.Draining = s.ready, s.stateOfDrain
	cfg.API = admin.AppRoutes(s.apps, used, s.tokens, s.push.devices.DropApp, s.snippets)
	maps.Copy(cfg.API, admin.WebhookRoutes(s.webhooks))
	maps.Copy(cfg.API, admin.PushRoutes(s.push.operators))
	maps.Copy(cfg.API, admin.TokenRoutes(s.tokens, func(app string) bool { _, err := s.apps.Get(app); return err == nil }))
	cfg.Node = s.nodeInfo
	if s.cfg.Clustered() {
		cfg.Cluster = s.clusterStatus
	}
	if s.cfg.Cluster.Listen != "" {
		cfg.RemoveNode = s.engine.Remove
	}
	cfg.Parts = map[string]http.Handler{
		tap.Path: s.tracing.taps.Handler(), explain.Path: s.tracing.explainer.Handler(), explain.TimelinePath: s.tracing.explainer.TimelineHandler(),
	}
	maps.Copy(cfg.Parts, s.inspection.Handlers())
	maps.Copy(cfg.Parts, s.api.Operators())
	maps.Copy(cfg.Parts, s.signing.Handlers())
	return cfg
}

// snippets are the lines that connect an application. In place of a secret they
// have a word.
func (s *Server) snippets(app *apps.App, at *url.URL) (list []admin.Snippet) {
	service := devsite.Service{Base: at, HTTPPath: s.cfg.HTTPPath, AppID: app.ID, Pair: apps.Key{Key: app.Keys[len(app.Keys)-1].Key, Secret: "SECRET"}, Command: "belfry"}
	for _, snippet := range service.Snippets() {
		list = append(list, admin.Snippet(snippet))
	}
	return list
}

// nodeInfo is what this node is, and where its clients connect.
func (s *Server) nodeInfo() admin.NodeInfo {
	info := s.process.nodeInfo()
	info.Path, info.HTTPPath = s.cfg.Path, s.cfg.HTTPPath
	if a := s.Addr(); a != nil {
		info.Listen = a.String()
	}
	if a := s.TLSAddr(); a != nil {
		info.TLSListen = a.String()
	}
	return info
}

// Reconfigure makes true what can change while the node runs: the apps of the
// configuration, the limits on connections and on attempts, and DrainTimeout.
// All else of cfg is ignored. If the apps can not stand beside each other,
// nothing changes.
func (s *Server) Reconfigure(cfg Config) error {
	if err := s.apps.SetConfigured(cfg.Apps); err != nil {
		return err
	}
	s.hub.SetMaxConnections(cfg.MaxConnections)
	s.attempts.SetPerMinute(cfg.ConnectionAttempts)
	s.drainOver.Store(int64(cmp.Or(cfg.DrainTimeout, DefaultDrainTimeout)))
	return nil
}

// routes is what the plain and the TLS listener answer.
func (s *Server) routes(registry *apps.Registry) *router {
	websocket := ws.New(ws.Config{
		Hub:            s.hub,
		Loops:          s.loops,
		Path:           s.cfg.Path,
		MaxMessageSize: s.cfg.MaxMessageSize,
		PongTimeout:    s.cfg.PongTimeout,
		Compression:    s.cfg.Compression,
		TrustedProxies: s.cfg.TrustedProxies,
		Registerer:     s.metrics,
	})
	return &router{
		hosts:   s.cfg.Hosts,
		maxBody: s.largestBody(),
		loopAPI: loopAPI{s.api},
		loopWebSocket: &loopWebSocket{
			draining: s.hub.Draining, pause: s.attempts.Wrap(websocket),
			upgrade: s.attempts.Wrap(http.HandlerFunc(websocket.Upgrade)),
		},
		websocket: s.attempts.Wrap(websocket),
		components: []component{
			s.fallback(registry),
			s.push.native,
			s.push.beams,
			web.New(web.Config{Path: s.cfg.Path, HTTPPath: cmp.Or(s.cfg.HTTPPath, fallback.DefaultHTTPPath), Secure: forwarded.Proxies(s.cfg.TrustedProxies).Secure}),
		},
		api:   s.api,
		root:  s.cfg.Root,
		mount: mount.At(s.cfg.Path),
		ready: s.ready,
	}
}

// openHTTPAPI makes what answers backends, and takes events of operators.
func (s *Server) openHTTPAPI(registry *apps.Registry) {
	s.api = httpapi.New(httpapi.Config{
		Apps:             registry,
		Hub:              s.hub,
		Path:             s.cfg.Path,
		MaxBodySize:      s.cfg.MaxBodySize,
		UnknownKeyStatus: s.cfg.UnknownKeyStatus,
		CORS:             s.cfg.CORS,
		Limits:           &s.limits,
		Peers:            s.cfg.Clustered(),
		Tracer:           s.tracing.app,
		Strangers:        s.tracing.strangers.App(""),
		KeyUses:          s.keyUses,
		Keys:             s.keys,
		Log:              s.log,
		Registerer:       s.metrics,
	})
}

// fallback serves clients for which WebSocket does not work.
func (s *Server) fallback(registry *apps.Registry) component {
	s.fallbacks = fallback.New(fallback.Config{
		Elsewhere:      s.cluster.elsewhere(),
		Hub:            s.hub,
		Apps:           registry,
		Loops:          s.loops,
		Path:           s.cfg.Path,
		HTTPPath:       s.cfg.HTTPPath,
		Disabled:       s.cfg.NoFallbacks,
		MaxMessageSize: s.cfg.MaxMessageSize,
		Attempt:        func(r *http.Request) bool { _, ok := s.attempts.Admit(r); return ok },
		TrustedProxies: s.cfg.TrustedProxies,
		SockJS:         web.SockJS,
		Registerer:     s.metrics,
	})
	return s.fallbacks
}

// ready returns why the node should get no traffic, or nil.
func (s *Server) ready() error {
	if s.hub.Draining() {
		return errDraining
	}
	return s.process.ready()
}

// Addr is the address of the plain listener, or nil.
func (s *Server) Addr() net.Addr { return s.plain.addr() }

// TLSAddr is the address of the TLS listener, or nil.
func (s *Server) TLSAddr() net.Addr { return s.tls.addr() }

// Listeners implements [Node].
func (s *Server) Listeners() []Listener { return addresses(s.plain, s.tls, s.admin) }

// Run waits until ctx ends, then sends the clients elsewhere and stops all
// components. It returns nil if all of them ended in time.
func (s *Server) Run(ctx context.Context) error { return s.run(ctx, s.patience, s.drain) }

// Alive implements [Node]: each loop has come round.
func (s *Server) Alive(ctx context.Context) error {
	if s.leaving.Load() {
		return nil
	}
	return s.loops.ComeRound(ctx)
}
