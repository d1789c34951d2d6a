// Package idempotency remembers the idempotency keys of backends, so that the repeat of
// a request does nothing and is answered like the first one, on whichever node.
//
// A key is claimed before its request does anything, by one create in a bucket of the
// engine. So of any number of requests with one key, on any nodes, one gets it.
// When that is done, its answer is written beside the key. What was
// not done after all gives the key free again, for the next request.
//
// Between the claim and the answer the process may die. Nobody knows then whether the
// request was carried out. Later ones with the key are told so, and do nothing:
// a key never lets a request happen twice.
//
// A claim that the engine has not answered may have been written all the same. The
// request is refused, and the store goes on until the key is surely free.
//
// Keys and requests are remembered as hashes. The package does not know what
// requests do.
//
// # Locks
//
// Store.mu guards what is to be given free, and shares.mu what apps have used. Neither is
// held during calls to the engine.
package idempotency

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfryhq/belfry/internal/backoff"
	"github.com/belfryhq/belfry/internal/wakeup"
)

const (
	// Bucket is the name of the bucket of keys.
	Bucket = "belfry_idempotency"
	// Kept is how long a key is remembered, from its last change.
	Kept = 10 * time.Minute
	// MaxKey is how long a key may be, in bytes.
	MaxKey = 255

	// maxBytes is what all keys may take in the engine, and memoryBytes if that
	// keeps them in memory.
	maxBytes, memoryBytes = 256 << 20, 64 << 20
	// patience is how long the engine has for one step.
	patience = 2 * time.Second
	// unfinished is how old a claim without an answer is when it will not get one:
	// no request takes as long.
	unfinished = 10 * time.Second
	// maxWaiting is how many requests wait for the answer of another at once.
	maxWaiting = 256
)

// Errors that callers can test for. With each of them, the request must do nothing.
var (
	// ErrOtherRequest says that the key belongs to another request.
	ErrOtherRequest = errors.New("idempotency: the key belongs to another request")
	// ErrInProgress says that a request with the key is under way.
	ErrInProgress = errors.New("idempotency: a request with this key is under way")
	// ErrUnfinished says that it is not known whether a request with the key was
	// carried out: the node that had it has ended meanwhile.
	ErrUnfinished = errors.New("idempotency: what became of the request with this key is not known")
	// ErrUnavailable says that the engine can not agree on the key now.
	ErrUnavailable = errors.New("idempotency: the engine does not answer")
	// ErrFull says that the app, or all together, have too many keys.
	ErrFull = errors.New("idempotency: too many keys")
)

// A Digest is what requests are told apart by.
type Digest [16]byte

// DigestOf returns the digest of a request of which these are the parts.
func DigestOf(parts ...[]byte) (d Digest) {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:", len(p))
		h.Write(p)
	}
	copy(d[:], h.Sum(nil))
	return d
}

// MarshalText implements [encoding.TextMarshaler]. It does not fail.
func (d Digest) MarshalText() ([]byte, error) {
	return base64.RawURLEncoding.AppendEncode(nil, d[:]), nil
}

// UnmarshalText implements [encoding.TextUnmarshaler].
func (d *Digest) UnmarshalText(text []byte) error {
	b, err := base64.RawURLEncoding.AppendDecode(nil, text)
	if err != nil || len(b) != len(d) {
		return errors.New("idempotency: this is no digest")
	}
	copy(d[:], b)
	return nil
}

// BucketConfig is the bucket that a store stands on, in that kind of storage.
func BucketConfig(storage jetstream.StorageType) jetstream.KeyValueConfig {
	return jetstream.KeyValueConfig{Bucket: Bucket, History: 1, TTL: Kept, MaxBytes: sizeIn(storage), Storage: storage}
}

func sizeIn(storage jetstream.StorageType) int64 {
	if storage == jetstream.MemoryStorage {
		return memoryBytes
	}
	return maxBytes
}

// Config is what a store stands on. Bucket is required.
type Config struct {
	// Bucket is made as [BucketConfig] says, in that kind of storage.
	Bucket  jetstream.KeyValue
	Storage jetstream.StorageType
	// Share is how many bytes the keys of one app may take that were claimed on this
	// node. Zero means half of what all may.
	Share int64
	// Writable returns why nothing should be written now, or nil. It may be nil
	// itself.
	Writable func() error

	Registerer prometheus.Registerer // nil: no metrics are registered
	Log        *slog.Logger          // nil: no log
}

// A Store remembers keys. Its methods are safe for concurrent use.
type Store struct {
	cfg     Config
	metrics *metrics
	shares  shares
	waiting chan struct{} // holds one of each request that waits

	mu    sync.Mutex
	given []*Claim // to be given free, the oldest first
	wake  wakeup.Signal

	stop    context.CancelFunc
	stopped chan struct{}
}

// New returns a store. Whoever calls it must call Close.
func New(cfg Config) *Store {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Store{cfg: cfg, waiting: make(chan struct{}, maxWaiting), wake: wakeup.New(), stopped: make(chan struct{})}
	s.shares.limit = cmp.Or(cfg.Share, sizeIn(cfg.Storage)/2)
	s.metrics = newMetrics(s, cfg.Registerer)
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	go s.release(ctx)
	return s
}

// Close gives up what is still to be given free.
func (s *Store) Close() {
	s.stop()
	<-s.stopped
}

// writable returns why no key can be claimed now, or nil.
func (s *Store) writable() error {
	if s.cfg.Writable == nil {
		return nil
	}
	if err := s.cfg.Writable(); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return nil
}

// subject is where the key of an app stands in the bucket. It has the same length
// for all, and says nothing about the key.
func subject(app, key string) string {
	text, _ := DigestOf([]byte(app), []byte(key)).MarshalText()
	return string(text)
}

// poll is how it is asked again whether a request has its answer.
var poll = backoff.Policy{First: 25 * time.Millisecond, Most: 200 * time.Millisecond, Jitter: true}

// Claim claims a key of an app for a request. If the request is the first one with the
// key, it gets a claim, and must end that with [Claim.Done] or [Claim.Release]. If
// it is a repeat, it gets the answer of the first one instead. If that is under
// way, Claim waits for it, until ctx ends or for two seconds.
func (s *Store) Claim(ctx context.Context, app, key string, request Digest) (c *Claim, answer []byte, err error) {
	defer func() { s.metrics.claimed(c, err) }()
	if err := s.writable(); err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	mine := &Claim{store: s, app: app, key: subject(app, key), request: request, nonce: newNonce()}
	answer, err = mine.attempt(ctx)
	if errors.Is(err, ErrInProgress) {
		answer, err = s.await(ctx, mine)
	}
	switch {
	case err != nil:
		return nil, nil, err
	case answer != nil:
		return nil, answer, nil
	}
	return mine, nil, nil
}

// await tries again while another request has the key, unless too many do.
func (s *Store) await(ctx context.Context, c *Claim) (answer []byte, err error) {
	select {
	case s.waiting <- struct{}{}:
		defer func() { <-s.waiting }()
	default:
		return nil, ErrInProgress
	}
	err = poll.Retry(ctx, func() (again bool, err error) {
		answer, err = c.look(ctx, false)
		return errors.Is(err, ErrInProgress), err
	})
	if err != nil && ctx.Err() != nil {
		return nil, ErrInProgress
	}
	return answer, err
}

// isFull reports whether the engine refuses because the bucket has no room.
func isFull(err error) bool {
	refusal, ok := errors.AsType[*jetstream.APIError](err)
	return ok && uint16(refusal.ErrorCode) == uint16(natsserver.JSStreamStoreFailedF)
}
