// Package reports remembers which reports of devices were taken: each counts once,
// whichever node it comes to and however often.
//
// What was reported stands as hashes in a bucket of the engine for as long as reports of
// a publish are taken. If there is no room, further reports are counted as such and
// dropped. The package takes no locks.
package reports

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"sync"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/push/beams"
	"github.com/belfryhq/belfry/internal/push/payload"
)

const (
	// Bucket is the name of the bucket of reports.
	Bucket = "belfry_push_reports"
	// maxBytes is what all reports may take in the engine, and memoryBytes if that keeps
	// them in memory.
	maxBytes, memoryBytes = 128 << 20, 8 << 20
	// patience is how long the engine has for one report.
	patience = 5 * time.Second
)

// BucketConfig is the bucket that a store stands on, in that kind of storage.
func BucketConfig(storage jetstream.StorageType) jetstream.KeyValueConfig {
	cfg := jetstream.KeyValueConfig{Bucket: Bucket, History: 1, TTL: payload.ReportsFor, MaxBytes: maxBytes}
	if storage == jetstream.MemoryStorage {
		cfg.MaxBytes = memoryBytes
	}
	return cfg
}

// Config is what a store stands on. Bucket is required.
type Config struct {
	// Bucket returns the bucket, made as [BucketConfig] says. It is called until it
	// succeeds, with the first report.
	Bucket func(context.Context) (jetstream.KeyValue, error)
	// Tell tells the backend of a report about a device of a user. It returns when that
	// is kept durably. Nil means that nobody is told.
	Tell func(ctx context.Context, app *apps.App, r beams.Report) error
	// Writable returns why nothing should be written now, or nil. It may be nil.
	Writable func() error

	Registerer prometheus.Registerer // nil: no metrics are registered
}

// A Store takes reports. It is safe for concurrent use.
type Store struct {
	cfg   Config
	taken *prometheus.CounterVec
	open  sync.Mutex // one opens the bucket at a time
	known jetstream.KeyValue
}

// New returns a store. It has nothing to close.
func New(cfg Config) *Store {
	s := &Store{cfg: cfg, taken: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "belfry_push_reports_total", Help: "What devices have reported of push notifications, each once, by event; dropped are those that there was no room for.",
	}, []string{"event"})}
	if cfg.Registerer != nil {
		cfg.Registerer.MustRegister(s.taken)
	}
	return s
}

func (s *Store) bucket(ctx context.Context) (jetstream.KeyValue, error) {
	s.open.Lock()
	defer s.open.Unlock()
	if s.known != nil {
		return s.known, nil
	}
	b, err := s.cfg.Bucket(ctx)
	if err != nil {
		return nil, fmt.Errorf("reports: %w", err)
	}
	s.known = b
	return b, nil
}

// Take takes a report of a publish of an app. One that was taken before does nothing.
func (s *Store) Take(ctx context.Context, app *apps.App, r beams.Report) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if s.cfg.Writable != nil {
		if err := s.cfg.Writable(); err != nil {
			return fmt.Errorf("reports: %w", err)
		}
	}
	bucket, err := s.bucket(ctx)
	if err != nil {
		return err
	}
	event := "delivery"
	if r.Opened {
		event = "open"
	}
	key := keyOf(app.ID, r.PublishID, r.Device, event)
	switch _, err := bucket.Get(ctx, key); {
	case err == nil:
		return nil
	case !errors.Is(err, jetstream.ErrKeyNotFound):
		return fmt.Errorf("reports: %w", err)
	}
	// The backend hears of it before it is written down: rather twice than never.
	if s.cfg.Tell != nil && r.User != "" {
		if err := s.cfg.Tell(ctx, app, r); err != nil {
			return err
		}
	}
	_, err = bucket.Create(ctx, key, nil)
	switch {
	case errors.Is(err, jetstream.ErrKeyExists):
		return nil
	case isFull(err):
		event = "dropped"
	case err != nil:
		return fmt.Errorf("reports: %w", err)
	}
	s.taken.WithLabelValues(event).Inc()
	return nil
}

// keyOf is where a report stands. It says nothing about it.
func keyOf(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:18])
}

// isFull reports whether the engine refuses because the bucket has no room.
func isFull(err error) bool {
	refusal, ok := errors.AsType[*jetstream.APIError](err)
	return ok && uint16(refusal.ErrorCode) == uint16(natsserver.JSStreamStoreFailedF)
}
