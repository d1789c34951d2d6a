package devices

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/belfryhq/belfry/internal/backoff"
	"github.com/belfryhq/belfry/internal/engine"
)

const (
	// againAfter is how long a watch that ended is not begun again.
	againAfter = time.Second
	// overdue is how long a copy of the bucket may add nothing while it lacks
	// something that another one has. Then it goes on with what it has.
	overdue = time.Second
	// loadTimeout bounds one attempt to read everything.
	loadTimeout = 10 * time.Minute
)

// follow makes true what stands in the bucket, until Close.
func (s *Store) follow() {
	reading := byte(0) // zero is what was not read
	for s.ctx.Err() == nil {
		reading = max(reading+1, 1)
		w, err := s.load(reading)
		if err != nil {
			if s.ctx.Err() == nil {
				s.log.Warn("changes of push devices are not seen at the moment", "err", err)
			}
			backoff.Sleep(s.ctx, againAfter)
			continue
		}
		s.take(w, reading)
		_ = w.Stop() // it is over in any case
	}
}

// load reads the bucket and returns what watches it from there on.
func (s *Store) load(reading byte) (jetstream.KeyWatcher, error) {
	ctx, cancel := context.WithTimeout(s.ctx, loadTimeout)
	defer cancel()
	begun := time.Now()
	bucket, err := s.cfg.Bucket(ctx)
	if err != nil {
		return nil, err
	}
	created, _, err := look(ctx, bucket)
	if err != nil {
		return nil, err
	}
	s.mu.RLock()
	another := !s.created.IsZero() && !s.created.Equal(created)
	s.mu.RUnlock()
	if another {
		if err := s.writeAgain(ctx, bucket); err != nil {
			return nil, err
		}
	}
	_, last, err := look(ctx, bucket)
	if err != nil {
		return nil, err
	}
	w, err := bucket.WatchAll(s.ctx)
	if err != nil {
		return nil, fmt.Errorf("devices: watch the bucket: %w", err)
	}
	n, err := s.readAll(ctx, w, reading, last)
	if err != nil {
		return nil, errors.Join(err, w.Stop())
	}
	s.loaded(bucket, created, reading, last)
	s.log.Info("push devices were read", "devices", n, "took", time.Since(begun).Round(time.Millisecond))
	return w, nil
}

// look returns when the bucket was made, and the revision of the last change.
func look(ctx context.Context, bucket jetstream.KeyValue) (created time.Time, last uint64, err error) {
	status, err := bucket.Status(ctx)
	if err != nil {
		return created, 0, fmt.Errorf("devices: ask for the bucket: %w", err)
	}
	b, ok := status.(interface{ StreamInfo() *jetstream.StreamInfo })
	if !ok {
		return created, 0, errors.New("devices: the bucket is not one of JetStream")
	}
	info := b.StreamInfo()
	if err := engine.Led(info); err != nil {
		return created, 0, fmt.Errorf("devices: ask for the bucket: %w", err)
	}
	return info.Created, info.State.LastSeq, nil
}

// readAll makes true all that is in the bucket, up to a revision if that is there, and
// returns how many entries it has read.
func (s *Store) readAll(ctx context.Context, w jetstream.KeyWatcher, reading byte, last uint64) (n int, err error) {
	late := time.NewTimer(overdue)
	defer late.Stop()
	for read, ended := uint64(0), false; !ended || read < last; {
		select {
		case e, ok := <-w.Updates():
			switch {
			case !ok:
				return n, errors.New("devices: the watch of the bucket ended")
			case e == nil:
				ended = true
				late.Reset(overdue)
				continue
			}
			n++
			read = max(read, e.Revision())
			s.apply(e, reading)
		case <-late.C:
			if ended { // what came last may have been removed without a trace
				return n, nil
			}
			late.Reset(overdue)
		case <-ctx.Done():
			return n, fmt.Errorf("devices: read the bucket: %w", context.Cause(ctx))
		}
	}
	return n, nil
}

// loaded makes it true that the whole bucket was read.
func (s *Store) loaded(bucket jetstream.KeyValue, created time.Time, reading byte, last uint64) {
	s.mu.RLock()
	first := s.created.IsZero()
	list := make([]*index, 0, len(s.apps))
	for _, x := range s.apps {
		list = append(list, x)
	}
	s.mu.RUnlock()
	for _, x := range list {
		if first {
			x.sort()
			continue
		}
		x.mu.Lock()
		x.missedLocked(reading, last)
		x.mu.Unlock()
	}
	s.mu.Lock()
	s.bucket, s.created = bucket, created
	s.mu.Unlock()
	s.sawUntil(last)
}

// take makes the changes of one watch true, until that ends.
func (s *Store) take(w jetstream.KeyWatcher, reading byte) {
	for {
		select {
		case e, ok := <-w.Updates():
			if !ok {
				return
			}
			if e == nil {
				continue
			}
			s.apply(e, reading)
		case <-s.reload:
			s.log.Error("the store of push devices was lost and made again")
			return
		case <-s.ctx.Done():
			return
		}
	}
}

func (s *Store) sawUntil(revision uint64) {
	for {
		was := s.seen.Load()
		if was >= revision || s.seen.CompareAndSwap(was, revision) {
			break
		}
	}
	s.tell()
}

// apply makes it true what the bucket says under a key.
func (s *Store) apply(e jetstream.KeyValueEntry, reading byte) {
	defer s.sawUntil(e.Revision())
	app, id, ok := fromBucket(e.Key())
	if !ok {
		return
	}
	if id == dropped {
		s.drop(app, e.Revision())
		return
	}
	k, ok := parseKey(id)
	if !ok {
		return
	}
	if e.Operation() != jetstream.KeyValuePut {
		if x := s.find(app); x != nil {
			x.mu.Lock()
			x.endLocked(k, e.Revision())
			x.mu.Unlock()
		}
		return
	}
	r, err := decode(e.Value())
	if err != nil {
		s.metrics.unreadable.Inc()
		s.log.Error("a push device in the store can not be read; it stays as it was", "app", app, "device", id, "err", err)
		return
	}
	s.put(s.index(app), k, r, len(e.Value()), e.Revision(), reading)
}

// put makes a device what a record says, and has the one removed that lost its token.
func (s *Store) put(x *index, k key, r *record, size int, revision uint64, reading byte) {
	x.mu.Lock()
	loser, lost := x.putLocked(k, r, size, revision, reading)
	x.mu.Unlock()
	if lost {
		s.lose(x.app, loser)
	}
}

// drop makes it true that an app was deleted at a revision.
func (s *Store) drop(app string, revision uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.apps[app]
	if x == nil {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.dropUntilLocked(revision)
}

// catchUp waits until this node has seen what the bucket has now. It waits a second at
// most: what came last may have left the bucket before this node saw it.
func (s *Store) catchUp(ctx context.Context, bucket jetstream.KeyValue) error {
	_, last, err := look(ctx, bucket)
	if err != nil {
		return unavailable(err)
	}
	bounded, cancel := context.WithTimeout(ctx, overdue)
	defer cancel()
	err = s.await(bounded, func() bool { return s.seen.Load() >= last })
	if ctx.Err() != nil || s.ctx.Err() != nil {
		return err
	}
	return nil
}

// writeAgain gives a bucket that was made anew the devices that are known here. What
// somebody else has put there stays.
func (s *Store) writeAgain(ctx context.Context, bucket jetstream.KeyValue) error {
	s.mu.RLock()
	list := make([]*index, 0, len(s.apps))
	for _, x := range s.apps {
		list = append(list, x)
	}
	s.mu.RUnlock()
	known, written := 0, 0
	for _, x := range list {
		x.mu.RLock()
		slots := len(x.slots)
		x.mu.RUnlock()
		for n := range slots {
			k, r, ok := x.remember(n)
			if !ok {
				continue
			}
			known++
			value, err := r.encode()
			if err != nil {
				return err
			}
			revision, err := bucket.Create(ctx, bucketKey(x.app, k.String()), value)
			switch {
			case err == nil:
				written++
				x.renew(k, revision)
			case !errors.Is(err, jetstream.ErrKeyExists):
				return fmt.Errorf("devices: write a device again: %w", err)
			default:
				x.renew(k, 1)
			}
		}
	}
	s.seen.Store(0)
	s.log.Error("the store of push devices was lost; those that this node knows were written again, without what they say of themselves", "devices", known, "by_this_node", written)
	return nil
}

// remember returns what is known of the device of a number, if there is one.
func (x *index) remember(n int) (key, *record, bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if n >= len(x.slots) || x.slots[n] == nil {
		return key{}, nil, false
	}
	d := x.slots[n]
	return d.key, x.memoryLocked(d), true
}

// renew gives a device its revision in a bucket that was made anew. Where another node
// has written it, any revision there is later.
func (x *index) renew(k key, revision uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	clear(x.deleted)
	if n, ok := x.byID[k]; ok {
		x.slots[n].revision = revision
	}
}
