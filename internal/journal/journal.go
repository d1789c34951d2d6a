// Package journal remembers for a while what became of events and connections, so
// that it can be said later why somebody did not get something.
//
// It reads the [trace.Logs] of all apps and keeps small records, without the data
// of events and without what is known about users but their ids. There are two
// stores of the same size, one of events and one of the lives of connections and
// subscriptions, so that neither pushes out the other. When a store is full the
// oldest goes; but each app keeps a share of 1/64, so that a busy one leaves
// something to all others. What the records mean is the business of package
// explain.
//
// # Memory
//
// A store consists of blocks of 16 KiB, which records are written into one after
// another, encoded, as they are ([encode]). A block belongs to one app. There is
// nothing in it that the garbage collector has to follow.
//
// # Locks
//
// Each store has one lock, a leaf, which is taken under those of the hub's shards
// and held while one record is copied. Who reads takes it for one block at a time.
package journal

import (
	"sync"

	"github.com/belfryhq/belfry/internal/trace"
)

// DefaultSize is how many bytes a node's journal has.
const DefaultSize = 16 << 20

const (
	blockSize = 16 << 10
	// shares is in how many parts a store is cut of which each app has one for
	// itself.
	shares = 64
	// minSize is the smallest journal: a few blocks for each store.
	minSize = 8 * blockSize
	// tallies is how many records a block has at most, each with a number of those
	// that were handed it, which take tallySize bytes.
	tallies   = blockSize / 64
	tallySize = tallies * 4
)

// events are the kinds of the store of events; lives of the other one.
var (
	events = trace.KindsOf(trace.APIMessage, trace.ClientEvent, trace.Arrived, trace.Error)
	lives  = trace.KindsOf(trace.Connected, trace.Disconnected, trace.ConnectionRefused, trace.SignedIn,
		trace.Subscribed, trace.Unsubscribed, trace.ClientError, trace.APIError)
)

// A Journal keeps what happened on one node. Its methods are safe for concurrent
// use.
type Journal struct{ events, lives store }

var _ trace.Sink = (*Journal)(nil)

// New returns a journal that takes about that many bytes, and at least 128 KiB.
func New(size int) *Journal {
	most := max(size, minSize) / 2 / blockSize
	j := new(Journal)
	j.events.init(most)
	j.lives.init(most)
	return j
}

// Interest is what the journal wants to be told.
func (j *Journal) Interest() trace.Interest { return trace.Interest{Kinds: events | lives} }

// Trace implements [trace.Sink].
func (j *Journal) Trace(r trace.Record) *trace.Tally {
	var space [1024]byte
	if events.Has(r.Kind) {
		return j.events.add(&r, encode(space[:0], &r))
	}
	j.lives.add(&r, encode(space[:0], &r))
	return nil
}

// Each calls each for everything that is kept of an app, until it returns false:
// events first, then lives, each in the order in which they happened. Each may keep
// the record.
func (j *Journal) Each(app string, each func(r *Record) bool) {
	if j.events.each(app, each) {
		j.lives.each(app, each)
	}
}

// A Horizon is from when on everything is known, in nanoseconds since 1970. Of
// what is zero nothing was forgotten since the node began.
type Horizon struct {
	Events int64 `json:"events"`
	Lives  int64 `json:"lives"`
}

// Horizon returns from when on everything is known of an app.
func (j *Journal) Horizon(app string) Horizon {
	return Horizon{j.events.horizon(app), j.lives.horizon(app)}
}

// Forget forgets everything about an app that is gone.
func (j *Journal) Forget(app string) {
	j.events.forget(app)
	j.lives.forget(app)
}

// Apps returns the ids of the apps of which something is kept.
func (j *Journal) Apps() []string {
	j.lives.mu.Lock()
	defer j.lives.mu.Unlock()
	list := make([]string, 0, len(j.lives.apps))
	for id := range j.lives.apps {
		list = append(list, id)
	}
	return list
}

// A store is a bounded number of blocks.
type store struct {
	most  int // blocks there may be
	share int // that an app keeps whatever others do

	mu             sync.Mutex
	oldest, newest *block // of all apps
	blocks         int
	number         uint64            // of the newest
	apps           map[string]*shelf // those with blocks
	above          int               // of these, how many have more than their share
	lost           map[string]int64  // by app, the time of the newest record that was forgotten
}

// A shelf is the blocks of one app, the oldest first.
type shelf struct {
	app    string
	blocks []*block
}

// A block is some records of one app, one after another. What is in it does not
// change; records are added behind it, under the store's lock.
type block struct {
	next, previous *block // by age, in the store
	of             *shelf
	number         uint64
	last           int64 // time of its newest record
	records        int
	bytes          []byte
	tally          [tallies]trace.Tally // of its records, in their order
}

func (s *store) init(most int) {
	s.most, s.share = most, max(most/shares, 1)
	s.apps, s.lost = make(map[string]*shelf), make(map[string]int64)
}

// add puts a record behind those of its app.
func (s *store) add(r *trace.Record, text []byte) *trace.Tally {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b *block
	if sh := s.apps[r.App]; sh != nil {
		b = sh.blocks[len(sh.blocks)-1]
	}
	if b == nil || len(b.bytes)+len(text) > cap(b.bytes) || b.records == tallies {
		b = s.blockLocked(r.App)
	}
	b.bytes, b.last = append(b.bytes, text...), r.At
	b.records++
	return &b.tally[b.records-1]
}

// blockLocked gives an app another block, in place of an old one if there are
// enough. s.mu is held.
func (s *store) blockLocked(app string) *block {
	if s.blocks == s.most {
		s.evictLocked(s.victimLocked())
	}
	sh := s.apps[app]
	if sh == nil {
		sh = &shelf{app: app}
		s.apps[app] = sh
	}
	s.blocks++
	s.number++
	b := &block{of: sh, number: s.number, previous: s.newest, bytes: make([]byte, 0, blockSize-tallySize)}
	if s.newest != nil {
		s.newest.next = b
	} else {
		s.oldest = b
	}
	s.newest = b
	sh.blocks = append(sh.blocks, b)
	if len(sh.blocks) == s.share+1 {
		s.above++
	}
	return b
}

// victimLocked is the oldest block of those apps that have more than their share
// or, if none has, of all. s.mu is held.
func (s *store) victimLocked() *block {
	b := s.oldest
	for s.above > 0 && len(b.of.blocks) <= s.share {
		b = b.next
	}
	return b
}

// evictLocked forgets a block, which is the oldest one of its app. s.mu is held.
func (s *store) evictLocked(b *block) {
	if b.previous != nil {
		b.previous.next = b.next
	} else {
		s.oldest = b.next
	}
	if b.next != nil {
		b.next.previous = b.previous
	} else {
		s.newest = b.previous
	}
	s.blocks--
	sh := b.of
	if len(sh.blocks) == s.share+1 {
		s.above--
	}
	s.lost[sh.app] = b.last
	if sh.blocks = sh.blocks[1:]; len(sh.blocks) == 0 {
		delete(s.apps, sh.app)
	}
}

// forget forgets everything about an app.
func (s *store) forget(app string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for sh := s.apps[app]; sh != nil; sh = s.apps[app] {
		s.evictLocked(sh.blocks[0])
	}
	delete(s.lost, app)
}

// each calls each for the records of an app.
func (s *store) each(app string, each func(r *Record) bool) bool {
	for after := uint64(0); ; {
		b, text := s.next(app, after)
		if b == nil {
			return true
		}
		after = b.number
		for i := 0; len(text) > 0; i++ {
			r := new(Record)
			rest, ok := decode(text, r)
			if !ok {
				return true // not ours to fix here; what follows can not be read
			}
			r.App, r.Handed = app, b.tally[i].Count()
			if text = rest; !each(r) {
				return false
			}
		}
	}
}

// next returns the first block of an app with a number above after, and what is in
// it by now.
func (s *store) next(app string, after uint64) (*block, []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sh := s.apps[app]; sh != nil {
		for _, b := range sh.blocks {
			if b.number > after {
				return b, b.bytes
			}
		}
	}
	return nil, nil
}

func (s *store) horizon(app string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lost[app]
}
