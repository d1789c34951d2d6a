// Package appstore keeps the apps that are made at run time in a bucket of the
// engine, and makes a registry hold them beside those of the configuration.
//
// Every node watches the bucket, and what it sees there is what is served. A
// node serves what it has written at once, without waiting until it sees it.
// If the bucket is lost, the nodes that know its apps write them again. The
// configuration and the bucket, or two apps in the bucket, may want the same
// id or key. Then one of them has it, and the log says so. The configuration
// comes before the bucket; in the bucket it is the app that was made first.
//
// # Locks
//
// Store.mu guards what was seen of the bucket. It is held while the registry
// is changed, and so while the registry's watchers are called.
package appstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/follow"
)

// Bucket is the name of the bucket of apps.
const Bucket = "belfry_apps"

// Errors that callers can test for.
var (
	ErrUnknown  = errors.New("appstore: no such app")
	ErrReadOnly = errors.New("appstore: the app stands in the configuration")
	ErrExists   = errors.New("appstore: there is an app with that id")
	ErrKeyTaken = errors.New("appstore: the key belongs to another app")
	// ErrInstanceTaken says that another app has the name in Beams.
	ErrInstanceTaken = errors.New("appstore: push.instance_id belongs to another app")
	ErrRevision      = errors.New("appstore: the app has changed meanwhile")
	// ErrUnavailable says that the engine did not take the change in time. It
	// may still have been made.
	ErrUnavailable = errors.New("appstore: the engine does not answer")
	// ErrBusy says that others have changed the app again and again while this
	// change was tried.
	ErrBusy = fmt.Errorf("%w in time: others change the app at the same moment", ErrUnavailable)
)

// Config is what a store stands on. Bucket and Registry are required.
type Config struct {
	// Bucket keeps the last value of every key.
	Bucket jetstream.KeyValue
	// Registry is filled by the store, and by nobody else.
	Registry *apps.Registry
	// Configured are the apps of the configuration, until SetConfigured.
	Configured []*apps.App
	// Writable returns why nothing should be written now, or nil. It may be
	// nil itself.
	Writable func() error

	// Last returns the highest revision that any copy of the bucket has, as
	// far as it can be known. It may be nil.
	Last func(context.Context) (uint64, error)

	Registerer prometheus.Registerer // nil: no metrics are registered
	Log        *slog.Logger          // nil: no log
	Now        func() time.Time      // nil: time.Now
}

// An Entry is an app and what is known about it.
type Entry struct {
	// App is what was configured or made. If it lost a key or its id to
	// another app, what is served differs from it.
	App *apps.App
	// Configured says that the app stands in the configuration, and can not be
	// changed here. Then the rest is zero.
	Configured bool
	// Revision changes with every change of the app.
	Revision uint64
	Created  time.Time
	Updated  time.Time
}

// A Store is the apps of a service as one node sees them. Its methods are safe
// for concurrent use.
type Store struct {
	cfg     Config
	log     *slog.Logger
	metrics *metrics
	cancel  context.CancelFunc
	done    chan struct{} // closed when the watch has ended

	follower *follow.Follower[*record]

	mu         sync.Mutex
	configured map[string]*apps.App
	stored     map[string]*record
	deleted    map[string]uint64 // the revisions at which apps are known to be gone
	created    time.Time         // when the bucket was made that was read; zero: none was
	conflicts  map[conflict]bool // as they were logged
}

// Open reads the bucket, fills the registry, and follows both until Close.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	s := &Store{
		cfg:     cfg,
		log:     cfg.Log,
		done:    make(chan struct{}),
		stored:  map[string]*record{},
		deleted: map[string]uint64{},
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.cfg.Now == nil {
		s.cfg.Now = time.Now
	}
	s.metrics = newMetrics(s, cfg.Registerer)
	s.follower = s.newFollower()
	if err := s.SetConfigured(cfg.Configured); err != nil {
		return nil, err
	}
	watching, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.cancel = cancel
	w, err := s.await(ctx, watching)
	if err != nil {
		cancel()
		return nil, err
	}
	go func() {
		defer close(s.done)
		s.follower.Run(watching, w)
	}()
	return s, nil
}

// Close ends the watch. The registry stays as it is.
func (s *Store) Close() {
	s.cancel()
	<-s.done
}

// SetConfigured replaces the apps of the configuration. If they can not stand
// beside each other, nothing changes.
func (s *Store) SetConfigured(list []*apps.App) error {
	if _, err := apps.NewRegistry(list); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	next := make(map[string]*apps.App, len(list))
	for _, a := range list {
		if old := s.configured[a.ID]; old != nil && old.Same(a) {
			a = old
		}
		next[a.ID] = a
	}
	s.configured = next
	s.serveAllLocked()
	return nil
}

// Get returns one app.
func (s *Store) Get(id string) (Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.getLocked(id)
}

func (s *Store) getLocked(id string) (Entry, error) {
	if a := s.configured[id]; a != nil {
		return Entry{App: a, Configured: true}, nil
	}
	if r := s.stored[id]; r != nil {
		return r.entry(), nil
	}
	return Entry{}, ErrUnknown
}

// List returns up to limit apps, ordered by id, that come after one id, and
// whether there are more. Apps that are not wanted are as if they were not there.
func (s *Store) List(after string, limit int, wanted func(id string) bool) (list []Entry, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []string
	for _, from := range []map[string]struct{}{keysOf(s.configured), keysOf(s.stored)} {
		for id := range from {
			if id > after && wanted(id) {
				ids = append(ids, id)
			}
		}
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	more = len(ids) > limit
	for _, id := range ids[:min(len(ids), limit)] {
		e, err := s.getLocked(id)
		if err != nil {
			panic(err) // the lock is held
		}
		list = append(list, e)
	}
	return list, more
}

func keysOf[V any](m map[string]V) map[string]struct{} {
	set := make(map[string]struct{}, len(m))
	for k := range m {
		set[k] = struct{}{}
	}
	return set
}

// Len is the number of apps in the configuration, and of those made at run
// time.
func (s *Store) Len() (configured, stored int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.configured), len(s.stored)
}

// A conflict is something that two apps want.
type conflict struct {
	what   string // "id" or "key"
	wanted string // the id or the key
	loser  string // the app that does not have it
}

// serveAllLocked makes the registry hold what should be served, whatever it
// holds now. s.mu is held.
func (s *Store) serveAllLocked() {
	owner := map[string]string{} // of a key
	conflicts := map[conflict]bool{}
	serve := map[string]*apps.App{}
	for id, a := range s.configured {
		for _, k := range a.Keys {
			owner[k.Key] = id
		}
		serve[id] = a
	}
	for _, r := range slices.SortedFunc(maps.Values(s.stored), olderFirst) {
		if s.configured[r.app.ID] != nil {
			conflicts[conflict{"id", r.app.ID, r.app.ID}] = true
			continue
		}
		a := r.app
		for _, k := range r.app.Keys {
			if _, taken := owner[k.Key]; !taken {
				owner[k.Key] = a.ID
				continue
			}
			conflicts[conflict{"key", k.Key, r.app.ID}] = true
			a = withoutKey(a, k.Key)
		}
		if now := s.cfg.Registry.ByID(a.ID); now != nil && now.Same(a) {
			a = now
		}
		serve[a.ID] = a
	}
	s.logConflicts(conflicts, owner)
	s.conflicts = conflicts
	var gone []string
	for _, a := range s.cfg.Registry.All() {
		if serve[a.ID] == nil {
			gone = append(gone, a.ID)
		}
	}
	if err := s.cfg.Registry.Apply(slices.Collect(maps.Values(serve)), gone); err != nil {
		s.log.Error("apps can not be served", "err", err)
	}
}

// serveLocked makes the registry hold what should be served, where only some
// apps have changed. s.mu is held.
func (s *Store) serveLocked(ids []string) {
	if len(s.conflicts) > 0 {
		s.serveAllLocked()
		return
	}
	var put []*apps.App
	var gone []string
	for _, id := range ids {
		switch r := s.stored[id]; {
		case s.configured[id] != nil && r != nil:
			s.serveAllLocked() // a conflict that is new
			return
		case s.configured[id] != nil:
		case r == nil:
			gone = append(gone, id)
		default:
			put = append(put, r.app)
		}
	}
	if s.cfg.Registry.Apply(put, gone) != nil { // a key that another app has
		s.serveAllLocked()
	}
}

func (s *Store) logConflicts(conflicts map[conflict]bool, owner map[string]string) {
	for c := range conflicts {
		switch {
		case s.conflicts[c]:
		case c.what == "id":
			s.log.Warn("an app that was made at run time is not served: the configuration has one with its id", "app", c.loser)
		default:
			s.log.Warn("a key does not work for one app: another has it", "key", c.wanted, "app", c.loser, "owner", owner[c.wanted])
		}
	}
}

func olderFirst(r, q *record) int {
	return cmp.Or(r.created.Compare(q.created), cmp.Compare(r.app.ID, q.app.ID))
}

func withoutKey(a *apps.App, key string) *apps.App {
	b := *a
	b.Keys = slices.DeleteFunc(slices.Clone(a.Keys), func(k apps.Key) bool { return k.Key == key })
	return &b
}

// unavailable is what a call to the engine that failed means to the caller.
func unavailable(err error) error { return fmt.Errorf("%w: %w", ErrUnavailable, err) }
