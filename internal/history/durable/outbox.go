package durable

import (
	"context"
	"math"
	"time"

	"github.com/belfryhq/belfry/internal/frame"
	"github.com/belfryhq/belfry/internal/history"
)

// An outbox is what one app's events wait in. Store.mu guards it.
type outbox struct {
	app     string
	begun   bool
	forget  bool   // what is there is to be removed
	highest uint64 // number of an event that was added
	life    uint64 // tells apart what was begun more than once
	base    uint64
	index   uint64 // of the last chunk
	missed  bool   // an event is not in any chunk: the next one has to show it

	chunks  []*chunk // the first one may be on its way
	waiting int      // bytes in them
	added   uint64   // records, ever
	written uint64
	changed chan struct{} // closed when more is written; nil: nobody waits
}

// A chunk is what goes into one message.
type chunk struct {
	header  header
	records []byte
	last    uint64 // number of its last record among those that were added
	ttl     time.Duration
	sealed  bool // on its way
}

// lost is the ticket of a record that will not be written.
const lost = math.MaxUint64

// Begin says that from now on all events of an app are added whose numbers are above
// base. What was added before is not believed any more.
func (s *Store) Begin(app string, base uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.outboxLocked(app)
	s.lives++
	o.begun, o.life, o.base, o.index = true, s.lives, max(base, o.highest), 0
	o.seal()
}

// Forget drops all that is kept of an app, and what other nodes have written of it.
func (s *Store) Forget(app string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.outboxLocked(app)
	o.begun, o.missed, o.forget = false, true, true
	o.seal()
	s.wake.Set()
}

func (s *Store) outboxLocked(app string) *outbox {
	o := s.apps[app]
	if o == nil {
		s.lives++
		o = &outbox{app: app, life: s.lives}
		s.apps[app] = o
	}
	return o
}

// Add adds a record of an app, to be kept for a time, and returns a ticket for
// [Store.Await]. It never blocks, and does not keep the frame's bytes.
func (s *Store) Add(app string, r history.Record, ttl time.Duration) (ticket uint64) {
	if r.Frame != nil && len(r.Frame.Message()) > maxEvent {
		r.Frame = nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.outboxLocked(app)
	o.highest = max(o.highest, r.Number)
	size := sizeOf(&r)
	if s.waiting+size > maxWaiting || o.waiting+size > maxOfApp {
		o.missed = true
		o.seal()
		s.metrics.missed.Inc()
		return lost
	}
	s.addLocked(o, &r, size, ttl)
	return o.added
}

// Mark says how far a channel is, if there is room for that: else it is only known for
// as long as its last event is kept.
func (s *Store) Mark(app, channel string, number uint64, ttl time.Duration) {
	r := history.Record{Channel: channel, Event: history.Event{Mark: history.Mark{Number: number}}}
	s.mu.Lock()
	defer s.mu.Unlock()
	o, size := s.outboxLocked(app), sizeOf(&r)
	if s.waiting+size <= maxWaiting/2 && o.waiting+size <= maxOfApp/2 {
		s.addLocked(o, &r, size, ttl)
	}
}

// addLocked adds a record for which there is room. Store.mu is held.
func (s *Store) addLocked(o *outbox, r *history.Record, size int, ttl time.Duration) {
	c := o.chunkLocked(size)
	before := len(c.records)
	c.records = appendRecord(c.records, r)
	size = len(c.records) - before
	o.waiting += size
	s.waiting += size
	o.added++
	c.last, c.ttl = o.added, max(c.ttl, ttl+keptLonger)
	if len(o.chunks) == 1 && before == 0 {
		s.wake.Set()
	}
}

// chunkLocked returns the chunk that the next record goes into. Store.mu is held.
func (o *outbox) chunkLocked(size int) *chunk {
	if n := len(o.chunks); n > 0 {
		if c := o.chunks[n-1]; !c.sealed && len(c.records)+size <= chunkSize {
			return c
		}
	}
	o.index++
	if o.missed {
		o.index++
		o.missed = false
	}
	c := &chunk{header: header{life: o.life, index: o.index, begun: o.begun, base: o.base}}
	o.chunks = append(o.chunks, c)
	return c
}

// seal makes the next record go into a chunk of its own.
func (o *outbox) seal() {
	if n := len(o.chunks); n > 0 {
		o.chunks[n-1].sealed = true
	}
}

// sizeOf is about how long a record is.
func sizeOf(r *history.Record) int {
	n := len(r.Channel) + 64
	if r.Frame != nil {
		n += len(r.Frame.Message())
	}
	return n
}

// Await waits until a record of an app is written. It returns ErrNotKept if that is
// not so when ctx ends, or after [Patience].
func (s *Store) Await(ctx context.Context, app string, ticket uint64) error {
	if ticket == lost {
		return ErrNotKept
	}
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	for {
		s.mu.Lock()
		o := s.outboxLocked(app)
		if o.written >= ticket {
			s.mu.Unlock()
			return nil
		}
		if o.changed == nil {
			o.changed = make(chan struct{})
		}
		changed := o.changed
		s.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return ErrNotKept
		}
	}
}

// textFrame is the frame of a message that was read.
func textFrame(message []byte) *frame.Frame {
	return frame.Text(func(b []byte) []byte { return append(b, message...) })
}
