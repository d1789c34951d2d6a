// Package tokenstore keeps the named tokens of a service in a bucket of the engine.
// Of their secrets it keeps hashes only: who makes a token is told its secret once.
//
// Every node watches the bucket, and what it has seen there is what is valid. A node
// knows nothing of its own: if the bucket is lost, all named tokens are. Who has the
// token of the service can make others. A node that is cut off from the engine goes
// by what it saw last.
//
// Tokens are neither given other roles nor other secrets: make another, and revoke
// the first. They lose apps that are deleted, and end with the last of them.
//
// # Locks
//
// Store.mu guards what was seen of the bucket. While it is held, nothing is called
// but what ends the life of a token.
package tokenstore

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/belfryhq/belfry/internal/access"
	"github.com/belfryhq/belfry/internal/follow"
	"github.com/belfryhq/belfry/internal/wakeup"
)

const (
	// Bucket is the name of the bucket of tokens.
	Bucket = "belfry_tokens"
	// MaxTokens is how many tokens a service has.
	MaxTokens = 1000

	// writeTimeout is how long the engine has for one change, until it is seen here.
	writeTimeout = 5 * time.Second
)

// Errors that callers can test for.
var (
	ErrUnknown = errors.New("tokenstore: no such token")
	ErrExists  = errors.New("tokenstore: there is a token of that name")
	ErrTooMany = errors.New("tokenstore: there are too many tokens")
	// ErrUnavailable says that the engine does not answer. If a change was asked
	// for, it may still have been made.
	ErrUnavailable = errors.New("tokenstore: the engine does not answer")
)

// Config is what a store stands on. Bucket is required.
type Config struct {
	// Bucket returns the bucket, which it makes if need be.
	Bucket func(context.Context) (jetstream.KeyValue, error)
	// Last returns the highest revision that any copy of the bucket has, as far as
	// it can be known. It may be nil.
	Last func(context.Context) (uint64, error)
	// Writable returns why nothing should be written now, or nil. It may be nil.
	Writable func() error
	Log      *slog.Logger // nil: no log
}

// A Store is the named tokens of a service as one node sees them. It is safe for
// concurrent use. It implements [access.Tokens].
type Store struct {
	cfg    Config
	log    *slog.Logger
	ctx    context.Context // until Close
	cancel context.CancelFunc
	work   sync.WaitGroup
	used   wakeup.Signal // a token was used

	follower *follow.Follower[jetstream.KeyValueEntry]

	mu      sync.Mutex
	bucket  jetstream.KeyValue // nil until everything in it was seen
	byName  map[string]*token
	byHash  map[digest]*token
	changed chan struct{} // closed and replaced with each change
}

// A token is one that was seen in the bucket.
type token struct {
	stored
	hash digest
	end  context.CancelFunc
	seen *access.Token

	// Guarded by Store.mu.
	used    time.Time // as this node knows it
	written time.Time // what stands in the bucket of it
}

// Open begins to read the bucket, and follows it until Close. It does not wait for
// the engine.
func Open(cfg Config) *Store {
	s := &Store{
		cfg: cfg, log: cfg.Log, used: wakeup.New(),
		byName: map[string]*token{}, byHash: map[digest]*token{}, changed: make(chan struct{}),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.follower = s.newFollower()
	s.work.Go(func() { s.follower.Run(s.ctx, nil) })
	s.work.Go(s.noteUses)
	return s
}

// Close ends what Open has begun, and the life of all tokens.
func (s *Store) Close() {
	s.cancel()
	s.work.Wait()
}

// Reload has the bucket read anew, because it was lost and made again.
func (s *Store) Reload() { s.follower.Reload() }

// Find implements [access.Tokens].
func (s *Store) Find(secret string) (*access.Token, error) {
	hash := digest(sha256.Sum256([]byte(secret)))
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bucket == nil {
		return nil, ErrUnavailable
	}
	t := s.byHash[hash]
	if t == nil || t.seen.Life.Err() != nil {
		return nil, nil
	}
	if t.used = time.Now(); t.used.Sub(t.written) >= useEvery {
		s.used.Set()
	}
	return t.seen, nil
}

// An Entry is a token as operators see it.
type Entry struct {
	Grant
	Expired bool
	Used    time.Time // last, to the hour and as far as it is known; zero: never
}

// List returns all tokens, ordered by name.
func (s *Store) List() ([]Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bucket == nil {
		return nil, ErrUnavailable
	}
	list := make([]Entry, 0, len(s.byName))
	for _, t := range s.byName {
		used := t.used
		if t.written.After(used) {
			used = t.written
		}
		list = append(list, Entry{t.Grant, t.seen.Life.Err() != nil, used})
	}
	slices.SortFunc(list, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

// Create makes a token and returns its secret, which nobody can find out later. When
// Create returns, the token is valid on this node. The errors are a [*Mistake],
// [ErrExists], [ErrTooMany] and [ErrUnavailable].
func (s *Store) Create(ctx context.Context, r Grant) (secret string, _ Grant, err error) {
	if err := Check(r); err != nil {
		return "", r, err
	}
	secret = access.TokenPrefix + rand.Text() + rand.Text()
	hash := sha256.Sum256([]byte(secret))
	r.Created = time.Now().UTC().Truncate(time.Second)
	made := &stored{Grant: r, ID: rand.Text(), Hash: hex.EncodeToString(hash[:])}
	err = s.change(ctx, func(ctx context.Context, bucket jetstream.KeyValue) error {
		s.mu.Lock()
		full := len(s.byName) >= MaxTokens
		s.mu.Unlock()
		if full {
			return ErrTooMany
		}
		value, err := json.Marshal(made)
		if err != nil {
			return fmt.Errorf("tokenstore: %w", err)
		}
		_, err = bucket.Create(ctx, bucketKey(r.Name), value)
		if errors.Is(err, jetstream.ErrKeyExists) {
			return ErrExists
		}
		return unavailable(err)
	}, func() bool { return s.byName[r.Name] != nil && s.byName[r.Name].ID == made.ID })
	if err != nil {
		return "", r, err
	}
	s.log.Info("token made", "name", r.Name, "role", r.Role, "apps", r.Apps, "by", r.By)
	return secret, r, nil
}

// Revoke ends a token. When Revoke returns, this node has ended what was begun with
// it; others do so when they see it. The errors are [ErrUnknown] and [ErrUnavailable].
func (s *Store) Revoke(ctx context.Context, name string) error {
	if !nameOf.MatchString(name) {
		return ErrUnknown
	}
	id := ""
	err := s.change(ctx, func(ctx context.Context, bucket jetstream.KeyValue) error {
		e, err := bucket.Get(ctx, bucketKey(name))
		if errors.Is(err, jetstream.ErrKeyNotFound) {
			return ErrUnknown
		}
		if err != nil {
			return unavailable(err)
		}
		if err := bucket.Delete(ctx, e.Key()); err != nil {
			return unavailable(err)
		}
		r, err := decode(e.Key(), e.Value())
		if err != nil {
			return nil // of what can not be read nothing else is known
		}
		id = r.ID
		return unavailable(bucket.Delete(ctx, usePrefix+id))
	}, func() bool { return s.byName[name] == nil || s.byName[name].ID != id })
	if err != nil {
		return err
	}
	s.log.Info("token revoked", "name", name)
	return nil
}

// DropApp takes an app that was deleted from the tokens that name it. Those that
// name no other end. What was begun with the others ends too, and they go on.
func (s *Store) DropApp(ctx context.Context, app string) error {
	s.mu.Lock()
	var names []string
	for _, t := range s.byName {
		if slices.Contains(t.Apps, app) {
			names = append(names, t.Name)
		}
	}
	s.mu.Unlock()
	var failed error
	for _, name := range names {
		err := s.change(ctx, func(ctx context.Context, bucket jetstream.KeyValue) error {
			return s.dropFrom(ctx, bucket, name, app)
		}, func() bool { return s.byName[name] == nil || !slices.Contains(s.byName[name].Apps, app) })
		failed = errors.Join(failed, err)
	}
	return failed
}

// dropFrom takes an app from a token.
func (s *Store) dropFrom(ctx context.Context, bucket jetstream.KeyValue, name, app string) error {
	e, err := bucket.Get(ctx, bucketKey(name))
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil
	}
	if err != nil {
		return unavailable(err)
	}
	r, err := decode(e.Key(), e.Value())
	if err != nil {
		return err
	}
	r.Apps = slices.DeleteFunc(r.Apps, func(id string) bool { return id == app })
	if len(r.Apps) == 0 {
		return unavailable(bucket.Delete(ctx, e.Key(), jetstream.LastRevision(e.Revision())))
	}
	value, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("tokenstore: %w", err)
	}
	_, err = bucket.Update(ctx, e.Key(), value, e.Revision())
	return unavailable(err)
}

// change writes to the bucket and waits until this node has seen it: until seen,
// which is called with Store.mu held, says so. It goes on when whoever asks is gone:
// he may have ended his own token.
func (s *Store) change(ctx context.Context, write func(context.Context, jetstream.KeyValue) error, seen func() bool) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writeTimeout)
	defer cancel()
	if s.cfg.Writable != nil {
		if err := s.cfg.Writable(); err != nil {
			return unavailable(err)
		}
	}
	if err := s.await(ctx, func() bool { return s.bucket != nil }); err != nil {
		return err
	}
	s.mu.Lock()
	bucket := s.bucket
	s.mu.Unlock()
	if err := write(ctx, bucket); err != nil {
		return err
	}
	return s.await(ctx, seen)
}

// await waits until something holds, which is asked with Store.mu held.
func (s *Store) await(ctx context.Context, holds func() bool) error {
	for {
		s.mu.Lock()
		done, changed := holds(), s.changed
		s.mu.Unlock()
		if done {
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

// unavailable is what a call to the engine that failed means to the caller.
func unavailable(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}
