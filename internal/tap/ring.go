package tap

import (
	"math/bits"
	"sync"

	"github.com/belfryhq/belfry/internal/trace"
)

// Bounds of one app's ring.
const (
	ringSize    = 4096    // records
	ringPayload = 8 << 20 // bytes of frames that its records refer to
	maxWatchers = 8
)

// A ring has what happened lately to an app that is watched. All who watch it
// read the same records, each those that its filter lets through. A record is
// overwritten by the one that comes 4,096 later, whether it was read or not; who
// has not read it is told how many it missed.
type ring struct {
	mu       sync.Mutex
	slots    []slot // at most ringSize; that of a number is number % ringSize
	next     uint64 // number of the next record
	payload  int    // bytes of the frames that are referred to
	faded    uint64 // records with a lower number have lost their frames
	watchers [maxWatchers]*watcher
}

var _ trace.Sink = (*ring)(nil)

// A slot is one record and for whom it is: bit i for watchers[i].
type slot struct {
	record trace.Record
	wanted uint8
	faded  bool    // its frame had to go
	bodies *bodies // how it is shown; nil: nobody has shown it yet
}

// A watcher is one reader of a ring. The ring's lock guards it.
type watcher struct {
	filter *Filter
	cursor uint64        // number of the next record that it looks at
	missed uint64        // records for it that were overwritten before it came
	asleep bool          // it waits for wake
	wake   chan struct{} // has room for one
}

// Trace implements [trace.Sink].
func (r *ring) Trace(rec trace.Record) *trace.Tally {
	r.mu.Lock()
	defer r.mu.Unlock()
	var wanted uint8
	for i, w := range r.watchers {
		if w != nil && w.filter.match(&rec) {
			wanted |= 1 << i
		}
	}
	if wanted == 0 {
		return nil
	}
	s := r.claimLocked()
	*s = slot{record: rec, wanted: wanted}
	if rec.Frame != nil {
		r.payload += rec.Frame.Cost()
		r.fadeLocked()
	}
	for ; wanted != 0; wanted &= wanted - 1 {
		if w := r.watchers[bits.TrailingZeros8(wanted)]; w.asleep {
			w.asleep = false
			select {
			case w.wake <- struct{}{}:
			default:
			}
		}
	}
	return nil
}

// claimLocked returns the slot of the next record. Who has not read the one that
// was in it has missed that. r.mu is held.
func (r *ring) claimLocked() *slot {
	at := r.next % ringSize
	r.next++
	if int(at) == len(r.slots) {
		r.slots = append(r.slots, slot{})
		return &r.slots[at]
	}
	s, number := &r.slots[at], r.next-1-ringSize
	for unread := s.wanted; unread != 0; unread &= unread - 1 {
		if w := r.watchers[bits.TrailingZeros8(unread)]; w.cursor <= number {
			w.missed++
		}
	}
	r.forgetLocked(s)
	return s
}

// forgetLocked lets go of a slot's frame. r.mu is held.
func (r *ring) forgetLocked(s *slot) {
	if s.record.Frame != nil {
		r.payload -= s.record.Frame.Cost()
		s.record.Frame, s.faded = nil, true
	}
}

// fadeLocked lets go of the oldest frames until the others are few enough. r.mu
// is held.
func (r *ring) fadeLocked() {
	r.faded = max(r.faded, r.oldestLocked())
	for ; r.payload > ringPayload && r.faded < r.next; r.faded++ {
		r.forgetLocked(&r.slots[r.faded%ringSize])
	}
}

// oldestLocked is the number of the oldest record. r.mu is held.
func (r *ring) oldestLocked() uint64 { return r.next - uint64(len(r.slots)) }

// take returns up to so many records that w has not read, the oldest first, and how
// many it has missed before them. When admit says that there were enough, those
// behind are a surplus, which is counted. While there are none w will be woken by
// the next.
func (w *watcher) take(r *ring, most int, admit func() bool) (got []slot, missed, surplus uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	missed, w.missed = w.missed, 0
	bit := uint8(0)
	for i := range r.watchers {
		if r.watchers[i] == w {
			bit = 1 << i
		}
	}
	for w.cursor = max(w.cursor, r.oldestLocked()); w.cursor < r.next && len(got) < most; w.cursor++ {
		s := &r.slots[w.cursor%ringSize]
		switch {
		case s.wanted&bit == 0:
		case surplus > 0 || !admit():
			surplus++
		default:
			if s.bodies == nil {
				s.bodies = new(bodies)
			}
			got = append(got, *s)
		}
	}
	w.asleep = len(got) == 0 && surplus == 0
	return got, missed, surplus
}

// add gives w a place, from the next record on, and reports whether there was
// one.
func (r *ring) add(w *watcher) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.watchers {
		if r.watchers[i] == nil {
			w.cursor = r.next
			r.watchers[i] = w
			return true
		}
	}
	return false
}

// remove takes the place away.
func (r *ring) remove(w *watcher) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.watchers {
		if r.watchers[i] != w {
			continue
		}
		r.watchers[i] = nil
		for j := range r.slots {
			r.slots[j].wanted &^= 1 << i
		}
	}
}

// interest is what those who watch want together, and whether anybody does.
func (r *ring) interest() (wants trace.Interest, any bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, w := range r.watchers {
		if w != nil {
			any = true
			wants.Kinds |= w.filter.Kinds
			wants.Data = wants.Data || w.filter.Data
		}
	}
	return wants, any
}
