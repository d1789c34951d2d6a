// Package usage keeps, for every app and hour, how much the app was used: the
// most connections at once, the events and their deliveries, and the requests of
// backends. It asks for what was used once a minute, so that counting costs the
// ways of events nothing but the counters themselves.
//
// What is kept stands in a bucket of the engine, one value for each hour, node
// and share of the apps, and is forgotten after [Kept]. A node that dies loses
// the minute that it had not written; one that comes back within the hour
// goes on where it was.
//
// Of the last hours it also has the minutes, in memory: see [Recorder.Recent].
//
// # Locks
//
// Recorder.mu guards the hour that is being counted. It is held during calls
// to the engine; nobody waits for it but other readers of usage. recent.mu guards the
// minutes, and is taken after it or without it, so that they are told while the engine
// does not answer.
package usage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
)

const (
	// Bucket is the name of the bucket of usage.
	Bucket = "belfry_usage"
	// Kept is how long usage is remembered.
	Kept = 31 * 24 * time.Hour

	// interval is how often usage is asked for and written.
	interval = time.Minute
	// writeTimeout is how long the engine has for one value.
	writeTimeout = 5 * time.Second
)

// ErrUnavailable says that the engine did not answer.
var ErrUnavailable = errors.New("usage: the engine does not answer")

// A Sample is what an app used since it was asked for last.
type Sample struct {
	PeakConnections                         int // at once
	BackendEvents, ClientEvents, Deliveries uint64
	Requests                                uint64 // of backends
}

// An Hour is what an app used within one hour. With several nodes the peak is
// the sum of theirs, which may not have been in the same moment.
type Hour struct {
	Hour            time.Time `json:"hour"` // its beginning
	PeakConnections int       `json:"peak_connections"`
	BackendEvents   uint64    `json:"backend_events"`
	ClientEvents    uint64    `json:"client_events"`
	Deliveries      uint64    `json:"deliveries"`
	Requests        uint64    `json:"requests"` // of backends
}

// Config is what a recorder stands on. JetStream and Take are required.
type Config struct {
	JetStream jetstream.JetStream
	Storage   jetstream.StorageType
	// MakeBucket makes the bucket if need be. Nil means the method of JetStream.
	MakeBucket func(context.Context, jetstream.KeyValueConfig) (jetstream.KeyValue, error)
	// Node names this node among those of the cluster. It must stay the same
	// when the node starts again. Empty means that there is only one.
	Node string
	// Take calls each for the apps that were used, with what they used since
	// the last call. It may call it more than once for an app.
	Take func(each func(app string, s Sample))

	// TopApps is for how many apps there are metrics: those that are used most.
	// Zero is none. App tells how many connections an app has now, and whether
	// there is one with that id; it is needed with TopApps.
	TopApps int
	App     func(id string) (connections int, ok bool)

	Registerer prometheus.Registerer // nil: no metrics are registered
	Log        *slog.Logger          // nil: no log
	Now        func() time.Time      // nil: time.Now
}

// A Recorder keeps usage. Its methods are safe for concurrent use.
type Recorder struct {
	cfg     Config
	log     *slog.Logger
	metrics *metrics
	bucket  jetstream.KeyValue
	stop    chan struct{}
	done    chan struct{}

	mu      sync.Mutex
	hour    hourNumber
	latest  hourNumber // that was counted; hour is less if the clock was set back
	shards  [shardCount]shard
	unsaved map[string][]byte // values of earlier hours that could not be written, by key
	recent  recent
}

// nodeName is what can stand in a key of the bucket.
var nodeName = regexp.MustCompile(`^[-_A-Za-z0-9]{1,64}$`)

// Open reads what this node counted in the current hour, and counts on until
// Close.
func Open(ctx context.Context, cfg Config) (*Recorder, error) {
	r := &Recorder{cfg: cfg, log: cfg.Log, stop: make(chan struct{}), done: make(chan struct{}), unsaved: map[string][]byte{}}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	if r.cfg.Now == nil {
		r.cfg.Now = time.Now
	}
	if r.cfg.Node == "" {
		r.cfg.Node = "node"
	}
	if !nodeName.MatchString(r.cfg.Node) {
		return nil, fmt.Errorf("usage: %q is not a name for a node", r.cfg.Node)
	}
	var err error
	makeBucket := cfg.MakeBucket
	if makeBucket == nil {
		makeBucket = cfg.JetStream.CreateOrUpdateKeyValue
	}
	r.bucket, err = makeBucket(ctx, jetstream.KeyValueConfig{
		Bucket: Bucket, History: 1, TTL: Kept, Storage: cfg.Storage,
	})
	if err != nil {
		return nil, fmt.Errorf("usage: bucket: %w", err)
	}
	r.hour = numberOf(r.cfg.Now())
	r.latest = r.hour
	r.recent.taken = r.cfg.Now()
	r.recent.began = minuteOf(r.recent.taken)
	if r.shards, err = r.counted(ctx, r.hour); err != nil {
		return nil, err
	}
	r.metrics = newMetrics(cfg.Registerer)
	if cfg.Registerer != nil && cfg.TopApps > 0 {
		cfg.Registerer.MustRegister(topApps{r})
	}
	go r.run()
	return r, nil
}

// counted returns what was counted before on this node in an hour: by an
// earlier process, or before the clock was set back.
func (r *Recorder) counted(ctx context.Context, n hourNumber) (shards [shardCount]shard, err error) {
	for i := range shards {
		shards[i].apps = map[string]*counts{}
		value, unsaved := r.unsaved[r.key(n, i)]
		if !unsaved {
			e, err := r.bucket.Get(ctx, r.key(n, i))
			if errors.Is(err, jetstream.ErrKeyNotFound) {
				continue
			}
			if err != nil {
				return shards, fmt.Errorf("%w: %w", ErrUnavailable, err)
			}
			value = e.Value()
		}
		apps, err := decode(value)
		if err != nil {
			r.log.Warn("usage of this hour can not be read; it is counted anew", "err", err)
			continue
		}
		for app, c := range apps {
			shards[i].apps[app] = &c
		}
	}
	return shards, nil
}

// run counts until Close.
func (r *Recorder) run() {
	defer close(r.done)
	for {
		now := r.cfg.Now()
		next := now.Truncate(interval).Add(interval)
		select {
		case <-time.After(next.Sub(now)):
			r.Flush(context.Background())
		case <-r.stop:
			return
		}
	}
}

// Close writes what was used until now.
func (r *Recorder) Close(ctx context.Context) error {
	close(r.stop)
	<-r.done
	return r.Flush(ctx)
}

// Flush asks for what was used and writes it. What can not be written is kept
// for the next time.
func (r *Recorder) Flush(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	// What is taken now was used since the last time, so it belongs to that
	// hour: the first minute of an hour is the first that is taken in it.
	r.takeLocked()
	err := r.writeLocked(ctx)
	if now := numberOf(r.cfg.Now()); now != r.hour {
		err = errors.Join(err, r.turnLocked(ctx, now))
	}
	if err != nil {
		r.metrics.failures.Inc()
		r.log.Warn("usage was not written; it is kept for the next time", "err", err)
	}
	return err
}

func (r *Recorder) takeLocked() {
	r.recent.take(r.cfg.Now())
	r.cfg.Take(func(app string, s Sample) {
		if s == (Sample{}) {
			return
		}
		r.recent.add(app, s)
		sh := &r.shards[shardOf(app)]
		c := sh.apps[app]
		if c == nil {
			c = &counts{}
			sh.apps[app] = c
		}
		if c.add(s) {
			sh.dirty = true
		}
	})
}

// writeLocked writes what has changed.
func (r *Recorder) writeLocked(ctx context.Context) error {
	for key, value := range r.unsaved {
		if err := r.put(ctx, key, value); err != nil {
			return err
		}
		delete(r.unsaved, key)
	}
	for i := range r.shards {
		sh := &r.shards[i]
		if !sh.dirty {
			continue
		}
		if err := r.put(ctx, r.key(r.hour, i), encode(sh.apps)); err != nil {
			return err
		}
		sh.dirty = false
	}
	return nil
}

func (r *Recorder) put(ctx context.Context, key string, value []byte) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	if _, err := r.bucket.Put(ctx, key, value); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	r.metrics.writes.Inc()
	return nil
}

// Rewrite has everything of this hour written anew with the next flush, because
// the bucket was lost and made again. Usage of earlier hours is gone.
func (r *Recorder) Rewrite() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.shards {
		r.shards[i].dirty = r.shards[i].dirty || len(r.shards[i].apps) > 0
	}
}

// maxUnsaved is how many values of earlier hours wait to be written.
const maxUnsaved = 24 * shardCount

// turnLocked begins another hour, or goes on with one if the clock was set
// back. If that can not be read, it is tried again the next time.
func (r *Recorder) turnLocked(ctx context.Context, now hourNumber) error {
	var next [shardCount]shard
	if now <= r.latest {
		ctx, cancel := context.WithTimeout(ctx, writeTimeout)
		defer cancel()
		var err error
		if next, err = r.counted(ctx, now); err != nil {
			return err
		}
	}
	for i := range r.shards {
		sh := &r.shards[i]
		if sh.dirty && len(r.unsaved) < maxUnsaved {
			r.unsaved[r.key(r.hour, i)] = encode(sh.apps)
		} else if sh.dirty {
			r.metrics.lost.Inc()
			r.log.Error("usage of an hour is lost: too much waits to be written", "hour", r.hour.time())
		}
		if next[i].apps == nil {
			next[i].apps = map[string]*counts{}
		}
	}
	r.hour, r.latest, r.shards = now, max(now, r.latest), next
	return nil
}
