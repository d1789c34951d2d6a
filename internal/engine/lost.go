package engine

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/belfryhq/belfry/internal/backoff"
)

// A Loss is a stream that was gone with everything in it, as when an external
// NATS comes back without its store.
type Loss struct {
	Stream string
	At     time.Time // when that was noticed
	// Missing says that nobody has made it again yet.
	Missing bool
}

const (
	// presenceInterval is how often the engine looks whether the streams that
	// it was asked for are still there. After the connection was lost it looks
	// at once.
	presenceInterval = 5 * time.Second
	// presenceTimeout bounds the question after one stream.
	presenceTimeout = 2 * time.Second
)

// A kept stream is one that somebody has asked for.
type kept struct {
	wish
	created time.Time // by which it is told from another one of its name
	other   time.Time // when another one was made that was seen once
	lost    *Loss     // the last one; nil: none
	times   int       // how often it was lost
	told    []func()  // who wants to know
}

// keep remembers a stream that was made, so that it is made again if it is
// gone.
func (e *Engine) keep(w wish, created time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if k := e.kept[w.name]; k != nil {
		k.wish = w
		return
	}
	e.kept[w.name] = &kept{wish: w, created: created}
}

// OnLoss has f called whenever a stream that was made by [Engine.Stream], or by
// [Engine.Bucket], was lost and is there again, empty. The stream of a bucket
// is called by [BucketStream]. Each call has a goroutine of its own, for which
// Close waits.
func (e *Engine) OnLoss(stream string, f func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if k := e.kept[stream]; k != nil {
		k.told = append(k.told, f)
	}
}

// Losses are the streams that were lost since the engine was opened, each with
// its last loss, by name.
func (e *Engine) Losses() []Loss {
	e.mu.Lock()
	defer e.mu.Unlock()
	var list []Loss
	for _, name := range slices.Sorted(maps.Keys(e.kept)) {
		if k := e.kept[name]; k.lost != nil {
			list = append(list, *k.lost)
		}
	}
	return list
}

// lookSoon has the streams looked at without waiting for the time for it.
func (e *Engine) lookSoon() { e.streamsDue.Set() }

// watchStreams looks after the streams that were made, until the engine is
// closed.
func (e *Engine) watchStreams() {
	tick := time.NewTicker(presenceInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-e.streamsDue:
			if !backoff.Sleep(e.life, pollInterval) {
				return
			}
		case <-e.life.Done():
			return
		}
		e.lookForStreams()
	}
}

// lookForStreams makes streams again that are gone, and finds out which ones
// somebody else has made again.
func (e *Engine) lookForStreams() {
	e.mu.Lock()
	list := maps.Clone(e.kept)
	e.mu.Unlock()
	for name, k := range list {
		if e.Writable() != nil || e.life.Err() != nil {
			return
		}
		created, err := e.createdAt(name)
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			created, err = e.makeAgain(k)
		}
		if err != nil {
			return // the engine does not answer; the others would not be found either
		}
		e.compare(k, created)
	}
}

// createdAt is when a stream was made.
func (e *Engine) createdAt(name string) (time.Time, error) {
	ctx, cancel := context.WithTimeout(e.life, presenceTimeout)
	defer cancel()
	stream, err := e.js.Stream(ctx, name)
	if err != nil {
		return time.Time{}, err
	}
	return stream.CachedInfo().Created, nil
}

// makeAgain makes a stream that is gone.
func (e *Engine) makeAgain(k *kept) (time.Time, error) {
	e.mu.Lock()
	w := k.wish
	if k.lost == nil || !k.lost.Missing {
		k.lost = &Loss{Stream: w.name, At: time.Now(), Missing: true}
		e.log.Error("a stream is gone with everything in it; it is made again", "stream", w.name)
	}
	e.mu.Unlock()
	ctx, cancel := context.WithTimeout(e.life, attemptTimeout)
	defer cancel()
	stream, err := e.grant(ctx, w)
	if err != nil {
		if e.life.Err() == nil {
			e.log.Warn("a stream that is gone can not be made again yet", "stream", w.name, "err", err)
		}
		return time.Time{}, err
	}
	return stream.CachedInfo().Created, nil
}

// compare finds out whether a stream is the one that it was.
func (e *Engine) compare(k *kept, created time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	missing := k.lost != nil && k.lost.Missing
	switch {
	case created.Equal(k.created):
		if missing { // it was only not to be seen
			k.lost = nil
		}
		return
	case !missing && !created.Equal(k.other):
		// A server that has just started it may say when that was, for a
		// moment: once is not enough.
		k.other = created
		e.lookSoon()
		return
	case !missing:
		k.lost = &Loss{Stream: k.name, At: time.Now()}
		e.log.Error("a stream was gone with everything in it, and somebody has made it again", "stream", k.name)
	}
	k.created, k.lost.Missing = created, false
	k.times++
	for _, f := range k.told {
		e.loops.Go(f)
	}
}
