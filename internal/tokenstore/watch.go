package tokenstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/belfryhq/belfry/internal/access"
	"github.com/belfryhq/belfry/internal/backoff"
)

const (
	// againAfter is how long a watch that ended is not begun again.
	againAfter = time.Second
	// loadTimeout bounds one attempt to read everything.
	loadTimeout = time.Minute
	// useEvery is how often it is written down that a token is used.
	useEvery = time.Hour
	// overdue is how long a copy of the bucket may add nothing while it lacks
	// something that another one has.
	overdue = 2 * time.Second
)

// follow makes true what stands in the bucket, until Close.
func (s *Store) follow() {
	for s.ctx.Err() == nil {
		bucket, w, err := s.load()
		if err != nil {
			if s.ctx.Err() == nil {
				s.log.Warn("changes of named tokens are not seen at the moment", "err", err)
			}
			backoff.Sleep(s.ctx, againAfter)
			continue
		}
		s.take(bucket, w)
		_ = w.Stop() // it is over in any case
	}
}

// load reads the bucket and returns what watches it from there on.
func (s *Store) load() (jetstream.KeyValue, jetstream.KeyWatcher, error) {
	ctx, cancel := context.WithTimeout(s.ctx, loadTimeout)
	defer cancel()
	bucket, err := s.cfg.Bucket(ctx)
	if err != nil {
		return nil, nil, err
	}
	last := uint64(0)
	if s.cfg.Last != nil {
		if last, err = s.cfg.Last(ctx); err != nil {
			return nil, nil, fmt.Errorf("tokenstore: ask for the bucket: %w", err)
		}
	}
	w, err := bucket.WatchAll(s.ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("tokenstore: watch the bucket: %w", err)
	}
	found, err := readAll(ctx, w, last)
	if err != nil {
		return nil, nil, errors.Join(err, w.Stop())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.byName {
		if found[bucketKey(name)] == nil {
			s.removeLocked(name)
		}
	}
	for _, e := range found {
		s.applyLocked(e)
	}
	for _, e := range found { // when all tokens are there
		s.usedLocked(e)
	}
	s.bucket = bucket
	s.changedLocked()
	return bucket, w, nil
}

// readAll returns the values that are in the bucket, by key, when it was read up to
// a revision at least: the copy that is asked may be behind, and have tokens that are
// revoked.
func readAll(ctx context.Context, w jetstream.KeyWatcher, last uint64) (map[string]jetstream.KeyValueEntry, error) {
	found := map[string]jetstream.KeyValueEntry{}
	late := time.NewTimer(overdue)
	defer late.Stop()
	for read, ended := uint64(0), false; !ended || read < last; {
		select {
		case e, ok := <-w.Updates():
			switch {
			case !ok:
				return nil, errors.New("tokenstore: the watch of the bucket ended")
			case e == nil:
				ended = true
				continue
			}
			late.Reset(overdue)
			read = max(read, e.Revision())
			delete(found, e.Key())
			if e.Operation() == jetstream.KeyValuePut {
				found[e.Key()] = e
			}
		case <-late.C:
			return nil, errors.New("tokenstore: the copy of the bucket that is read has not everything yet")
		case <-ctx.Done():
			return nil, fmt.Errorf("tokenstore: read the bucket: %w", context.Cause(ctx))
		}
	}
	return found, nil
}

// take makes the changes of one watch true, until that ends.
func (s *Store) take(bucket jetstream.KeyValue, w jetstream.KeyWatcher) {
	for {
		select {
		case e, ok := <-w.Updates():
			if !ok {
				return
			}
			if e == nil {
				continue
			}
			s.mu.Lock()
			s.applyLocked(e)
			s.usedLocked(e)
			s.changedLocked()
			s.mu.Unlock()
		case <-s.reload:
			s.log.Error("the store of named tokens was lost and made again; make those tokens again that are missing")
			return
		case <-s.ctx.Done():
			return
		}
	}
}

// applyLocked makes it true what one key of the bucket says of a token. s.mu is held.
func (s *Store) applyLocked(e jetstream.KeyValueEntry) {
	if !strings.HasPrefix(e.Key(), prefix) {
		return
	}
	var r *stored
	if e.Operation() == jetstream.KeyValuePut {
		var err error
		if r, err = decode(e.Key(), e.Value()); err != nil {
			s.log.Error("a named token in the store can not be read; it is not valid", "key", e.Key(), "revision", e.Revision(), "err", err)
		}
	}
	for name, t := range s.byName {
		switch {
		case bucketKey(name) != e.Key():
		case r != nil && r.ID == t.ID && slices.Equal(r.Apps, t.Apps):
			return // it is read again
		default:
			s.removeLocked(name)
		}
	}
	if r != nil {
		s.addLocked(r)
	}
}

// addLocked begins the life of a token. s.mu is held.
func (s *Store) addLocked(r *stored) {
	t := &token{stored: *r}
	t.hash, _ = r.digest() // which decode has read
	life, end := context.WithCancel(s.ctx)
	if !r.Expires.IsZero() {
		life, end = context.WithDeadline(s.ctx, r.Expires)
	}
	t.end, t.seen = end, &access.Token{Name: r.Name, Role: r.Role, Apps: r.Apps, Life: life}
	s.byName[r.Name], s.byHash[t.hash] = t, t
}

// removeLocked ends a token. s.mu is held.
func (s *Store) removeLocked(name string) {
	t := s.byName[name]
	t.end()
	delete(s.byName, name)
	delete(s.byHash, t.hash)
}

// changedLocked tells those who wait for something. s.mu is held.
func (s *Store) changedLocked() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// usedLocked notes what another node, or this one, has written of the use of a token.
// s.mu is held.
func (s *Store) usedLocked(e jetstream.KeyValueEntry) {
	id, ok := strings.CutPrefix(e.Key(), usePrefix)
	at, err := time.Parse(time.RFC3339, string(e.Value()))
	if !ok || err != nil {
		return // it is none, or was deleted
	}
	for _, t := range s.byName {
		if t.ID == id && at.After(t.written) {
			t.written = at
		}
	}
}

// noteUses writes down when tokens were used, until Close. What can not be written is
// not tried again before the next use.
func (s *Store) noteUses() {
	for {
		select {
		case <-s.used:
		case <-s.ctx.Done():
			return
		}
		s.mu.Lock()
		bucket, due := s.bucket, map[string]time.Time{}
		for _, t := range s.byName {
			if t.used.Sub(t.written) >= useEvery {
				t.written = t.used
				due[t.ID] = t.used
			}
		}
		s.mu.Unlock()
		for id, at := range due {
			ctx, cancel := context.WithTimeout(s.ctx, writeTimeout)
			if _, err := bucket.Put(ctx, usePrefix+id, []byte(at.UTC().Format(time.RFC3339))); err != nil && s.ctx.Err() == nil {
				s.log.Warn("the last use of a named token could not be written", "err", err)
			}
			cancel()
		}
	}
}
