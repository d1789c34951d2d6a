package idempotency

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/belfryhq/belfry/internal/backoff"
)

// maxGiven is how many keys wait to be given free. If there are more, the oldest are
// not, and repeats will be told that it is not known what became of the request.
const maxGiven = 4096

// insist is how the engine is asked again to give a key free.
var insist = backoff.Policy{First: 50 * time.Millisecond, Most: 2 * time.Second, Jitter: true}

// release is a goroutine that gives keys free, until ctx ends.
func (s *Store) release(ctx context.Context) {
	defer close(s.stopped)
	for {
		select {
		case <-s.wake:
		case <-ctx.Done():
			return
		}
		for c := s.next(); c != nil && ctx.Err() == nil; c = s.next() {
			err := insist.Retry(ctx, func() (again bool, err error) {
				err = s.free(ctx, c)
				return err != nil && time.Since(c.given) < Kept, err
			})
			if err != nil {
				s.metrics.unreleased.Inc()
				s.cfg.Log.Warn("an idempotency key was not given free; its repeats will be refused", "app", c.app, "err", err)
			}
		}
	}
}

// next takes the oldest claim that is to be given free, nil if there is none.
func (s *Store) next() *Claim {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.given) == 0 {
		s.given = nil
		return nil
	}
	c := s.given[0]
	s.given[0] = nil
	s.given = s.given[1:]
	return c
}

// errBehind says that the copy of the bucket that was asked does not know yet what has
// happened.
var errBehind = errors.New("idempotency: the engine answers with what was before")

// free makes sure that a claim is not in force, now or later. It writes even if there
// seems to be nothing: then a claim that is still on its way comes too late.
func (s *Store) free(ctx context.Context, c *Claim) error {
	if err := s.writable(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	bucket := s.cfg.Bucket
	entry, err := bucket.Get(ctx, c.key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		_, err = bucket.Create(ctx, c.key, record{}.encode())
		return err
	}
	if err != nil {
		return err
	}
	found, err := decode(entry.Value())
	switch {
	case err == nil && (found.Claim == c.nonce || found.free() && entry.Revision() <= c.base):
		_, err = bucket.Update(ctx, c.key, record{}.encode(), entry.Revision())
		return err
	case entry.Revision() <= c.base:
		return errBehind
	}
	return nil // the claim could only follow its base, and something else does
}
