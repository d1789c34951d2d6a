package webhook

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/cluster/roster"
	"github.com/belfryhq/belfry/internal/engine"
	"github.com/belfryhq/belfry/internal/webhook/delivery"
	"github.com/belfryhq/belfry/internal/webhook/handover"
	"github.com/belfryhq/belfry/internal/webhook/queue"
	"github.com/belfryhq/belfry/internal/webhook/sent"
)

// Config is what a sender needs. Apps, Roster and Engine or Store are required.
// A zero number means the default of that name.
type Config struct {
	Apps   *apps.Registry
	Engine *engine.Engine
	Store  *queue.Store // replaces the one in the engine, for tests
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

	Delivery delivery.Policy

	MaxPending     int   // events that may wait for the engine before the gate is held; of one app a quarter
	MaxBytes       int64 // of the queue, over all endpoints
	MaxDeadLetters int64 // bytes of events that were given up

	Registerer prometheus.Registerer // nil: no metrics
	Log        *slog.Logger          // nil: no log

	publishEvery time.Duration // replaces the constant, for tests; negative for no wait
}

// The defaults of Config.
const (
	DefaultMaxPending     = 1 << 16
	DefaultMaxBytes       = 1 << 30
	DefaultMaxDeadLetters = 128 << 20
)

// withDefaults returns c with no zero left.
func (c Config) withDefaults() Config {
	c.MaxPending = cmp.Or(c.MaxPending, DefaultMaxPending)
	c.MaxBytes = cmp.Or(c.MaxBytes, DefaultMaxBytes)
	c.MaxDeadLetters = cmp.Or(c.MaxDeadLetters, DefaultMaxDeadLetters)
	c.publishEvery = cmp.Or(c.publishEvery, publishEvery)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Gate == nil {
		c.Gate = noGate{}
	}
	return c
}

// A Sender hears what happens in channels and tells the endpoints of their
// apps. Its methods are safe for concurrent use.
type Sender struct {
	cfg        Config
	metrics    *metrics
	store      queue.Store
	history    *sent.Log
	decisions  *handover.Decisions
	recorder   *recorder
	dispatcher *delivery.Dispatcher
	takeover   *handover.Takeover // nil unless in a cluster

	changes atomic.Int64 // how many there are in changed
	changed sync.Map     // ids of apps with other endpoints than when they came
}

// New starts a sender: what is in the queue of its node is delivered from here
// on, or in a cluster what the roster says.
func New(ctx context.Context, cfg Config) (*Sender, error) {
	cfg = cfg.withDefaults()
	by := queue.OwnerOf(cfg.Node)
	if cfg.Clustered {
		id := cfg.Roster.ID()
		if !id.Valid() {
			return nil, errors.New("webhook: the roster does not know the node's incarnation")
		}
		by = queue.Owner(id)
	}
	s := &Sender{cfg: cfg, metrics: newMetrics(), history: sent.New()}
	if err := s.openStore(ctx); err != nil {
		return nil, err
	}
	t := queue.NewTerm(by)
	s.assemble(t)
	cfg.Apps.Watch(s.appChanged)
	if !cfg.Clustered {
		if err := s.resume(ctx, t); err != nil {
			return nil, errors.Join(err, s.Stop(ctx))
		}
	}
	s.metrics.register(cfg.Registerer, func() float64 { return float64(s.recorder.pending()) }, func() float64 { return s.oldest().Seconds() })
	return s, nil
}

func (s *Sender) openStore(ctx context.Context) (err error) {
	if s.cfg.Store != nil {
		s.store = *s.cfg.Store
		return nil
	}
	s.store, err = queue.Open(ctx, queue.Config{
		Engine: s.cfg.Engine, Clustered: s.cfg.Clustered, MaxBytes: s.cfg.MaxBytes, MaxDeadLetters: s.cfg.MaxDeadLetters,
	})
	return err
}

// assemble makes the parts, and joins them.
func (s *Sender) assemble(t *queue.Term) {
	cfg, r := s.cfg, s.cfg.Roster
	s.dispatcher = delivery.New(delivery.Config{
		Policy: cfg.Delivery, Apps: cfg.Apps, Queue: s.store.Queue, DeadLetters: s.store.DeadLetters, Suspended: r.Suspended,
		History: s.history, Unreadable: s.metrics.losses.WithLabelValues(string(lostUnreadable)), Registerer: cfg.Registerer, Log: cfg.Log,
	}, t)
	s.decisions = handover.NewDecisions(handover.DecisionsConfig{
		Acknowledge: r.Acknowledge, CurrentSince: r.CurrentSince, Suspended: r.Suspended,
		Put: s.putDecision, Wait: cfg.Clustered, Registerer: cfg.Registerer,
	})
	s.recorder = newRecorder(recorderConfig{
		queue: s.store.Queue, apps: cfg.Apps, gate: cfg.Gate, maxPending: cfg.MaxPending, publishEvery: cfg.publishEvery,
		clustered: cfg.Clustered, suspended: r.Suspended, accepted: s.dispatcher.Accepted, begin: s.dispatcher.Begin,
		settled: s.decisions.Settled, metrics: s.metrics, log: cfg.Log,
	}, t)
	if cfg.Clustered {
		s.takeover = handover.NewTakeover(handover.TakeoverConfig{
			Queue: s.store.Queue, Claims: s.store.Claims, Recorder: s.recorder, Deliverer: s.dispatcher, Node: cfg.Node,
			Known: cfg.Known, Suspended: r.Suspended, Registerer: cfg.Registerer, Log: cfg.Log,
		})
	}
}

// resume delivers what an earlier process of this node has left.
func (s *Sender) resume(ctx context.Context, t *queue.Term) error {
	left, err := s.store.Queue.Backlog(ctx, t.Owner)
	if err != nil {
		return err
	}
	if records := s.dispatcher.Deliver(t, t.Began, left); records > 0 {
		s.cfg.Log.Info("delivering webhooks that were left in the queue", "records", records, "endpoints", len(left.Endpoints))
	}
	return nil
}

// Stop hands everything to the engine that it was told, lets requests that
// are under way end, and returns. What is not delivered stays in the queue.
//
// The roster of a node that is alone is closed before, since it may decide
// something then. That of a cluster is closed afterwards: when the node has
// left, another one delivers its queue, and this one must not do so any more.
// What is decided in between stays untold, and so goes to that other one too.
func (s *Sender) Stop(ctx context.Context) error {
	s.decisions.Stop()
	if s.takeover != nil {
		s.takeover.Stop()
	}
	return errors.Join(s.recorder.stop(ctx), s.dispatcher.Stop(ctx))
}
