package history

import (
	"time"

	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/frame"
	"github.com/belfryhq/belfry/protocol"
)

// A Shelf holds logs that one lock guards, and numbers the events that this node
// publishes on their channels. The zero value is empty.
type Shelf struct {
	budget         *Budget
	number         uint64 // of the last event
	forgotten      uint64 // the highest number on a channel whose log is not there any more
	oldest, newest *Entry
	evicted        uint64
	spare          *Entry // dropped ones for the next events, linked by later
	spares         int
}

// maxSpares is how many dropped entries wait to be used again. A shelf that is full drops
// one for each event.
const maxSpares = 64

// blank returns an entry of which nothing is set.
func (s *Shelf) blank() *Entry {
	e := s.spare
	if e == nil {
		return new(Entry)
	}
	s.spare = e.later
	s.spares--
	return e
}

// An Entry is one event of a log. It is used again when the event has been dropped: who
// has not got the lock must not keep it.
type Entry struct {
	Frame *frame.Frame

	publisher    *publisher
	number       uint64
	except       *protocol.SocketID // who does not get it; nil: nobody
	later        *Entry             // in the log
	older, newer *Entry             // on the shelf
	at           uint32             // when it was published, see Budget.tenths
}

// Mark is the place of the event.
func (e *Entry) Mark() Mark { return Mark{e.publisher.id, e.number} }

// Open returns the log of a channel of which nothing is known. Self is this node. All
// logs of a shelf have the same budget.
func (s *Shelf) Open(self node.ID, b *Budget) *Log {
	s.budget = b
	l := &Log{shelf: s}
	l.publishers = append(l.publishers, &publisher{log: l, id: self, floor: s.forgotten, last: s.forgotten})
	return l
}

// Forget drops a log, with what is in it.
func (s *Shelf) Forget(l *Log) {
	for l.first != nil {
		s.pop(l)
	}
	s.forgotten = max(s.forgotten, l.own().last)
}

// Number is that of the last event.
func (s *Shelf) Number() uint64 { return s.number }

// StartAbove makes all events of a new shelf have higher numbers than that.
func (s *Shelf) StartAbove(number uint64) { s.number, s.forgotten = number, number }

// Interrupt notes that events may be published from now on that get no number. Who was
// anywhere before can not be told any more that nothing is missing. Logs that are
// there go on: those of other channels must be dropped with [Shelf.Forget] before.
func (s *Shelf) Interrupt() {
	s.number++
	s.forgotten = s.number
}

// Evicted is how many events were dropped before they had expired, since the last
// call.
func (s *Shelf) Evicted() uint64 {
	n := s.evicted
	s.evicted = 0
	return n
}

// Expire drops what is older than that.
func (s *Shelf) Expire(now time.Time, ttl time.Duration) {
	if s.oldest == nil {
		return
	}
	ttl10, at := uint32(min(ttl/(time.Second/10), 1<<30)), s.budget.tenths(now)
	for s.oldest != nil && at-min(s.oldest.at, at) > ttl10 {
		s.pop(s.oldest.publisher.log)
	}
}

// Oldest is when the oldest event was published, and whether there is one.
func (s *Shelf) Oldest() (at uint32, ok bool) {
	if s.oldest == nil {
		return 0, false
	}
	return s.oldest.at, true
}

// Evict drops the log's oldest event that is the oldest of the shelf.
func (s *Shelf) Evict() {
	if s.oldest != nil {
		s.evicted++
		s.pop(s.oldest.publisher.log)
	}
}

// add puts an entry on the shelf.
func (s *Shelf) add(e *Entry) {
	e.older = s.newest
	if s.newest != nil {
		s.newest.newer = e
	} else {
		s.oldest = e
	}
	s.newest = e
	s.budget.used.Add(int64(e.cost()))
}

// pop drops the first event of a log.
func (s *Shelf) pop(l *Log) {
	e := l.first
	l.first = e.later
	if l.first == nil {
		l.final = nil
	}
	l.count--
	l.bytes -= e.Frame.Cost()
	e.publisher.floor = max(e.publisher.floor, e.number)
	if e.older != nil {
		e.older.newer = e.newer
	} else {
		s.oldest = e.newer
	}
	if e.newer != nil {
		e.newer.older = e.older
	} else {
		s.newest = e.older
	}
	s.budget.used.Add(-int64(e.cost()))
	*e = Entry{}
	if s.spares < maxSpares {
		e.later, s.spare = s.spare, e
		s.spares++
	}
}

func (e *Entry) cost() int { return e.Frame.Cost() + EntrySize }
