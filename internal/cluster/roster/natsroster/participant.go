package natsroster

import (
	"time"

	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/cluster/roster"
	"github.com/belfryhq/belfry/internal/expiry"
)

// A participant is what one node makes of the log: what it has read, what it
// has to write, and what its host has to be told. It performs no I/O and has no
// clock; the Roster does that, and its lock guards it.
type participant struct {
	timing
	id     node.ID
	name   string
	newID  func() node.ID
	ledger *ledger
	own    own

	waits   expiry.Queue[key] // nobody holds them, and this node is to settle them
	settles []key             // that have waited long enough
	calls   []call            // to the host, in order

	// The way into the log.
	caughtUp bool      // the log has been read to where it ended
	headless bool      // the log did not begin where reading began
	joined   bool      // the hello was read back
	log      string    // that was joined
	helloAt  time.Time // there is no hello before
	flight   *flight   // the batch that is under way

	number   uint64 // of the last batch
	beatAt   time.Time
	provenAt time.Time // when the last batch that was read back was sent
	// currentSince is since when the node is current, if it is; see roster.Roster.
	currentSince time.Time
	silence      map[node.ID]int
	gone         func(name string) bool // Config.Gone
	heard        map[node.ID]time.Time
	takenOver    map[node.ID]bool // what the host was told to take over

	// Orders are positions in a log. What the host sees goes on growing when
	// the log begins again.
	orderBase uint64
	lastOrder uint64 // that the host has seen
	told      uint64 // by the host

	draining bool
	leaving  bool // as soon as everything is written
	parting  bool // that was written: the successor may act already
	left     bool
	counts   counts
}

// timing is how long things take.
type timing struct {
	lease, grace, settle, beat time.Duration
}

// A flight is a batch on its way into the log.
type flight struct {
	batch  *batch
	author node.ID
	sentAt time.Time
	stored uint64        // its position, once that is known
	landed chan struct{} // closed when it was read back, or is given up
	over   bool
}

// counts are what metrics are made of.
type counts struct {
	debounced, drops, evicted, resynced, forgotten, voided int
}

// A call is one to the host.
type call struct {
	kind     callKind
	decision roster.Decision
	id       node.ID
}

type callKind uint8

const (
	callDecide callKind = iota
	callTakeOver
	callEvicted
)

func newParticipant(id node.ID, name string, t timing) *participant {
	return &participant{
		timing: t, id: id, name: name, newID: node.NewID, ledger: newLedger(), own: newOwn(),
		silence: make(map[node.ID]int), heard: make(map[node.ID]time.Time), takenOver: make(map[node.ID]bool),
	}
}

// silent is after how many of its own beats a node gives another one up, after
// it has not heard it for d. The first beat may follow at once.
func (t timing) silent(d time.Duration) int { return int((d+t.beat-1)/t.beat) + 1 }

// load replaces what was read by a snapshot of the log at a later position.
// If l is nil, it is replaced by nothing, because the log is not known up to
// seq.
func (p *participant) load(l *ledger, seq uint64, now time.Time) {
	p.caughtUp, p.headless = false, l == nil && seq > 0
	if l == nil {
		l = newLedger()
		l.seq = seq
	}
	p.ledger = l
	clear(p.silence)
	clear(p.heard)
	p.check(now) // the snapshot may have this node's hello
	me := l.live(p.id)
	if p.joined && me != nil && l.log == p.log {
		p.catchUp(me, now)
	}
}

// catchUp does what this node has not read, but finds in a snapshot.
func (p *participant) catchUp(me *incarnation, now time.Time) {
	for _, dead := range me.predecessors {
		if !p.takenOver[dead] {
			p.takeOver(dead)
		}
	}
	for _, m := range me.untold {
		if m.order+p.orderBase > p.lastOrder {
			p.decide(m)
		}
	}
	var mine []key
	for k, by := range p.ledger.pending {
		if by == me.slot && !p.waits.Has(k) {
			mine = append(mine, k)
		}
	}
	for _, k := range order(mine) {
		p.waits.Begin(k, now.Add(p.settle))
	}
}

// read applies the next batch of the log; nil for one that is malformed.
func (p *participant) read(seq uint64, author node.ID, b *batch, now time.Time) *effects {
	did := p.ledger.apply(seq, author, b)
	p.count(did)
	for _, a := range did.takeovers {
		if a.by == p.id {
			p.takeOver(a.dead)
		}
	}
	for _, a := range did.matters {
		if a.by == p.id {
			p.decide(a.matter)
		}
	}
	for _, a := range did.pended {
		if a.by == p.id {
			p.waits.Begin(a.key, now.Add(p.settle))
		}
	}
	if !did.void {
		p.listen(author, b, did, now)
	}
	p.check(now)
	return did
}

func (p *participant) count(did *effects) {
	p.counts.debounced += did.debounced
	p.counts.drops += len(did.dropped)
	p.counts.forgotten += did.forgotten
	if did.void {
		p.counts.voided++
	}
}

// listen counts, for every other incarnation, the beats of this one since it
// has written. Only what is in the log counts, so that neither a clock nor a
// pause of this node makes others look dead.
func (p *participant) listen(author node.ID, b *batch, did *effects, now time.Time) {
	delete(p.silence, author)
	p.heard[author] = now
	for _, id := range did.lapsed {
		delete(p.silence, id)
	}
	for _, id := range did.dropped {
		delete(p.silence, id)
		delete(p.heard, id)
	}
	if author != p.id || !b.beat {
		return
	}
	for id := range p.ledger.byID {
		if id != p.id {
			p.silence[id]++
		}
	}
}

func (p *participant) takeOver(dead node.ID) {
	if len(p.takenOver) > 2*maxPredecessors {
		clear(p.takenOver) // the host can bear to hear it twice
	}
	p.takenOver[dead] = true
	p.calls = append(p.calls, call{kind: callTakeOver, id: dead})
}

func (p *participant) decide(m matter) {
	s, err := parse(m.key)
	if err != nil {
		return // the key came through a decoder, which would have refused it
	}
	p.lastOrder = p.orderBase + m.order
	p.calls = append(p.calls, call{kind: callDecide, decision: roster.Decision{
		Subject: s, Gone: m.gone, Order: p.lastOrder, Of: m.of,
		ID: roster.DecisionID{Log: p.ledger.log, Number: m.number},
	}})
}

// check compares what was read with what this node takes itself for.
func (p *participant) check(now time.Time) {
	me := p.ledger.live(p.id)
	if f := p.flight; f != nil {
		x := p.ledger.byID[f.author]
		switch {
		case x != nil && f.author == p.id && x.number >= f.batch.number:
			p.land(f, now)
		case f.stored > 0 && p.ledger.seq >= f.stored: // it was void
			p.renew(now)
			return
		}
	}
	switch {
	case !p.joined:
	case p.ledger.log != p.log:
		p.begin(now)
	case me == nil && p.leaving && p.ledger.byID[p.id] != nil:
		p.left = true
	case me == nil:
		p.renew(now)
	}
}

// land takes note that the batch under way was read back.
func (p *participant) land(f *flight, now time.Time) {
	if !p.current(now) {
		p.currentSince = now
	}
	p.provenAt = f.sentAt
	if f.batch.beat {
		p.beatAt = now.Add(p.beat)
	}
	if f.batch.hello {
		p.joined, p.log = true, p.ledger.log
		clear(p.silence)
	}
	p.release()
}

// release ends the flight of a batch.
func (p *participant) release() {
	if f := p.flight; f != nil && !f.over {
		f.over = true
		close(f.landed)
	}
	p.flight = nil
}

// renew makes this node another incarnation, because it was given up.
func (p *participant) renew(now time.Time) {
	if p.leaving {
		p.left = true
		p.release()
		return
	}
	p.counts.evicted++
	p.id, p.number = p.newID(), 0
	p.calls = append(p.calls, call{kind: callEvicted, id: p.id})
	p.own.resync(false)
	p.restart(now)
}

// begin writes everything again, because the log has begun again without this
// node. Nobody has given it up: its jobs and decisions stay its own.
func (p *participant) begin(now time.Time) {
	p.counts.resynced++
	p.own.resync(true)
	p.orderBase = p.lastOrder
	p.restart(now)
}

func (p *participant) restart(now time.Time) {
	p.release()
	p.joined = false
	p.provenAt = time.Time{}
	p.waits, p.settles = expiry.Queue[key]{}, nil
	clear(p.silence)
	clear(p.takenOver)
}

// current reports whether the others can not have given this node up: they do
// so only after lease and grace.
func (p *participant) current(now time.Time) bool {
	return p.joined && !p.parting && !p.left && now.Sub(p.provenAt) < p.lease
}

// end moves on what has waited long enough.
func (p *participant) end(now time.Time) {
	for k, ok := p.waits.Due(now); ok; k, ok = p.waits.Due(now) {
		switch {
		case !p.mine(k):
		case p.own.of[k]&held != 0: // the log will hear of it, or of its end
			p.waits.Begin(k, now.Add(max(p.settle, p.beat)))
		default:
			p.settles = append(p.settles, k)
		}
	}
}

// mine reports whether it is this node that has to settle k.
func (p *participant) mine(k key) bool {
	by, ok := p.ledger.pending[k]
	me := p.ledger.live(p.id)
	return ok && me != nil && by == me.slot
}

// compose returns the next batch, which is then under way, or nil if there is
// nothing to write now.
func (p *participant) compose(now time.Time) *flight {
	if p.flight != nil || !p.caughtUp || p.left {
		return nil
	}
	b := &batch{beat: !now.Before(p.beatAt)}
	if p.joined {
		p.end(now)
		p.fill(b, now)
		if len(b.entries) == 0 && !b.beat {
			return nil
		}
	} else {
		if now.Before(p.helloAt) || p.leaving {
			return nil
		}
		p.greet(b, now)
	}
	p.number++
	b.number = p.number
	if p.told > p.orderBase {
		b.told = p.told - p.orderBase
	}
	p.flight = &flight{batch: b, author: p.id, sentAt: now, landed: make(chan struct{})}
	return p.flight
}

// greet makes b the first batch of this incarnation.
func (p *participant) greet(b *batch, now time.Time) {
	b.hello, b.name, b.beat = true, p.name, true
	p.helloAt = now.Add(p.lease) // two that fight over a name do so slowly
	switch {
	case p.ledger.log != "":
	case p.headless:
		b.begin = foundAnew
	default:
		b.begin = foundEmpty
	}
}

// fill puts into b what there is to say.
func (p *participant) fill(b *batch, now time.Time) {
	if b.beat {
		b.entries = p.suspects(b.entries)
	}
	room := batchBytes
	n := 0
	for n < len(p.settles) && len(b.entries) < batchEntries && room > 0 {
		k := p.settles[n]
		n++
		switch {
		case !p.mine(k):
		case p.own.of[k]&held != 0:
			p.waits.Begin(k, now.Add(max(p.settle, p.beat)))
		default:
			e := entry{kind: entrySettle, key: k}
			room -= e.size()
			b.entries = append(b.entries, e)
		}
	}
	if p.settles = p.settles[n:]; len(p.settles) == 0 {
		p.settles = nil
	}
	if room > 0 {
		b.entries = p.own.take(b.entries, room)
	}
	if p.leaving && !p.own.dirty() {
		b.entries = append(b.entries, entry{kind: entryLeave})
		p.parting = true
	}
}

// suspects appends the dropping of those that have been silent for too long:
// for less, if they were not heard of elsewhere either for as long as it takes.
func (p *participant) suspects(list []entry) []entry {
	for id, beats := range p.silence {
		x := p.ledger.byID[id]
		if x == nil {
			continue
		}
		limit := p.silent(p.lease + p.grace)
		switch {
		case x.lapsed && x.successor == p.id:
			limit = p.silent(p.grace)
		case !x.lapsed && p.gone != nil && p.gone(x.name):
			limit = p.silent(p.lease) // past which it does not take itself for current
		}
		if beats >= limit {
			list = append(list, entry{kind: entryDrop, id: id, seen: p.ledger.seq})
		}
	}
	return list
}

// next is when compose may have something to write, if nothing happens.
func (p *participant) next(now time.Time) time.Time {
	if p.flight != nil || !p.caughtUp || p.left {
		return now.Add(p.beat)
	}
	if !p.joined {
		return p.helloAt
	}
	if len(p.settles) > 0 || p.own.dirty() {
		return now
	}
	at := p.beatAt
	if w := p.waits.Next(); !w.IsZero() && w.Before(at) {
		at = w
	}
	return at
}
