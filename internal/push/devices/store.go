// Package devices keeps the installations that receive push notifications: what they
// are called, their tokens, the interests that they are subscribed to, and whose they
// are. All of it stands in a bucket of the engine, one key for each device.
//
// Every node watches the bucket, and has an index of it in memory. The index finds
// devices by id and by token, and those of an interest or of a user in the order of
// their ids. A change is true on the node that has made it when it is written, and on
// others when they see it.
//
// A token belongs to one device of an app. If two nodes register it at the same
// moment, it is the one's that was confirmed later, and all nodes agree on that.
//
// If the bucket is lost, the nodes write again what they know. Only what devices say
// of themselves is gone then.
//
// # Locks
//
// Store.mu guards which apps there are, and index.mu the devices of one. The second is
// taken while the first is held, never the other way round. Neither is held during calls to the
// engine.
package devices

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfryhq/belfry/internal/wakeup"
)

const (
	// Bucket is the name of the bucket of devices.
	Bucket = "belfry_push_devices"
	// MaxInterests is how many interests a device may be subscribed to.
	MaxInterests = 5000
	// MaxPerUser is how many devices of one provider a user may have.
	MaxPerUser = 100

	// maxRecord is what one device may take in the bucket, in bytes. The engine takes
	// messages up to 1 MiB.
	maxRecord = 1_000_000
	// share is what the devices of an app may take in the bucket, for each that it
	// may have.
	share = 1 << 10

	// writeTimeout is how long the engine has for one change.
	writeTimeout = 5 * time.Second
	// markers is how long it is remembered in the bucket that a device was removed. A
	// node that was cut off for longer may keep it until it starts again.
	markers = 7 * 24 * time.Hour
)

// Errors that callers can test for.
var (
	ErrUnknown = errors.New("devices: no such device")
	// ErrOtherUser says that a device belongs to another user.
	ErrOtherUser = errors.New("devices: the device belongs to another user")
	// ErrUserFull says that a user has [MaxPerUser] devices.
	ErrUserFull = errors.New("devices: the user has too many devices")
	// ErrTooManyInterests says that a device would have more than [MaxInterests].
	ErrTooManyInterests = errors.New("devices: too many interests")
	// ErrFull says that the app has as many devices as it may have, or that they are
	// too large.
	ErrFull = errors.New("devices: the app has too many devices")
	// ErrTooLarge says that what a device would be is too large for the engine.
	ErrTooLarge = errors.New("devices: the device is too large")
	// ErrUnavailable says that the engine does not answer, or that its devices were not
	// read yet. If a change was asked for, it may still have been made.
	ErrUnavailable = errors.New("devices: the engine does not answer")
)

// BucketConfig is the bucket that a store stands on.
func BucketConfig() jetstream.KeyValueConfig {
	return jetstream.KeyValueConfig{Bucket: Bucket, History: 1, LimitMarkerTTL: markers}
}

// Config is what a store stands on. Bucket and Drop are required.
type Config struct {
	// Bucket returns the bucket, made as [BucketConfig] says.
	Bucket func(context.Context) (jetstream.KeyValue, error)
	// Drop removes all from the stream of the bucket whose subject matches, up to a
	// sequence number and not with it.
	Drop func(ctx context.Context, subject string, until uint64) error
	// Writable returns why nothing should be written now, or nil. It may be nil.
	Writable func() error

	Registerer prometheus.Registerer // nil: no metrics are registered
	Log        *slog.Logger          // nil: no log
	Now        func() time.Time      // nil: time.Now
}

// A Store is the devices of all apps as one node sees them. It is safe for concurrent
// use. It implements [notification.Devices].
type Store struct {
	cfg     Config
	log     *slog.Logger
	metrics *metrics
	ctx     context.Context // until Close
	cancel  context.CancelFunc
	begin   sync.Once
	work    sync.WaitGroup
	reload  wakeup.Signal // the bucket is to be read anew
	lost    wakeup.Signal // there are losers

	seen atomic.Uint64 // the last revision that was read
	wait atomic.Int64  // how many wait for a change of seen

	mu      sync.RWMutex
	apps    map[string]*index
	bucket  jetstream.KeyValue // nil until all was read
	created time.Time          // when the bucket was made that was read
	losers  []loser            // to be removed from the bucket
	changed chan struct{}      // closed and replaced when somebody waits
}

// A loser is a device whose token another one has.
type loser struct {
	app string
	key key
}

// maxLosers is how many are remembered. Those beyond are found when the bucket is read
// again.
const maxLosers = 4096

// New returns a store that does nothing until [Store.Begin]. Whoever calls New must
// call Close.
func New(cfg Config) *Store {
	s := &Store{cfg: cfg, log: cfg.Log, reload: wakeup.New(), lost: wakeup.New(), apps: map[string]*index{}, changed: make(chan struct{})}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.cfg.Now == nil {
		s.cfg.Now = time.Now
	}
	s.metrics = newMetrics(s, cfg.Registerer)
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// Begin has the bucket read and followed until Close, so that a service without push
// has none. It does not wait. It may be called more than once.
func (s *Store) Begin() {
	s.begin.Do(func() {
		s.work.Go(s.follow)
		s.work.Go(s.removeLosers)
	})
}

// Close ends what Begin has begun.
func (s *Store) Close() {
	s.begin.Do(func() {})
	s.cancel()
	s.work.Wait()
}

// Reload has the bucket read anew, because it was lost and made again.
func (s *Store) Reload() { s.reload.Set() }

// Ready returns why devices are not known yet, or nil.
func (s *Store) Ready() error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.bucket == nil {
		return fmt.Errorf("%w: devices are being read", ErrUnavailable)
	}
	return nil
}

// Await waits until the devices were read, or ctx ends.
func (s *Store) Await(ctx context.Context) error {
	return s.await(ctx, func() bool { return s.Ready() == nil })
}

// await waits until something holds.
func (s *Store) await(ctx context.Context, holds func() bool) error {
	s.wait.Add(1)
	defer s.wait.Add(-1)
	for {
		s.mu.RLock()
		changed := s.changed
		s.mu.RUnlock()
		if holds() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return unavailable(context.Cause(ctx))
		case <-s.ctx.Done():
			return unavailable(context.Cause(s.ctx))
		}
	}
}

// tell wakes those who wait.
func (s *Store) tell() {
	if s.wait.Load() == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.changed)
	s.changed = make(chan struct{})
}

// find returns the index of an app, or nil.
func (s *Store) find(app string) *index {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.apps[app]
}

// index returns the index of an app, which it makes if need be.
func (s *Store) index(app string) *index {
	if x := s.find(app); x != nil {
		return x
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.apps[app]
	if x == nil {
		x = newIndex(app)
		x.loading = s.bucket == nil && s.created.IsZero()
		s.apps[app] = x
	}
	return x
}

// full returns ErrFull if an app may not have more than limit devices, and has them. Zero
// is no limit.
func (x *index) full(limit int) error {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if limit > 0 && (len(x.byID) >= limit || x.bytes > int64(limit)*share+maxRecord) {
		return ErrFull
	}
	return nil
}

// lose remembers a device that is to be removed from the bucket.
func (s *Store) lose(app string, k key) {
	s.mu.Lock()
	if len(s.losers) < maxLosers {
		s.losers = append(s.losers, loser{app, k})
	}
	s.mu.Unlock()
	s.lost.Set()
}

// removeLosers removes devices from the bucket whose tokens others have.
func (s *Store) removeLosers() {
	for {
		select {
		case <-s.lost:
		case <-s.ctx.Done():
			return
		}
		if s.Await(s.ctx) != nil {
			return
		}
		s.mu.Lock()
		bucket, list := s.bucket, s.losers
		s.losers = nil
		s.mu.Unlock()
		for _, l := range list {
			if err := s.removeLoser(bucket, l); err != nil && s.ctx.Err() == nil {
				s.log.Warn("a push device whose token another one has is left in the store", "app", l.app, "device", l.key, "err", err)
			}
		}
	}
}

func (s *Store) removeLoser(bucket jetstream.KeyValue, l loser) error {
	ctx, cancel := context.WithTimeout(s.ctx, writeTimeout)
	defer cancel()
	name := bucketKey(l.app, l.key.String())
	e, err := bucket.Get(ctx, name)
	if err == nil {
		err = purge(ctx, bucket, name, e.Revision())
	}
	if errors.Is(err, jetstream.ErrKeyNotFound) || errors.Is(err, jetstream.ErrKeyRevisionMismatch) {
		return nil // whoever has put the other one there was faster, or the copy that answers is behind
	}
	return err
}

// purge removes a key, of a revision if that is not zero. The mark of it goes after a
// while.
func purge(ctx context.Context, bucket jetstream.KeyValue, name string, revision uint64) error {
	opts := []jetstream.KVDeleteOpt{jetstream.PurgeTTL(markers)}
	if revision != 0 {
		opts = append(opts, jetstream.LastRevision(revision))
	}
	return bucket.Purge(ctx, name, opts...)
}

// unavailable is what a call to the engine that failed means to the caller.
func unavailable(err error) error {
	if err == nil || errors.Is(err, ErrUnavailable) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}
