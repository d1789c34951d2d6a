package webhook

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/engine"
)

// Config is what a sender needs. Apps and Engine are required. A zero
// duration or number means the default of that name.
type Config struct {
	Apps   *apps.Registry
	Engine *engine.Engine
	// Node is the name of this node among those that share the engine, the
	// same after a restart: each delivers what it has queued. It may be empty.
	Node string
	// Gate makes the node wait while more news comes in than the engine
	// takes. Nil means that it does not.
	Gate Gate

	// Grace is how long an empty channel, or an absent member, waits for
	// somebody to come back before it is news. Negative means not at all.
	Grace time.Duration
	// VacateOnStop makes Stop report what is waiting for that; otherwise it
	// is forgotten, because the clients of a node that stops come back
	// elsewhere.
	VacateOnStop bool

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

	MaxPending  int   // events that may wait for the engine before the gate is held
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
	DefaultGrace          = 3 * time.Second
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
	c.Grace = max(cmp.Or(c.Grace, DefaultGrace), 0)
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

// A Gate holds back what comes into the node. It does not block.
type Gate interface {
	Hold()
	Release() // takes back one Hold
}

// A Sender hears what happens in channels and tells the endpoints of their
// apps. Its methods are safe for concurrent use.
type Sender struct {
	cfg       Config
	log       *slog.Logger
	metrics   *metrics
	queue     queue
	recorder  *recorder
	endpoints *endpoints
}

// New starts a sender: what is in the queue is delivered from here on.
func New(ctx context.Context, cfg Config) (*Sender, error) {
	cfg = cfg.withDefaults()
	s := &Sender{cfg: cfg, log: cfg.Log, metrics: newMetrics(), queue: cfg.queue}
	if s.queue == nil {
		q, err := openQueue(ctx, cfg)
		if err != nil {
			return nil, err
		}
		s.queue = q
	}
	s.endpoints = newEndpoints(s)
	s.recorder = newRecorder(s)
	cfg.Apps.Watch(s.appChanged)
	if err := s.endpoints.resume(ctx); err != nil {
		return nil, errors.Join(err, s.Stop(ctx))
	}
	s.metrics.register(cfg.Registerer, s)
	return s, nil
}

// appChanged makes a change of an app true for its endpoints.
func (s *Sender) appChanged(c apps.Change) {
	if c.Old != nil {
		s.recorder.forget(c.Old.ID)
	}
	app := cmp.Or(c.New, c.Old)
	if app != nil {
		s.endpoints.appChanged(app.ID)
	}
}

// Drain says that the node sends its clients elsewhere: that channels become
// empty is no news from here on.
func (s *Sender) Drain() { s.recorder.drain() }

// Stop hands everything to the engine that it was told, lets requests that
// are under way end, and returns. What is not delivered stays in the queue.
func (s *Sender) Stop(ctx context.Context) error {
	return errors.Join(s.recorder.stop(ctx), s.endpoints.stop(ctx))
}
