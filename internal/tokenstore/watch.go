package tokenstore

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/belfryhq/belfry/internal/access"
	"github.com/belfryhq/belfry/internal/follow"
)

// useEvery is how often it is written down that a token is used.
const useEvery = time.Hour

// An update is what a key of the bucket has become.
type update = follow.Update[jetstream.KeyValueEntry]

// newFollower returns what makes true in the store what stands in the bucket.
func (s *Store) newFollower() *follow.Follower[jetstream.KeyValueEntry] {
	return follow.New(follow.Follower[jetstream.KeyValueEntry]{
		Of:   "named tokens",
		Open: s.cfg.Bucket,
		Last: s.cfg.Last,
		Read: func(e jetstream.KeyValueEntry) update {
			if e.Operation() != jetstream.KeyValuePut {
				return update{Key: e.Key(), Gone: true, Revision: e.Revision()}
			}
			return update{Key: e.Key(), Value: e, Revision: e.Revision()}
		},
		Lost: func(context.Context, jetstream.KeyValue) error {
			s.log.Error("the store of named tokens was lost and made again; make those tokens again that are missing")
			return nil
		},
		Replace: s.replace,
		Apply:   s.apply,
		Log:     s.log,
	})
}

// replace makes true what was found in the bucket, and nothing else.
func (s *Store) replace(found follow.Contents[jetstream.KeyValueEntry]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name := range s.byName {
		if found.Values[bucketKey(name)] == nil {
			s.removeLocked(name)
		}
	}
	for key, e := range found.Values {
		s.applyLocked(update{Key: key, Value: e})
	}
	for key, e := range found.Values { // when all tokens are there
		s.usedLocked(update{Key: key, Value: e})
	}
	s.bucket = found.Bucket
	s.changedLocked()
}

// apply makes changes true as they come.
func (s *Store) apply(changes []update) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range changes {
		s.applyLocked(c)
		s.usedLocked(c)
	}
	s.changedLocked()
}

// applyLocked makes it true what one key of the bucket says of a token. s.mu is held.
func (s *Store) applyLocked(c update) {
	if !strings.HasPrefix(c.Key, prefix) {
		return
	}
	var r *stored
	if !c.Gone {
		var err error
		if r, err = decode(c.Key, c.Value.Value()); err != nil {
			s.log.Error("a named token in the store can not be read; it is not valid", "key", c.Key, "revision", c.Value.Revision(), "err", err)
		}
	}
	for name, t := range s.byName {
		switch {
		case bucketKey(name) != c.Key:
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
func (s *Store) usedLocked(c update) {
	id, ok := strings.CutPrefix(c.Key, usePrefix)
	if !ok || c.Gone {
		return
	}
	at, err := time.Parse(time.RFC3339, string(c.Value.Value()))
	if err != nil {
		return
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
