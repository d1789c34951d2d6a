package hub

import (
	"math/bits"
	"slices"

	"github.com/belfryhq/belfry/internal/frame"
	"github.com/belfryhq/belfry/internal/trace"
	"github.com/belfryhq/belfry/protocol"
)

// An audience is a set of sessions that get the same deliveries in the same
// order. It is the subscribers of a channel, the connections of a user, or
// those that watch a user.
type audience struct {
	// Guarded by the shard's lock.
	last  uint64 // number of the last delivery; it never falls, also when what has the audience is made anew
	size  int
	loops uint64 // bit i: loop i has some of them

	// roll[i] is owned by loop i.
	roll []*roll
}

// A roll is one loop's part of an audience, in no order.
type roll struct{ seats []*seat }

// A seat is a session's place in an audience. Its loop owns it.
type seat struct {
	session *Session
	at      int32  // place in the roll
	joined  uint32 // when, in tenths of a second of the hub's life
	since   uint64 // deliveries up to this one are not for this session; see replaying
}

// addLocked gives s a place, from the next delivery on. It runs on the session's
// loop, with the shard's lock held.
func (a *audience) addLocked(st *seat, s *Session) {
	if a.roll == nil {
		a.roll = make([]*roll, s.tenant.hub.cfg.Loops.Len())
	}
	r := a.roll[s.loop]
	if r == nil {
		r = new(roll)
		a.roll[s.loop] = r
	}
	st.session, st.since, st.at = s, a.last, int32(len(r.seats))
	st.joined = s.tenant.hub.age()
	r.seats = append(r.seats, st)
	a.loops |= 1 << s.loop
	a.size++
}

// removeLocked takes the place away. It runs on the session's loop, with the
// shard's lock held.
func (a *audience) removeLocked(st *seat) {
	loop := st.session.loop
	r := a.roll[loop]
	last := len(r.seats) - 1
	r.seats[st.at] = r.seats[last]
	r.seats[st.at].at = st.at
	r.seats[last] = nil
	r.seats = r.seats[:last]
	switch {
	case last == 0:
		a.roll[loop] = nil
		a.loops &^= 1 << loop
	case cap(r.seats) > 64 && last < cap(r.seats)/4:
		r.seats = slices.Clip(slices.Clone(r.seats))
	}
	a.size--
}

// A delivery is one frame on its way to an audience. All loops share it.
type delivery struct {
	to     *audience
	number uint64
	frame  *frame.Frame
	except protocol.SocketID // gets nothing; may be zero
	meter  *meter
	event  bool                // somebody has triggered it
	takes  func(*Session) bool // who can be sent it; nil: all
	tally  *trace.Tally        // counts who was handed it; may be nil
}

// deliverLocked posts f to all loops that have sessions in a. The shard's lock is
// held, which is what puts the deliveries of an audience in one order.
func (h *Hub) deliverLocked(a *audience, f *frame.Frame) {
	h.startLocked(delivery{to: a, frame: f, meter: &h.service})
}

// deliverInternalLocked is deliverLocked for an event of the protocol that some clients can
// not take on some kinds of channels. The shard's lock is held.
func (h *Hub) deliverInternalLocked(a *audience, event string, kind protocol.Kind, f *frame.Frame) {
	takes := func(s *Session) bool { return s.library.Takes(event, kind) }
	h.startLocked(delivery{to: a, frame: f, takes: takes, meter: &h.service})
}

// startLocked gives a delivery its number and posts it, if there is anybody to get
// it. The shard's lock is held.
func (h *Hub) startLocked(d delivery) {
	d.to.last++
	if d.to.loops == 0 {
		return
	}
	d.number = d.to.last
	shared := new(delivery)
	*shared = d
	h.postLocked(d.to, shared.run, d.frame.Cost())
}

// bytesPerWeight is how much memory one unit of weight stands for; see [Loops].
const bytesPerWeight = 128

// postLocked runs a function that holds so many bytes on all loops that have sessions
// in a. The shard's lock is held.
func (h *Hub) postLocked(a *audience, run func(loop int), cost int) {
	weight := 1 + a.size/bits.OnesCount64(a.loops) + cost/bytesPerWeight
	for loops := a.loops; loops != 0; loops &= loops - 1 {
		h.cfg.Loops.Post(bits.TrailingZeros64(loops), run, weight)
	}
}

// run is a delivery's part on one loop.
func (d *delivery) run(loop int) {
	r := d.to.roll[loop]
	if r == nil {
		return // all have left meanwhile
	}
	n, number, except, takes, f := 0, d.number, d.except, d.takes, d.frame
	for _, st := range r.seats {
		s := st.session
		if st.since >= number && !st.servedMeanwhile(d) || s.id == except || takes != nil && !takes(s) {
			continue
		}
		s.send(f)
		n++
	}
	d.meter.delivered(n)
	d.tally.Add(n)
}

// A dismissal is a delivery that closes.
type dismissal struct {
	hub    *Hub
	of     *audience
	number uint64
	why    *protocol.Error
}

// dismissLocked closes the sessions in a, but not those that join from here on. The
// lock that guards a is held.
func (h *Hub) dismissLocked(a *audience, why *protocol.Error) {
	a.last++
	if a.loops == 0 {
		return
	}
	d := &dismissal{hub: h, of: a, number: a.last, why: why}
	h.postLocked(a, d.run, 0)
}

// run is a dismissal's part on one loop.
func (d *dismissal) run(loop int) {
	r := d.of.roll[loop]
	if r == nil {
		return
	}
	var doomed []*Session // closing takes them off the roll
	for _, st := range r.seats {
		if st.since < d.number {
			doomed = append(doomed, st.session)
		}
	}
	d.hub.closeSome(loop, doomed, d.why)
}

// closeSlice is how many sessions are closed in one turn of their loop.
const closeSlice = 256

// closeSome closes sessions of one loop, a slice of them in each turn.
func (h *Hub) closeSome(loop int, doomed []*Session, why *protocol.Error) {
	now := doomed[:min(len(doomed), closeSlice)]
	for _, s := range now {
		s.close(why)
	}
	if rest := doomed[len(now):]; len(rest) > 0 {
		h.cfg.Loops.Post(loop, func(int) { h.closeSome(loop, rest, why) }, closeSlice)
	}
}
