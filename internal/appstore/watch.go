package appstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// load begins to watch, and returns when everything that is in the bucket was
// seen. The watch itself lasts as long as watching.
func (s *Store) load(ctx, watching context.Context) (jetstream.KeyWatcher, error) {
	w, err := s.cfg.Bucket.Watch(watching, prefix+">")
	if err != nil {
		return nil, fmt.Errorf("appstore: watch the bucket: %w", err)
	}
	found := map[string]*record{}
	for {
		select {
		case e, ok := <-w.Updates():
			switch {
			case !ok:
				return nil, errors.New("appstore: the watch of the bucket ended")
			case e == nil:
				s.replace(found)
				return w, nil
			}
			if id, r := s.read(e); r != nil {
				found[id] = r
			} else {
				delete(found, id)
			}
		case <-ctx.Done():
			w.Stop()
			return nil, fmt.Errorf("appstore: read the bucket: %w", context.Cause(ctx))
		}
	}
}

// replace makes everything in the bucket what was found there.
func (s *Store) replace(found map[string]*record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stored = found
	s.serveAllLocked()
	s.notifyLocked()
}

// read returns the app of an entry, or none if it was removed. One that can
// not be read stays what it was.
func (s *Store) read(e jetstream.KeyValueEntry) (id string, _ *record) {
	id, ok := idOf(e.Key())
	if !ok || e.Operation() != jetstream.KeyValuePut {
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
)

// follow makes changes true as they come, until ctx ends.
func (s *Store) follow(ctx context.Context, w jetstream.KeyWatcher) {
	defer close(s.done)
	for {
		s.take(ctx, w)
		for w = nil; w == nil; {
			select {
			case <-ctx.Done():
				return
			case <-time.After(againAfter):
			}
			var err error
			if w, err = s.load(ctx, ctx); err != nil && ctx.Err() == nil {
				s.log.Warn("changes of apps are not seen at the moment", "err", err)
			}
		}
	}
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
	var ids []string
	latest := map[string]*record{}
	for _, e := range batch {
		if e == nil {
			continue
		}
		id, r := s.read(e)
		if _, again := latest[id]; !again {
			ids = append(ids, id)
		}
		latest[id] = r
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, r := range latest {
		if r == nil {
			delete(s.stored, id)
		} else {
			s.stored[id] = r
		}
	}
	s.metrics.changes.Add(float64(len(ids)))
	s.serveLocked(ids)
	s.notifyLocked()
}
