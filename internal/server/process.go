package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/belfryhq/belfry/internal/accept"
	"github.com/belfryhq/belfry/internal/access"
	"github.com/belfryhq/belfry/internal/admin"
	"github.com/belfryhq/belfry/internal/audit"
	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/console"
	"github.com/belfryhq/belfry/internal/datadir"
	"github.com/belfryhq/belfry/internal/engine"
	"github.com/belfryhq/belfry/internal/http1"
	"github.com/belfryhq/belfry/internal/tokenstore"
	"github.com/belfryhq/belfry/web"
)

// A Node is a process of the service: a [Server], or a [Witness].
type Node interface {
	// Listeners are those that were asked for, whose addresses are known.
	Listeners() []Listener
	// Registerer is where metrics of the process can be registered that are none
	// of the node's.
	Registerer() prometheus.Registerer
	// Reconfigure makes true what can change while the node runs.
	Reconfigure(Config) error
	// Alive returns nil if the node does work that it is given, and otherwise why
	// that is not known when ctx ends. A node that is about to end is alive: its
	// end has a bound of its own.
	Alive(ctx context.Context) error
	// Run waits until ctx ends or an operator wants the node to, and then ends
	// it in good order. It returns nil if all components ended in time.
	Run(ctx context.Context) error
}

// A Listener is where a node is reached.
type Listener struct {
	Name string // "plain", "tls" or "admin"
	Addr net.Addr
}

// Open makes the node that cfg describes, as New or NewWitness does.
func Open(cfg Config) (Node, error) {
	if cfg.Cluster.Witness {
		w, err := NewWitness(cfg)
		if err != nil {
			return nil, err
		}
		return w, nil
	}
	s, err := New(cfg)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// A process is what every node stands on, with clients or without. It has
// its log, its metrics, the listener of operators, the engine, and the list
// of how all of it ends.
type process struct {
	cfg          Config
	log          *slog.Logger
	metrics      *prometheus.Registry
	accepts      *accept.Metrics
	loopRequests *http1.Metrics // of all listeners for clients

	id    node.ID // of this life of the node
	name  string  // what peers call it; empty if it is alone
	since time.Time

	engine   *engine.Engine
	writable func() error      // of the engine
	tokens   *tokenstore.Store // nil: there is no API that they open
	audit    *audit.Log        // likewise

	drainAsked chan struct{} // closed by Drain
	askOnce    sync.Once
	leaving    atomic.Bool // the node is about to end, or does

	admin  *endpoint // nil: not asked for
	failed chan error
	stops  []stop
}

// begin opens the listener of operators, which can look until all else has
// ended, and prepares what the engine needs.
func (p *process) begin(cfg Config) (err error) {
	p.cfg, p.log, p.metrics = cfg, cfg.Log, prometheus.NewRegistry()
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	p.accepts = accept.NewMetrics(p.metrics)
	p.id, p.since = node.NewID(), time.Now()
	p.writable = func() error { return nil }
	p.failed, p.drainAsked = make(chan error, 3), make(chan struct{})

	p.onStop("admin listener", func(ctx context.Context) error { return p.admin.stop(ctx) })
	p.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	p.metrics.MustRegister(buildInfo(cfg.Version))
	p.startClock()
	if err := p.listenForOperators(); err != nil {
		return err
	}
	if cfg.DataDir != "" && cfg.EngineURL == "" {
		if err := datadir.Make(cfg.DataDir); err != nil {
			return err
		}
	}
	if p.name, err = cfg.nodeName(); err != nil {
		return err
	}
	return p.adminToken()
}

// buildInfo is a metric that says which version this is: its value is 1, and its
// labels say it.
func buildInfo(version string) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "belfry_build_info", Help: "1, with the version of the service and of Go as labels.",
		ConstLabels: prometheus.Labels{"version": version, "goversion": runtime.Version()},
	}, func() float64 { return 1 })
}

// openEngine starts the engine. In a cluster it waits for others.
func (p *process) openEngine() (err error) {
	ctx, cancel := p.starting()
	defer cancel()
	p.engine, err = engine.Open(ctx, engine.Config{
		DataDir: p.cfg.DataDir, URL: p.cfg.EngineURL, Cluster: p.cfg.Cluster.engine(p.name), Registerer: p.metrics, Log: p.log,
	})
	if err != nil {
		return err
	}
	p.writable = p.engine.Writable
	p.onStop("engine", func(context.Context) error { // what all others have written to has its own time
		ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()
		return p.engine.Close(ctx)
	})
	p.openAccess()
	return nil
}

// adminToken finds or makes what the admin API asks for, if there is one.
func (p *process) adminToken() error {
	if p.cfg.AdminListen == "" || p.cfg.AdminToken != "" || p.cfg.DataDir == "" {
		return nil
	}
	token, made, err := admin.Token(p.cfg.DataDir)
	if err != nil {
		return err
	}
	p.log.Info("the admin API asks for the token in this file", "file", filepath.Join(p.cfg.DataDir, admin.TokenFile), "made", made)
	p.cfg.AdminToken = token
	return nil
}

// administration is what operators of every node are answered.
func (p *process) administration() admin.Config {
	cfg := admin.Config{
		Ready:      p.ready,
		Gatherer:   p.metrics,
		Hosts:      p.cfg.adminHosts(),
		Console:    console.New(web.Client),
		Node:       p.nodeInfo,
		Drain:      p.Drain,
		Draining:   func() (bool, int) { return p.leaving.Load(), 0 },
		Registerer: p.metrics,
		Log:        p.log,
	}
	if p.tokens != nil {
		cfg.Audit = p.audit
		cfg.Access = access.New(access.Config{
			Tokens:         p.tokens,
			Note:           admin.Attempted(p.audit),
			Token:          p.cfg.AdminToken,
			Open:           p.cfg.AdminOpen,
			Insecure:       p.cfg.AdminInsecure,
			TrustedProxies: p.cfg.TrustedProxies,
			Registerer:     p.metrics,
			Log:            p.log,
		})
	}
	return cfg
}

// nodeInfo is what this node is.
func (p *process) nodeInfo() admin.NodeInfo {
	name := p.name
	if name == "" {
		name, _ = os.Hostname() // without one it has none
	}
	return admin.NodeInfo{
		Name: name, Version: p.cfg.Version, Since: p.since.UTC(), Clustered: p.cfg.Clustered(),
	}
}

var errDraining = errors.New("draining")

// ready returns why the node should get no traffic, or nil.
func (p *process) ready() error {
	if p.leaving.Load() {
		return errDraining
	}
	return nil
}

// Registerer is where metrics of the process can be registered that are none of
// the node's.
func (p *process) Registerer() prometheus.Registerer { return p.metrics }

// AdminAddr is the address of the admin listener, or nil.
func (p *process) AdminAddr() net.Addr { return p.admin.addr() }

// Drain makes Run end as if its context had. It returns at once.
func (p *process) Drain() { p.askOnce.Do(func() { close(p.drainAsked) }) }

// run waits until ctx ends, then has the node drain and stops all components.
// Draining takes as long as patience says, at most.
func (p *process) run(ctx context.Context, patience func() time.Duration, drain func()) error {
	var failure error
	select {
	case <-ctx.Done():
	case <-p.drainAsked:
	case failure = <-p.failed:
	}
	p.leaving.Store(true)
	if p.cfg.Leaving != nil {
		p.cfg.Leaving(patience() + 2*stopTimeout)
	}
	if failure == nil {
		drain()
	}
	return errors.Join(failure, p.stop())
}
