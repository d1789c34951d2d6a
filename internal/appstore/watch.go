package appstore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/belfryhq/belfry/internal/follow"
)

// earlyAgain is how long a start waits until it reads again.
const earlyAgain = 200 * time.Millisecond

// newFollower returns what makes true in the store what stands in the bucket.
func (s *Store) newFollower() *follow.Follower[*record] {
	return follow.New(follow.Follower[*record]{
		Of:      "apps",
		Open:    func(context.Context) (jetstream.KeyValue, error) { return s.cfg.Bucket, nil },
		Last:    s.cfg.Last,
		Read:    s.read,
		Lost:    func(ctx context.Context, _ jetstream.KeyValue) error { return s.writeAgain(ctx) },
		Replace: s.replace,
		Apply:   s.apply,
		Log:     s.log,
	})
}

// await begins to watch when there is a copy of the bucket that has everything,
// or ctx ends.
func (s *Store) await(ctx, watching context.Context) (jetstream.KeyWatcher, error) {
	var told time.Time
	for {
		w, err := s.follower.Load(ctx, watching)
		if !errors.Is(err, follow.ErrEarly) {
			return w, err
		}
		if time.Since(told) > follow.LoadTimeout {
			told = time.Now()
			s.log.Warn("waiting for a copy of the store of apps that has them all", "err", err)
		}
		select {
		case <-time.After(earlyAgain):
		case <-ctx.Done():
			return nil, fmt.Errorf("appstore: %w: %w", err, context.Cause(ctx))
		}
	}
}

// Reload has the store read anew, because the bucket was lost and made again.
func (s *Store) Reload() { s.follower.Reload() }

// read returns what an app of the bucket has become. One that can not be read stays
// what it was. What is no app has no id.
func (s *Store) read(e jetstream.KeyValueEntry) follow.Update[*record] {
	id, ok := idOf(e.Key())
	if !ok {
		return follow.Update[*record]{}
	}
	c := follow.Update[*record]{Key: id, Revision: e.Revision()}
	if e.Operation() != jetstream.KeyValuePut {
		c.Gone = true
		return c
	}
	r, err := decode(e.Value(), e.Revision())
	if err == nil && r.app.ID != id {
		err = fmt.Errorf("appstore: it has the id %q", r.app.ID)
	}
	if err != nil {
		s.metrics.unreadable.Inc()
		s.log.Error("an app in the store can not be read; it stays as it was", "app", id, "revision", e.Revision(), "err", err)
		s.mu.Lock()
		defer s.mu.Unlock()
		r = s.stored[id]
	}
	c.Value, c.Gone = r, r == nil
	return c
}

// replace makes everything in the bucket what was found there. What this node
// has written since is newer.
func (s *Store) replace(found follow.Contents[*record]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.created.Equal(found.Created) {
		for id, r := range s.stored {
			if r.revision > found.Last {
				found.Values[id] = r
			}
		}
	} else {
		clear(s.deleted)
	}
	for id, revision := range s.deleted {
		if r := found.Values[id]; r != nil && r.revision <= revision {
			delete(found.Values, id)
		} else {
			delete(s.deleted, id)
		}
	}
	s.stored, s.created = found.Values, found.Created
	s.serveAllLocked()
}

// writeAgain gives a bucket that was made anew the apps that are known here.
// What somebody else has put there stays.
func (s *Store) writeAgain(ctx context.Context) error {
	s.mu.Lock()
	stored := maps.Clone(s.stored)
	s.mu.Unlock()
	written := 0
	for id, r := range stored {
		value, err := r.encode()
		if err != nil {
			return err
		}
		// As long as nothing was there: no app that was deleted meanwhile.
		_, err = s.cfg.Bucket.Update(ctx, bucketKey(id), value, 0)
		switch {
		case err == nil:
			written++
		case !errors.Is(err, jetstream.ErrKeyExists) && !errors.Is(err, jetstream.ErrKeyRevisionMismatch):
			return fmt.Errorf("appstore: write app %s again: %w", id, err)
		}
	}
	if len(stored) > 0 {
		if err := s.markFirst(ctx, ""); err != nil {
			return err
		}
	}
	s.log.Error("the store of apps was lost; the apps that this node knows were written again", "apps", len(stored), "by_this_node", written)
	return nil
}

// apply makes changes true that are newer than what is known. A change is seen
// by the node that makes it, and comes back from the bucket.
func (s *Store) apply(changes []follow.Update[*record]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	changed := map[string]bool{}
	for _, c := range changes {
		known := s.deleted[c.Key]
		if r := s.stored[c.Key]; r != nil {
			known = max(known, r.revision)
		}
		if c.Revision <= known {
			continue
		}
		changed[c.Key] = true
		delete(s.deleted, c.Key)
		if c.Gone {
			delete(s.stored, c.Key)
		} else {
			s.stored[c.Key] = c.Value
		}
	}
	s.changedLocked(slices.Collect(maps.Keys(changed)))
}

// applyDelete makes it true that this node has deleted an app of a revision. The
// bucket may still tell of what was before.
func (s *Store) applyDelete(id string, revision uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.stored[id]; r == nil || r.revision > revision {
		return
	}
	delete(s.stored, id)
	s.deleted[id] = revision
	s.changedLocked([]string{id})
}

// changedLocked has it served that some apps have changed. s.mu is held.
func (s *Store) changedLocked(ids []string) {
	if len(ids) > 0 {
		s.metrics.changes.Add(float64(len(ids)))
		s.serveLocked(ids)
	}
}
