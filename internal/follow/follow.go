// Package follow keeps in memory what stands in a bucket of the engine. A [Follower]
// reads all of it, then each change as it comes, and reads it anew whenever its watch
// ends, or the bucket was lost and made again.
//
// The end of what a watch tells says nothing by itself: it is that of one copy of the
// bucket, which may just have been started and be catching up. What it lacks could be a
// token that was revoked. So the leader, and where possible every copy, is asked before how
// far the bucket goes. A reading is complete only when it has come that far.
//
// # Goroutines
//
// A Follower has none of its own. [Follower.Load] and [Follower.Run] call its functions on the
// goroutine of their caller, one at a time, and hold no lock meanwhile.
package follow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/belfryhq/belfry/internal/backoff"
	"github.com/belfryhq/belfry/internal/engine"
	"github.com/belfryhq/belfry/internal/wakeup"
)

// ErrEarly says that the copy of the bucket that was read has not everything yet.
var ErrEarly = errors.New("the copy of the bucket that is read has not everything yet")

const (
	// LoadTimeout bounds one attempt of Run to read everything.
	LoadTimeout = time.Minute
	// MaxBatch is how many changes Apply is told of at once.
	MaxBatch = 4096

	// againAfter is how long a watch that ended is not begun again.
	againAfter = time.Second
	// overdue is how long a copy of the bucket may add nothing to what it has while
	// it lacks something. Another one may have it.
	overdue = time.Second
)

// A Follower says what is to be followed, and what to do with it. Of, Open, Read, Replace,
// Apply and Log are required. V is what is kept of an entry.
type Follower[V any] struct {
	// Of is what stands in the bucket, as the log and errors name it: "apps".
	Of string
	// Open returns the bucket, which it may make.
	Open func(context.Context) (jetstream.KeyValue, error)
	// Last returns the highest revision that any copy of the bucket has, as far as it
	// can be known. It may be nil.
	Last func(context.Context) (uint64, error)
	// Read returns what is kept of an entry. An update without a key is left out.
	Read func(jetstream.KeyValueEntry) Update[V]
	// Lost is called when the bucket is not the one that was read before, and before it
	// is read. It may write what is known into it. It may be nil.
	Lost func(context.Context, jetstream.KeyValue) error
	// Replace is given everything that stands in the bucket.
	Replace func(Contents[V])
	// Apply is given changes after that, oldest first, at most MaxBatch. It sees those again
	// that this process has made.
	Apply func([]Update[V])
	Log   *slog.Logger

	created time.Time // when the bucket was made that was read; zero: none was
	reload  wakeup.Signal
}

// An Update is what a key has become.
type Update[V any] struct {
	Key      string
	Value    V
	Gone     bool // the key stands there no more; Value is its zero value
	Revision uint64
}

// Contents are everything that stands in a bucket. They belong to who is given them.
type Contents[V any] struct {
	Bucket  jetstream.KeyValue
	Created time.Time // when the bucket was made, by which it is told from another of its name
	Last    uint64    // the revision up to which it was read
	Values  map[string]V
}

// New returns a follower with the functions of f, which has read nothing.
func New[V any](f Follower[V]) *Follower[V] {
	f.reload = wakeup.New()
	return &f
}

// Reload has Run read the bucket anew, because it was lost and made again. It may be called
// at any time, by anyone.
func (f *Follower[V]) Reload() { f.reload.Set() }

// Load reads everything, calls Replace, and returns the watch for what comes afterwards, which
// lasts as long as watching. It is to be handed to Run, or stopped. While ctx lasts, a copy of the
// bucket that is behind is reason to return [ErrEarly].
func (f *Follower[V]) Load(ctx, watching context.Context) (jetstream.KeyWatcher, error) {
	bucket, err := f.Open(ctx)
	if err != nil {
		return nil, err
	}
	now, err := f.look(ctx, bucket)
	if err != nil {
		return nil, err
	}
	if f.Lost != nil && !f.created.IsZero() && !f.created.Equal(now.created) {
		if err := f.Lost(ctx, bucket); err != nil {
			return nil, err
		}
		if now, err = f.look(ctx, bucket); err != nil {
			return nil, err
		}
	}
	w, err := bucket.WatchAll(watching)
	if err != nil {
		return nil, fmt.Errorf("watch the bucket of %s: %w", f.Of, err)
	}
	found := Contents[V]{Bucket: bucket, Created: now.created, Values: map[string]V{}}
	if err := f.readAll(ctx, w, now.last, &found); err != nil {
		return nil, errors.Join(err, w.Stop())
	}
	f.created = now.created
	f.Replace(found)
	return w, nil
}

// A look is what the leader says of the bucket.
type look struct {
	created time.Time
	last    uint64 // the revision of the last entry
}

func (f *Follower[V]) look(ctx context.Context, bucket jetstream.KeyValue) (look, error) {
	status, err := bucket.Status(ctx)
	if err != nil {
		return look{}, fmt.Errorf("ask for the bucket of %s: %w", f.Of, err)
	}
	b, ok := status.(interface{ StreamInfo() *jetstream.StreamInfo })
	if !ok {
		return look{}, fmt.Errorf("the bucket of %s is not one of JetStream", f.Of)
	}
	info := b.StreamInfo()
	if err := engine.Led(info); err != nil {
		return look{}, fmt.Errorf("%w: %w", ErrEarly, err)
	}
	l := look{created: info.Created, last: info.State.LastSeq}
	if info.State.Msgs == 0 {
		l.last = 0
	}
	if f.Last == nil {
		return l, nil
	}
	switch last, err := f.Last(ctx); {
	case err != nil:
		return look{}, fmt.Errorf("%w: %w", ErrEarly, err)
	case last > info.State.LastSeq:
		return look{}, fmt.Errorf("%w: its leader is at %d, and another copy at %d", ErrEarly, info.State.LastSeq, last)
	}
	return l, nil
}

// readAll adds all that is in the bucket to found, up to a revision at least.
func (f *Follower[V]) readAll(ctx context.Context, w jetstream.KeyWatcher, last uint64, found *Contents[V]) error {
	late := time.NewTimer(overdue)
	defer late.Stop()
	for ended := false; !ended || found.Last < last; {
		select {
		case e, ok := <-w.Updates():
			switch {
			case !ok:
				return fmt.Errorf("the watch of the bucket of %s ended", f.Of)
			case e == nil:
				ended = true
				continue
			}
			late.Reset(overdue)
			found.Last = max(found.Last, e.Revision())
			switch c := f.Read(e); {
			case c.Key == "":
			case c.Gone:
				delete(found.Values, c.Key)
			default:
				found.Values[c.Key] = c.Value
			}
		case <-late.C:
			return ErrEarly
		case <-ctx.Done():
			return fmt.Errorf("read the bucket of %s: %w", f.Of, context.Cause(ctx))
		}
	}
	return nil
}

// Run tells of changes until ctx ends. It begins with a watch of Load, or with nil, which has
// it read everything first. What fails is logged, and tried again.
func (f *Follower[V]) Run(ctx context.Context, w jetstream.KeyWatcher) {
	for ctx.Err() == nil {
		if w != nil {
			f.take(ctx, w)
		}
		w = f.loadAgain(ctx)
	}
	if w != nil {
		_ = w.Stop() // it is over in any case
	}
}

// loadAgain begins another watch, or returns nil after a while.
func (f *Follower[V]) loadAgain(ctx context.Context) jetstream.KeyWatcher {
	if ctx.Err() != nil {
		return nil
	}
	bounded, cancel := context.WithTimeout(ctx, LoadTimeout)
	defer cancel()
	w, err := f.Load(bounded, ctx)
	if err == nil {
		return w
	}
	if ctx.Err() == nil {
		f.Log.Warn("changes of "+f.Of+" are not seen at the moment", "err", err)
	}
	backoff.Sleep(ctx, againAfter)
	return nil
}

// take tells of the changes of one watch, until that ends.
func (f *Follower[V]) take(ctx context.Context, w jetstream.KeyWatcher) {
	defer w.Stop()
	for {
		select {
		case e, ok := <-w.Updates():
			if !ok {
				return
			}
			batch, open := f.waiting(w, e)
			if len(batch) > 0 {
				f.Apply(batch)
			}
			if !open {
				return
			}
		case <-f.reload:
			return
		case <-ctx.Done():
			return
		}
	}
}

// waiting returns the change of the first entry, and those that have come by now.
func (f *Follower[V]) waiting(w jetstream.KeyWatcher, first jetstream.KeyValueEntry) (batch []Update[V], open bool) {
	add := func(e jetstream.KeyValueEntry) {
		if e == nil {
			return // the end of what was there at first
		}
		if c := f.Read(e); c.Key != "" {
			batch = append(batch, c)
		}
	}
	add(first)
	for len(batch) < MaxBatch {
		select {
		case e, ok := <-w.Updates():
			if !ok {
				return batch, false
			}
			add(e)
		default:
			return batch, true
		}
	}
	return batch, true
}
