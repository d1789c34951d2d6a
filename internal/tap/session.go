package tap

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"sync"
	"time"

	"github.com/belfryhq/belfry/internal/rate"
)

// Bounds of what a session keeps for its reader.
const (
	maxWaiting      = 1024    // rows that were not read yet
	maxWaitingBytes = 4 << 20 // of these
	maxRead         = 256     // rows that were read, for a reader that comes back
	maxReadBytes    = 1 << 20
)

const (
	batch     = 100                    // rows in one piece of the answer
	batchTime = 100 * time.Millisecond // between two
	readTime  = 50 * time.Millisecond  // between two looks into the ring
	readMost  = 512                    // records taken at once
)

// A session is what one person watches.
type session struct {
	taps   *Taps
	id     string
	app    string
	filter *Filter
	ring   *ring
	local  *watcher
	ctx    context.Context // ends with the session
	end    context.CancelFunc
	wake   chan struct{} // there is something to read; has room for one
	rate   rate.Limiter

	mu      sync.Mutex
	items   []item             // in order
	read    int                // how many of them have been read
	bytes   int                // of all items
	start   uint64             // place of what stood before items[0], and before what was
	dropped uint64             // there without having been read; then read is zero
	reader  context.CancelFunc // ends the request that reads; nil: nobody does
	readers int                // how many there were, that one included
	left    time.Time          // when the last one went
}

// An item is a row, or one that says how many are left out.
type item struct {
	end  uint64 // place: how many have been shown or counted up to its end
	body []byte // of a row
	gap  *gap   // if it is none
}

// A gap says how many rows are left out in its place, and why.
type gap struct {
	Type   string  `json:"type"` // gap
	Node   string  `json:"node,omitempty"`
	Count  *uint64 `json:"count"` // null: nobody knows
	Reason string  `json:"reason"`
}

// Reasons for gaps.
const (
	gapRate   = "rate"        // the filter asks for fewer
	gapReader = "slow_reader" // who watches has not read them in time
	gapBusy   = "busy_node"   // too much happened at once at the node
	gapLost   = "lost"        // the node, or what it kept, is gone
)

// A nodeState is whether a node's rows come.
type nodeState struct {
	Name     string `json:"name"`
	Answered bool   `json:"answered"`
	Detail   string `json:"detail,omitempty"` // why they do not
}

func newSession(t *Taps, app string, f *Filter, r *ring) *session {
	ctx, cancel := context.WithTimeout(context.Background(), maxAge)
	return &session{
		taps: t, id: rand.Text()[:16], app: app, filter: f, ring: r, ctx: ctx, end: cancel,
		local: &watcher{filter: f, wake: make(chan struct{}, 1)},
		wake:  make(chan struct{}, 1),
		left:  time.Now(),
	}
}

// run reads until the session ends: at its age, or when nobody has read it for
// long.
func (s *session) run(wide bool) {
	var others sync.WaitGroup
	defer others.Wait()
	defer s.end()
	if peers := s.taps.cfg.Peers(); wide && peers != nil {
		others.Go(func() { s.gather(peers) })
	}
	if !s.filter.node(s.taps.cfg.Node) {
		s.idle()
		return
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		got := s.look()
		select {
		case <-s.ctx.Done():
			return
		case <-tick.C:
			if s.expired() {
				return
			}
		case <-s.next(got):
		}
	}
}

// look reads what has come into the ring, and returns how much that was.
func (s *session) look() int {
	node := s.taps.cfg.Node
	got, missed, surplus := s.local.take(s.ring, readMost, s.admit)
	s.gap(node, gapBusy, missed)
	filter := s.filter
	if hides := s.taps.cfg.Hides; hides != nil && hides(s.app) {
		bare := *filter
		bare.Data, filter = false, &bare
	}
	for i := range got {
		s.show(render(&got[i], node, filter))
	}
	s.gap(node, gapRate, surplus)
	return len(got) + int(surplus)
}

// admit reports whether one more row may be shown in this second.
func (s *session) admit() bool {
	_, ok := s.rate.Take(time.Now(), 1, rate.PerSecond(s.filter.Rate))
	return ok
}

// next is when to look into the ring again: soon if something was there, and else
// when something comes.
func (s *session) next(got int) <-chan struct{} {
	if got == 0 {
		return s.local.wake
	}
	soon := make(chan struct{})
	time.AfterFunc(readTime, func() { close(soon) })
	return soon
}

// idle waits for the end of the session.
func (s *session) idle() {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for !s.expired() {
		select {
		case <-s.ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// abandoned reports whether nobody reads at the moment.
func (s *session) abandoned() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reader == nil
}

// expired reports whether nobody has read for so long that nobody will.
func (s *session) expired() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reader == nil && time.Since(s.left) > linger
}

// row adds a row of a peer, unless there were enough in this second.
func (s *session) row(node string, body []byte) {
	if s.admit() {
		s.show(body)
	} else {
		s.gap(node, gapRate, 1)
	}
}

// show adds a row.
func (s *session) show(body []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addLocked(item{end: s.endLocked() + 1, body: body})
}

// gap says that so many rows are left out here.
func (s *session) gap(node, reason string, n uint64) {
	if n == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gapLocked(node, reason, n)
}

func (s *session) gapLocked(node, reason string, n uint64) {
	if last := len(s.items) - 1; last >= s.read {
		if g := s.items[last].gap; g != nil && g.Count != nil && g.Node == node && g.Reason == reason {
			*g.Count += n
			s.items[last].end += n
			return
		}
	}
	s.addLocked(item{end: s.endLocked() + n, gap: &gap{"gap", node, &n, reason}})
}

// unknown says that it is not known how many rows are left out here.
func (s *session) unknown(node, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addLocked(item{end: s.endLocked(), gap: &gap{"gap", node, nil, reason}})
}

// endLocked is the place of the end of all items. s.mu is held.
func (s *session) endLocked() uint64 {
	if n := len(s.items); n > 0 {
		return s.items[n-1].end
	}
	return s.start + s.dropped
}

// itemCost is what an item costs beside its bytes.
const itemCost = 64

func (it item) cost() int { return len(it.body) + itemCost }

// addLocked adds an item. What has waited longest goes, if it is too much. s.mu
// is held.
func (s *session) addLocked(it item) {
	s.items = append(s.items, it)
	s.bytes += it.cost()
	for s.read > maxRead || s.read > 0 && s.bytes > maxReadBytes {
		s.shiftLocked()
	}
	for len(s.items) > maxWaiting || s.bytes > maxWaitingBytes && len(s.items) > 1 {
		s.shiftLocked()
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// shiftLocked lets go of the first item. If it was not read, that is counted. s.mu
// is held.
func (s *session) shiftLocked() {
	if s.read > 0 {
		s.read--
		s.start = s.items[0].end
	} else {
		s.dropped = s.items[0].end - s.start
	}
	s.bytes -= s.items[0].cost()
	s.items = s.items[1:]
}

// take returns up to so many items that were not read yet. They are read by that.
func (s *session) take(most int) (got []item) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dropped > 0 {
		n := s.dropped
		s.start += n
		s.dropped = 0
		got = append(got, item{end: s.start, gap: &gap{"gap", "", &n, gapReader}})
	}
	for s.read < len(s.items) && len(got) < most {
		it := s.items[s.read]
		if it.gap != nil { // which grows no more once it is read
			g := *it.gap
			it.gap = &g
		}
		got = append(got, it)
		s.read++
	}
	return got
}

// attach makes a request the one that reads, from a place on. It replaces the one
// before, and returns what is to be called when it has ended.
func (s *session) attach(place uint64, replaced context.CancelFunc) (detach func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reader != nil {
		s.reader()
	}
	s.readers++
	s.reader = replaced
	s.rewindLocked(place)
	mine := s.readers
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.readers == mine {
			s.reader, s.left = nil, time.Now()
		}
	}
}

// rewindLocked makes the next that is read what follows a place. s.mu is held.
func (s *session) rewindLocked(place uint64) {
	s.read = 0
	for s.read < len(s.items) && s.items[s.read].end <= place {
		s.read++
	}
	if s.read == 0 && s.start > place {
		s.dropped += s.start - place
		s.start = place
	}
}

// tellNodes tells whose rows come.
func (s *session) tellNodes(now []nodeState) {
	body, err := json.Marshal(struct {
		Type  string      `json:"type"`
		Nodes []nodeState `json:"nodes"`
	}{"nodes", now})
	if err != nil {
		panic(err) // there is nothing in it that can not be written
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addLocked(item{end: s.endLocked(), body: body})
}
