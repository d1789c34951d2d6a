package peers

import (
	"time"

	"github.com/belfryhq/belfry/internal/cluster/broker"
)

var (
	_ broker.Receiver  = (*Others)(nil)
	_ broker.Suspecter = (*Others)(nil)
)

// Joined implements [broker.Receiver].
func (o *Others) Joined(l broker.Link) {
	o.mu.Lock()
	defer o.mu.Unlock()
	slot := o.freeLocked()
	if len(o.standing) >= maxPeers || slot == 0 {
		o.Refused.Add(1)
		return
	}
	o.changes.Add(1)
	st := &standing{slot: slot}
	o.standing[l] = st
	o.setLink(slot, &l)
	o.live.Or(uint64(slot))
	o.askLocked(l, st)
}

// Lost implements [broker.Receiver].
func (o *Others) Lost(l broker.Link) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.changes.Add(1)
	if st := o.standing[l]; st != nil {
		o.askLocked(l, st)
	}
}

// Suspected implements [broker.Suspecter].
func (o *Others) Suspected(l broker.Link, silent bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if st := o.standing[l]; st != nil {
		st.silent = silent
	}
}

// Silent reports whether a peer has not been heard for the lease. What is sent to it
// waits, so nobody should wait for its answer.
func (o *Others) Silent(l broker.Link) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	st := o.standing[l]
	return st != nil && st.silent
}

// Left implements [broker.Receiver].
func (o *Others) Left(l broker.Link) {
	o.mu.Lock()
	st := o.standing[l]
	if st == nil {
		o.mu.Unlock()
		return
	}
	o.changes.Add(1)
	o.live.And(^uint64(st.bits()))
	o.mu.Unlock()
	o.cfg.Vacate(st.bits())
	o.retire(st.bits())
	o.mu.Lock()
	delete(o.standing, l)
	o.mu.Unlock()
}

// retire gives bits back that nothing is under any more.
func (o *Others) retire(slots Set) {
	for ; slots != 0; slots &= slots - 1 {
		o.setLink(slots, nil)
	}
}

// Receive implements [broker.Receiver].
func (o *Others) Receive(l broker.Link, m *broker.Message) {
	o.mu.Lock()
	st := o.standing[l]
	o.mu.Unlock()
	if st == nil {
		return
	}
	switch m.Kind {
	case broker.Resync:
		o.changes.Add(1)
		o.want(l)
	case broker.Begin:
		o.begin(l, st)
	case broker.End:
		o.end(st)
	default:
		o.cfg.Receive(l.ID(), st.bits(), m)
	}
}

// begin gives the peer a second bit for what it says again. A resync that
// had begun already was not finished, and what it said counts no more.
func (o *Others) begin(l broker.Link, st *standing) {
	if old := st.next; old != 0 {
		o.cfg.Vacate(old)
		o.retire(old)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	st.asked = time.Time{}
	st.next = 0
	if st.next = o.freeLocked(); st.next != 0 { // there always is one: see maxPeers
		o.setLink(st.next, &l)
	}
}

// end makes what the peer has said since begin all that it holds.
func (o *Others) end(st *standing) {
	o.mu.Lock()
	old, next := st.slot, st.next
	if next == 0 {
		o.mu.Unlock()
		return // its beginning was lost, and another one has been asked for
	}
	// One change, so that nobody counts the peer twice or not at all.
	for {
		live := o.live.Load()
		if o.live.CompareAndSwap(live, live&^uint64(old)|uint64(next)) {
			break
		}
	}
	o.mu.Unlock()
	o.cfg.Vacate(old)
	o.retire(old)
	o.mu.Lock()
	defer o.mu.Unlock()
	st.slot, st.next, st.synced = next, 0, true
	o.Resyncs.Add(1)
}

// maxMissed bounds how many unknown apps are remembered.
const maxMissed = 1 << 14

// Miss remembers that a peer has said something about an app that has not
// arrived here yet.
func (o *Others) Miss(appID string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.missed) < maxMissed {
		o.missed[appID] = true
	}
}

// Appeared asks all peers for a resync if one of them has spoken of an app before it
// was known.
func (o *Others) Appeared(appID string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.missed[appID] && len(o.missed) < maxMissed {
		return
	}
	delete(o.missed, appID)
	for l, st := range o.standing {
		o.askLocked(l, st)
	}
}
