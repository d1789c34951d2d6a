// Package durable keeps events of channels in the engine, so that clients can get what
// they have missed when the nodes that have published it are gone.
//
// Each node writes what it publishes itself, in the order of its numbers, and nobody
// else does. What gathers while the engine is busy goes into one message. A
// message has a number, too. So whoever reads sees whether some are missing, and
// believes of what is before them nothing.
//
// Nothing is read before somebody asks. Then [Store.Read] returns what is there of
// those publishers that can not be asked themselves.
//
// A [Store] of which no app wants anything has no stream. It costs one goroutine that
// sleeps.
//
// # Locks
//
// Store.mu guards what waits to be written. It is a leaf, and not held during calls to the
// engine.
package durable

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/wakeup"
)

const (
	// StreamName is the stream of events. subjects begins its subjects, which go on with
	// the app and the publisher.
	StreamName = "belfry-history"
	subjects   = "belfry.history."

	// maxBytes is what the events of all apps may take in the engine, and memoryBytes if
	// that keeps them in memory. The oldest go first.
	maxBytes, memoryBytes = 256 << 20, 32 << 20
	// maxWaiting is what may wait to be written, in bytes, and maxOfApp what one app
	// may have of it.
	maxWaiting, maxOfApp = 32 << 20, 8 << 20
	// chunkSize is how long a message is, and one event.
	chunkSize = 128 << 10
	// maxEvent is the longest event that is kept. Longer ones leave a mark.
	maxEvent = 1 << 20
	// keptLonger is how much longer than clients get it something is there: marks are
	// written again meanwhile.
	keptLonger = 3 * time.Minute

	// openTimeout is how long the stream takes to be there.
	openTimeout = 20 * time.Second
	// patience is how long the engine has for one write.
	patience = 2 * time.Second
	// Patience is how long whoever publishes waits for what it has published.
	Patience = 5 * time.Second
	// readTimeout is how long the engine has for all that is to be read.
	readTimeout = 10 * time.Second
)

// Errors that callers can test for.
var (
	// ErrUnavailable says that the engine takes nothing now.
	ErrUnavailable = errors.New("durable: the engine does not take events now")
	// ErrNotKept says that an event was published, and that the engine has not taken it.
	ErrNotKept = errors.New("durable: the engine has not taken what was published")
)

// StreamConfig is the stream that a store stands on, in that kind of storage.
func StreamConfig(storage jetstream.StorageType) jetstream.StreamConfig {
	cfg := jetstream.StreamConfig{
		Name: StreamName, Description: "events of channels whose history is durable", Subjects: []string{subjects + ">"},
		Discard: jetstream.DiscardOld, MaxBytes: maxBytes, AllowMsgTTL: true, AllowDirect: true,
	}
	if storage == jetstream.MemoryStorage {
		cfg.MaxBytes = memoryBytes
	}
	return cfg
}

// Config is what a store stands on. Node, JetStream and Open are required.
type Config struct {
	Node      node.ID
	JetStream jetstream.JetStream
	// Open returns the stream, and makes it if need be, as [StreamConfig] says.
	Open func(context.Context) (jetstream.Stream, error)
	// Writable returns why nothing should be written now, or nil. It may be nil
	// itself.
	Writable func() error

	Registerer prometheus.Registerer // nil: no metrics are registered
	Log        *slog.Logger          // nil: no log
}

// A Store writes events of this node, and reads those of others. Its methods are safe
// for concurrent use.
type Store struct {
	cfg     Config
	metrics *metrics
	wake    wakeup.Signal

	mu      sync.Mutex
	apps    map[string]*outbox
	waiting int    // bytes
	lives   uint64 // of outboxes that have begun
	failing bool   // the last write has failed

	opening sync.Mutex // held while the stream is made
	stream  jetstream.Stream

	stop    context.CancelFunc
	stopped chan struct{}
}

// New returns a store. Whoever calls it must call Close.
func New(cfg Config) *Store {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Store{cfg: cfg, wake: wakeup.New(), apps: make(map[string]*outbox), stopped: make(chan struct{})}
	s.metrics = newMetrics(s, cfg.Registerer)
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	go s.run(ctx)
	return s
}

// Close writes what waits, until ctx ends.
func (s *Store) Close(ctx context.Context) error {
	err := s.drain(ctx)
	s.stop()
	<-s.stopped
	return err
}

// Ready returns nil if what an app publishes now will probably be kept.
func (s *Store) Ready(app string) error {
	if s.cfg.Writable != nil && s.cfg.Writable() != nil {
		return ErrUnavailable
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if o := s.apps[app]; s.failing || o != nil && o.waiting > maxOfApp/2 {
		return ErrUnavailable
	}
	return nil
}

// open returns the stream. To make it takes longer than to write.
func (s *Store) open(ctx context.Context) (jetstream.Stream, error) {
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	s.opening.Lock()
	defer s.opening.Unlock()
	if s.stream != nil {
		return s.stream, nil
	}
	stream, err := s.cfg.Open(ctx)
	if err == nil {
		s.stream = stream
	}
	return stream, err
}
