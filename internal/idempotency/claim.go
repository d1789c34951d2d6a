package idempotency

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// A Claim is a key that one request has. One goroutine may use it.
type Claim struct {
	store   *Store
	app     string
	key     string // its subject
	request Digest
	nonce   string // tells this claim from all others of the key

	base     uint64 // revision on which the claim was built; 0: there was none
	revision uint64 // of the claim; 0: not known
	given    time.Time
}

// attempt tries to get the key. It returns the answer of the request that has it, nil
// if that is now this one.
func (c *Claim) attempt(ctx context.Context) (answer []byte, err error) {
	full := c.store.shares.full(c.app, time.Now())
	if !full {
		revision, err := c.store.cfg.Bucket.Create(ctx, c.key, c.record().encode())
		full = isFull(err)
		if !full && !errors.Is(err, jetstream.ErrKeyExists) {
			return nil, c.written(0, revision, err)
		}
	}
	return c.look(ctx, full)
}

// look is attempt where something stands under the key, unless full is set: then there
// may be nothing, and no room for it.
func (c *Claim) look(ctx context.Context, full bool) (answer []byte, err error) {
	entry, err := c.store.cfg.Bucket.Get(ctx, c.key)
	switch {
	case errors.Is(err, jetstream.ErrKeyNotFound) && full:
		return nil, ErrFull
	case errors.Is(err, jetstream.ErrKeyNotFound):
		return nil, ErrInProgress // it has just expired, or the copy that answers is a moment behind
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return c.follow(ctx, entry)
}

func (c *Claim) record() record { return record{Request: c.request, Claim: c.nonce} }

// follow is attempt where something stands under the key.
func (c *Claim) follow(ctx context.Context, entry jetstream.KeyValueEntry) (answer []byte, err error) {
	found, err := decode(entry.Value())
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrUnfinished, err)
	case found.free():
		revision, err := c.store.cfg.Bucket.Update(ctx, c.key, c.record().encode(), entry.Revision())
		if errors.Is(err, jetstream.ErrKeyRevisionMismatch) {
			return nil, ErrInProgress
		}
		return nil, c.written(entry.Revision(), revision, err)
	case found.Request != c.request:
		return nil, ErrOtherRequest
	case found.Answer != nil:
		return found.Answer, nil
	case time.Since(entry.Created()) > unfinished:
		return nil, ErrUnfinished
	}
	return nil, ErrInProgress
}

// written notes what became of the write that claims the key. If that is not known,
// it is made sure that the key is free.
func (c *Claim) written(base, revision uint64, err error) error {
	c.base, c.revision = base, revision
	switch {
	case err == nil:
		c.store.shares.add(c.app, recordCost, time.Now())
		return nil
	case isFull(err):
		return ErrFull
	}
	c.Release()
	return fmt.Errorf("%w: %w", ErrUnavailable, err)
}

// Done writes the answer, which is JSON, beside the key. When it returns, after two seconds at
// the latest, the request may be answered. If the engine has not taken it, repeats will be
// told that it is not known what became of the request.
func (c *Claim) Done(answer []byte) {
	s := c.store
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r := c.record()
	r.Answer = answer
	if _, err := s.cfg.Bucket.Update(ctx, c.key, r.encode(), c.revision); err != nil {
		s.metrics.unanswered.Inc()
		s.cfg.Log.Warn("the answer to a request with an idempotency key was not written; its repeats will be refused", "app", c.app, "err", err)
	}
	s.shares.add(c.app, int64(len(answer)), time.Now())
}

// Release gives the key free, because the request has done nothing. It does not wait
// for the engine.
func (c *Claim) Release() {
	s := c.store
	c.given = time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.given) == maxGiven {
		s.metrics.unreleased.Inc()
		s.given = s.given[1:]
	}
	s.given = append(s.given, c)
	s.wake.Set()
}
