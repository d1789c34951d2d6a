package webhook

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/cluster/roster"
	"github.com/belfryhq/belfry/internal/engine"
)

// Config is what a sender needs. Apps, Engine and Roster are required. A zero
// duration or number means the default of that name.
type Config struct {
	Apps   *apps.Registry
	Engine *engine.Engine
	// Roster decides what is news of channels and members. The sender is its
	// host: whoever makes both starts the roster with it, and closes it.
	Roster roster.Roster
	// Node is the name of this node among those that share the engine and are
	// in no cluster, the same after a restart: each delivers what it has
	// queued. It may be empty.
	Node string
	// Clustered makes the queue that of the roster's incarnation, which is
	// known before it starts, and what another has left is delivered when the
	// roster says so. What the node of that name has left from before it was
	// in a cluster is taken over soon after the start.
	Clustered bool
	// Known reports whether the roster has that incarnation among the living,
	// or among the dead whose takeover it will still tell to some node. The
	// queue of one that is not known for a minute, and that nobody known has
	// taken over, is taken over by the node that notices first. Nil: only when
	// the roster says so.
	Known func(node.ID) bool
	// Holdings calls each for what holds on this node in the channels of an
	// app: under the lock under which the observer hears news of it. It is
	// asked when the app wants to know more than before; nil means nothing.
	Holdings func(appID string, each func(roster.Subject))
	// Gate makes an app, or the node, wait while more news comes in than the
	// engine takes. Nil means that it does not.
	Gate Gate

	BatchInterval time.Duration // from the first event of a request to its sending
	BatchEvents   int           // the most events of one request
	BatchBytes    int           // about the most bytes of one request

	Timeout        time.Duration // of one attempt
	ConnectTimeout time.Duration // of the part of it that connects
	RetryFirst     time.Duration // wait after the first failure; it doubles from there
	// RetryWindow is how long after a request was formed an attempt may start.
	RetryWindow time.Duration
	Concurrency int // requests to one endpoint at once

	// AllowedNetworks may be reached although they are private; all others
	// that are not public are refused.
	AllowedNetworks []netip.Prefix
	// Transport replaces the way to endpoints, for tests.
	Transport http.RoundTripper

	MaxPending  int   // events that may wait for the engine before the gate is held; of one app a quarter
	MaxBytes    int64 // of the queue, over all endpoints
	MaxEndpoint int64 // bytes queued for one endpoint before its oldest are buried
	MaxBuried   int64 // bytes of events that were given up

	Registerer prometheus.Registerer // nil: no metrics
	Log        *slog.Logger          // nil: no log

	queue        queue         // replaces the engine's, for tests
	publishEvery time.Duration // replaces the constant, for tests; negative for no wait
}

// The defaults of Config. The schedule stays below five minutes because
// receivers refuse requests whose time_ms is older than that.
const (
	DefaultBatchInterval  = 50 * time.Millisecond
	DefaultBatchEvents    = 100
	DefaultBatchBytes     = 256 << 10
	DefaultTimeout        = 10 * time.Second
	DefaultConnectTimeout = 3 * time.Second
	DefaultRetryFirst     = time.Second
	DefaultRetryWindow    = 290 * time.Second
	DefaultConcurrency    = 20
	DefaultMaxPending     = 1 << 16
	DefaultMaxBytes       = 1 << 30
	DefaultMaxEndpoint    = 128 << 20
	DefaultMaxBuried      = 128 << 20
)

// withDefaults returns c with no zero left.
func (c Config) withDefaults() Config {
	c.BatchInterval = cmp.Or(c.BatchInterval, DefaultBatchInterval)
	c.BatchEvents = cmp.Or(c.BatchEvents, DefaultBatchEvents)
	c.BatchBytes = cmp.Or(c.BatchBytes, DefaultBatchBytes)
	c.Timeout = cmp.Or(c.Timeout, DefaultTimeout)
	c.ConnectTimeout = min(cmp.Or(c.ConnectTimeout, DefaultConnectTimeout), c.Timeout)
	c.RetryFirst = cmp.Or(c.RetryFirst, DefaultRetryFirst)
	c.RetryWindow = cmp.Or(c.RetryWindow, DefaultRetryWindow)
	c.Concurrency = cmp.Or(c.Concurrency, DefaultConcurrency)
	c.MaxPending = cmp.Or(c.MaxPending, DefaultMaxPending)
	c.MaxBytes = cmp.Or(c.MaxBytes, DefaultMaxBytes)
	c.MaxEndpoint = cmp.Or(c.MaxEndpoint, DefaultMaxEndpoint)
	c.MaxBuried = cmp.Or(c.MaxBuried, DefaultMaxBuried)
	c.publishEvery = cmp.Or(c.publishEvery, publishEvery)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Transport == nil {
		c.Transport = newTransport(c)
	}
	return c
}

// A Gate holds back what comes into the node, or what the clients of one app
// send. It does not block.
type Gate interface {
	Hold()
	Release() // takes back one Hold
	HoldOwner(app string)
	ReleaseOwner(app string)
}

// A Sender hears what happens in channels and tells the endpoints of their
// apps. Its methods are safe for concurrent use.
type Sender struct {
	cfg       Config
	log       *slog.Logger
	metrics   *metrics
	queue     queue
	ledger    *ledger
	limbo     *limbo
	recorder  *recorder
	endpoints *endpoints
	heritage  *heritage

	changes atomic.Int64 // how many there are in changed
	changed sync.Map     // ids of apps with other endpoints than when they came
}

// New starts a sender: what is in the queue of its node is delivered from here
// on, or in a cluster what the roster says.
func New(ctx context.Context, cfg Config) (*Sender, error) {
	cfg = cfg.withDefaults()
	by := owner(escape(cfg.Node))
	if cfg.Clustered {
		id := cfg.Roster.ID()
		if !id.Valid() {
			return nil, errors.New("webhook: the roster does not know the node's incarnation")
		}
		by = owner(id)
	}
	s := &Sender{cfg: cfg, log: cfg.Log, metrics: newMetrics(), queue: cfg.queue,
		ledger: &ledger{told: cfg.Roster.Acknowledge}}
	if s.queue == nil {
		q, err := openQueue(ctx, cfg)
		if err != nil {
			return nil, err
		}
		s.queue = q
	}
	s.limbo = newLimbo(s)
	s.endpoints = newEndpoints(s, by)
	s.recorder = newRecorder(s, s.endpoints.term.Load())
	s.heritage = newHeritage(s)
	cfg.Apps.Watch(s.appChanged)
	if cfg.Clustered {
		s.heritage.running.Go(s.heritage.run)
	} else if err := s.endpoints.resume(ctx); err != nil {
		return nil, errors.Join(err, s.Stop(ctx))
	}
	s.metrics.register(cfg.Registerer, s)
	return s, nil
}

// Stop hands everything to the engine that it was told, lets requests that
// are under way end, and returns. What is not delivered stays in the queue.
//
// The roster of a node that is alone is closed before, since it may decide
// something then. That of a cluster is closed afterwards: when the node has
// left, another one delivers its queue, and this one must not do so any more.
// What is decided in between stays untold, and so goes to that other one too.
func (s *Sender) Stop(ctx context.Context) error {
	s.limbo.stop()
	s.heritage.stop()
	return errors.Join(s.recorder.stop(ctx), s.endpoints.stop(ctx))
}
