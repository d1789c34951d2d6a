package appstore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/belfryhq/belfry/internal/backoff"
	"github.com/belfryhq/belfry/internal/engine"
)

// errEarly says that the copy of the bucket that answered lacks something still.
var errEarly = errors.New("appstore: the copy of the bucket that is read has not everything yet")

// earlyAgain is how long a start waits until it reads again.
const earlyAgain = 200 * time.Millisecond

// await begins to watch when there is a copy of the bucket that has everything,
// or ctx ends.
func (s *Store) await(ctx, watching context.Context) (jetstream.KeyWatcher, error) {
	var told time.Time
	for {
		w, err := s.load(ctx, watching)
		if !errors.Is(err, errEarly) {
			return w, err
		}
		if time.Since(told) > loadTimeout {
			told = time.Now()
			s.log.Warn("waiting for a copy of the store of apps that has them all", "err", err)
		}
		select {
		case <-time.After(earlyAgain):
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", err, context.Cause(ctx))
		}
	}
}

// load begins to watch, and returns when everything that is in the bucket was
// seen. The watch itself lasts as long as watching.
//
// The end of what is there says nothing by itself: it is that of one copy of
// the bucket, which may have just been started and be catching up. So what the
// leader has is asked for before.
func (s *Store) load(ctx, watching context.Context) (jetstream.KeyWatcher, error) {
	now, err := s.look(ctx)
	if err != nil {
		return nil, err
	}
	if s.isAnother(now.created) {
		if err := s.writeAgain(ctx); err != nil {
			return nil, err
		}
		if now, err = s.look(ctx); err != nil {
			return nil, err
		}
	}
	w, err := s.cfg.Bucket.WatchAll(watching)
	if err != nil {
		return nil, fmt.Errorf("appstore: watch the bucket: %w", err)
	}
	found, err := s.readAll(ctx, w, now.last)
	if err != nil {
		w.Stop()
		return nil, err
	}
	s.replace(found, now)
	return w, nil
}

// A look is what the leader says of the bucket.
type look struct {
	created time.Time // by which it is told from another one of its name
	last    uint64    // the number of the last entry
}

func (s *Store) look(ctx context.Context) (look, error) {
	status, err := s.cfg.Bucket.Status(ctx)
	if err != nil {
		return look{}, fmt.Errorf("appstore: ask for the bucket: %w", err)
	}
	b, ok := status.(interface{ StreamInfo() *jetstream.StreamInfo })
	if !ok {
		return look{}, errors.New("appstore: the bucket is not one of JetStream")
	}
	info := b.StreamInfo()
	if err := engine.Led(info); err != nil {
		return look{}, fmt.Errorf("%w: %w", errEarly, err)
	}
	l := look{created: info.Created, last: info.State.LastSeq}
	if info.State.Msgs == 0 {
		l.last = 0
	}
	if s.cfg.Last == nil {
		return l, nil
	}
	switch last, err := s.cfg.Last(ctx); {
	case err != nil:
		return look{}, fmt.Errorf("%w: %w", errEarly, err)
	case last > info.State.LastSeq:
		return look{}, fmt.Errorf("%w: its leader is at %d, and another copy at %d", errEarly, info.State.LastSeq, last)
	}
	return l, nil
}

// A reading is what was found in the bucket.
type reading struct {
	records map[string]*record
	last    uint64 // the number of the last entry
}

// overdue is how long a copy of the bucket may add nothing to what it has while
// it lacks something. Another one may have it.
const overdue = time.Second

// readAll returns all that is in the bucket, up to an entry at least.
func (s *Store) readAll(ctx context.Context, w jetstream.KeyWatcher, last uint64) (reading, error) {
	found := reading{records: map[string]*record{}}
	ended := false
	late := time.NewTimer(overdue)
	defer late.Stop()
	for !ended || found.last < last {
		select {
		case e, ok := <-w.Updates():
			switch {
			case !ok:
				return found, errors.New("appstore: the watch of the bucket ended")
			case e == nil:
				ended = true
				continue
			}
			late.Reset(overdue)
			found.last = max(found.last, e.Revision())
			switch id, r := s.read(e); {
			case r != nil:
				found.records[id] = r
			case id != "":
				delete(found.records, id)
			}
		case <-late.C:
			return found, errEarly
		case <-ctx.Done():
			return found, fmt.Errorf("appstore: read the bucket: %w", context.Cause(ctx))
		}
	}
	return found, nil
}

// replace makes everything in the bucket what was found there. What this node
// has written since is newer.
func (s *Store) replace(found reading, now look) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.created.Equal(now.created) {
		for id, r := range s.stored {
			if r.revision > found.last {
				found.records[id] = r
			}
		}
	} else {
		clear(s.deleted)
	}
	for id, revision := range s.deleted {
		if r := found.records[id]; r != nil && r.revision <= revision {
			delete(found.records, id)
		} else {
			delete(s.deleted, id)
		}
	}
	s.stored, s.created = found.records, now.created
	s.serveAllLocked()
}

// isAnother reports whether the bucket is not the one that was read, which is
// gone then.
func (s *Store) isAnother(created time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.created.IsZero() && !s.created.Equal(created)
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

// Reload has the store read anew, because the bucket was lost and made again.
func (s *Store) Reload() { s.reload.Set() }

// read returns the app of an entry, or none if it was removed. One that can
// not be read stays what it was. What is no app has no id.
func (s *Store) read(e jetstream.KeyValueEntry) (id string, _ *record) {
	id, ok := idOf(e.Key())
	if !ok {
		return "", nil
	}
	if e.Operation() != jetstream.KeyValuePut {
		return id, nil
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
		return id, s.stored[id]
	}
	return id, r
}

const (
	// maxBatch is how many changes are made true together when many wait.
	maxBatch = 4096
	// againAfter is how long a watch that ended is not begun again.
	againAfter = time.Second
	// loadTimeout bounds one attempt to read everything.
	loadTimeout = time.Minute
)

// follow makes changes true as they come, until ctx ends.
func (s *Store) follow(ctx context.Context, w jetstream.KeyWatcher) {
	defer close(s.done)
	for {
		s.take(ctx, w)
		for w = nil; w == nil; {
			if ctx.Err() != nil {
				return
			}
			w = s.loadAgain(ctx)
		}
	}
}

// loadAgain begins another watch, or returns nil after a while.
func (s *Store) loadAgain(ctx context.Context) jetstream.KeyWatcher {
	bounded, cancel := context.WithTimeout(ctx, loadTimeout)
	defer cancel()
	w, err := s.load(bounded, ctx)
	if err == nil {
		return w
	}
	if ctx.Err() == nil {
		s.log.Warn("changes of apps are not seen at the moment", "err", err)
	}
	backoff.Sleep(ctx, againAfter)
	return nil
}

// take makes the changes of one watch true, until that ends.
func (s *Store) take(ctx context.Context, w jetstream.KeyWatcher) {
	defer w.Stop()
	for {
		select {
		case e, ok := <-w.Updates():
			if !ok {
				return
			}
			batch, open := waiting(w, e)
			s.applyBatch(batch)
			if !open {
				return
			}
		case <-s.reload:
			return
		case <-ctx.Done():
			return
		}
	}
}

// waiting returns first and what else has come by now.
func waiting(w jetstream.KeyWatcher, first jetstream.KeyValueEntry) (batch []jetstream.KeyValueEntry, open bool) {
	batch = append(batch, first)
	for len(batch) < maxBatch {
		select {
		case e, ok := <-w.Updates():
			if !ok {
				return batch, false
			}
			batch = append(batch, e)
		default:
			return batch, true
		}
	}
	return batch, true
}

func (s *Store) applyBatch(batch []jetstream.KeyValueEntry) {
	latest := map[string]change{}
	for _, e := range batch {
		if e == nil {
			continue
		}
		if id, r := s.read(e); id != "" {
			latest[id] = change{r, e.Revision()}
		}
	}
	s.apply(latest)
}

// A change is what an app has become; a nil record for none.
type change struct {
	record   *record
	revision uint64
}

// apply makes changes true that are newer than what is known. A change is seen
// by the node that makes it, and comes back from the bucket.
func (s *Store) apply(changes map[string]change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []string
	for id, c := range changes {
		known := s.deleted[id]
		if r := s.stored[id]; r != nil {
			known = max(known, r.revision)
		}
		if c.revision <= known {
			continue
		}
		ids = append(ids, id)
		delete(s.deleted, id)
		if c.record == nil {
			delete(s.stored, id)
		} else {
			s.stored[id] = c.record
		}
	}
	s.changedLocked(ids)
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
