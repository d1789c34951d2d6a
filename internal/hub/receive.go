package hub

import (
	"context"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/cluster/broker"
	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/frame"
	"github.com/belfryhq/belfry/internal/trace"
	"github.com/belfryhq/belfry/protocol"
)

// Receiver is what hears of the hub's peers. Start the broker of the hub's
// configuration with it.
func (h *Hub) Receiver() broker.Receiver { return &h.peers }

var _ broker.Receiver = (*peers)(nil)

// Joined implements [broker.Receiver].
func (p *peers) Joined(l broker.Link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	slot := p.freeLocked()
	if len(p.standing) >= maxPeers || slot == 0 {
		p.hub.metrics.peersRefused.Inc()
		return
	}
	p.changes.Add(1)
	st := &standing{slot: slot}
	p.standing[l] = st
	p.setLink(slot, &l)
	p.live.Or(uint64(slot))
	p.askLocked(l, st)
}

// Lost implements [broker.Receiver].
func (p *peers) Lost(l broker.Link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.changes.Add(1)
	if st := p.standing[l]; st != nil {
		p.askLocked(l, st)
	}
}

// Left implements [broker.Receiver].
func (p *peers) Left(l broker.Link) {
	p.mu.Lock()
	st := p.standing[l]
	if st == nil {
		p.mu.Unlock()
		return
	}
	p.changes.Add(1)
	p.live.And(^uint64(st.bits()))
	p.mu.Unlock()
	p.hub.vacate(st.bits())
	p.retire(st.bits())
	p.mu.Lock()
	delete(p.standing, l)
	p.mu.Unlock()
}

// retire gives bits back that nothing is under any more.
func (p *peers) retire(slots peerSet) {
	for ; slots != 0; slots &= slots - 1 {
		p.setLink(slots&-slots, nil)
	}
}

// Receive implements [broker.Receiver].
func (p *peers) Receive(l broker.Link, m *broker.Message) {
	p.mu.Lock()
	st := p.standing[l]
	p.mu.Unlock()
	if st == nil {
		return
	}
	switch m.Kind {
	case broker.Resync:
		p.changes.Add(1)
		p.want(l)
	case broker.Begin:
		p.begin(l, st)
	case broker.End:
		p.end(st)
	default:
		p.hub.receive(l.ID(), st.bits(), m)
	}
}

// begin gives the peer a second bit for what it says again. A resync that
// had begun already was not finished, and what it said counts no more.
func (p *peers) begin(l broker.Link, st *standing) {
	if old := st.next; old != 0 {
		p.hub.vacate(old)
		p.retire(old)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	st.asked = time.Time{}
	st.next = 0
	if st.next = p.freeLocked(); st.next != 0 { // there always is one: see maxPeers
		p.setLink(st.next, &l)
	}
}

// end makes what the peer has said since begin all that it holds.
func (p *peers) end(st *standing) {
	p.mu.Lock()
	old, next := st.slot, st.next
	if next == 0 {
		p.mu.Unlock()
		return // its beginning was lost, and another one has been asked for
	}
	// One change, so that nobody counts the peer twice or not at all.
	for {
		live := p.live.Load()
		if p.live.CompareAndSwap(live, live&^uint64(old)|uint64(next)) {
			break
		}
	}
	p.mu.Unlock()
	p.hub.vacate(old)
	p.retire(old)
	p.mu.Lock()
	defer p.mu.Unlock()
	st.slot, st.next, st.synced = next, 0, true
	p.hub.metrics.resynced.Add(1)
}

// receive applies a message of a peer that holds things under these bits.
func (h *Hub) receive(from node.ID, by peerSet, m *broker.Message) {
	app := h.cfg.Apps.ByID(m.App)
	if app == nil {
		h.peers.miss(m.App)
		return
	}
	t := h.tenant(app)
	switch m.Kind {
	case broker.Event, broker.UserEvent:
		if h.admitFromPeer() {
			t.receiveEvent(from, m)
		} else {
			t.traceDropped(m, from)
		}
	case broker.Terminate:
		t.terminate(m.Name)
	case broker.Cached:
		t.receiveCached(from, m)
	case broker.Subscribers:
		t.receiveSubscribers(by, m)
	case broker.Member:
		t.receiveMember(by, m)
	case broker.SignedIn:
		t.receiveSignedIn(by, m)
	case broker.Load:
		t.receiveLoad(by, m)
	case broker.Recall:
		h.questions.Add(from, m)
	case broker.Recalled:
		t.receiveRecalled(from, m)
	}
}

// peerPatience is how long an event from a peer waits while the node has too
// much to do. What comes while it goes on like that is dropped at once.
const peerPatience = time.Second

// admitFromPeer reports whether there is room for another event. It is called
// by the receiver's goroutine only.
func (h *Hub) admitFromPeer() bool {
	if h.cfg.Loops.Admit(noPatience) == nil {
		h.patience = peerPatience
		return true
	}
	ctx, cancel := context.WithTimeout(context.Background(), h.patience)
	defer cancel()
	if h.cfg.Loops.Admit(ctx) != nil {
		h.patience = 0
		h.metrics.dropped.Add(1)
		return false
	}
	return true
}

// noPatience is for those who wait for nothing.
var noPatience = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// miss remembers that a peer has said something about an app that has not
// arrived here yet.
func (p *peers) miss(appID string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.missed) < maxMissed {
		p.missed[appID] = true
	}
}

// maxMissed bounds how many unknown apps are remembered.
const maxMissed = 1 << 14

// appeared asks all peers for a resync if one of them has spoken
// of an app before it was known.
func (p *peers) appeared(appID string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.missed[appID] && len(p.missed) < maxMissed {
		return
	}
	delete(p.missed, appID)
	for l, st := range p.standing {
		p.askLocked(l, st)
	}
}

// receiveEvent delivers an event that was triggered on another node.
func (t *tenant) receiveEvent(from node.ID, m *broker.Message) {
	sh := t.shard(m.Name)
	e := arrived(from, m)
	defer t.evict()
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if m.Kind == broker.UserEvent {
		name := protocol.UserChannel(m.Name)
		if u := sh.users[m.Name]; u != nil {
			t.deliverEventLocked(&u.connections, e, name, reach{})
		} else {
			t.traceUnheardLocked(sh, name, e)
		}
	} else if ch := sh.channels[m.Name]; ch != nil {
		t.deliverKeptLocked(ch, e)
	} else {
		t.traceUnheardLocked(sh, m.Name, e)
	}
}

// arrived is an event of another node.
func arrived(from node.ID, m *broker.Message) *outgoing {
	return &outgoing{
		kind: trace.Arrived, origin: from, number: m.Number, except: m.Except, serial: m.Serial, before: m.Before,
		frame: frame.Text(func(b []byte) []byte { return append(b, m.Text...) }),
	}
}

// receiveCached remembers what another node has been told to, and delivers it
// if it is new.
func (t *tenant) receiveCached(from node.ID, m *broker.Message) {
	kind := protocol.KindOf(m.Name)
	if !kind.Cache() {
		return
	}
	t.hub.peers.heard(m.Stamp)
	deliver := m.On && t.hub.admitFromPeer()
	e := arrived(from, m)
	sh := t.shard(m.Name)
	defer t.evict()
	sh.mu.Lock()
	defer sh.mu.Unlock()
	ch := sh.openLocked(m.Name, kind)
	ch.rememberLocked(e.frame, m.Data, time.Duration(m.TTL)*time.Millisecond, m.Stamp)
	if deliver {
		t.deliverKeptLocked(ch, e)
	} else if m.On {
		t.traceDropped(m, from)
	}
	t.tellLocked(News{Kind: CacheFilled, Channel: m.Name})
	sh.releaseLocked(ch)
}

// receiveSubscribers notes how many subscriptions a peer has on a channel.
func (t *tenant) receiveSubscribers(by peerSet, m *broker.Message) {
	sh := t.shard(m.Name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if m.On {
		ch := sh.openLocked(m.Name, protocol.KindOf(m.Name))
		if ch.elsewhere.set(by, m.Count) {
			t.countChangedLocked(sh, ch, false)
		}
	} else if ch := sh.channels[m.Name]; ch != nil {
		if ch.elsewhere.clear(by) {
			t.countChangedLocked(sh, ch, false)
		}
		sh.releaseLocked(ch)
	}
}

// receiveMember notes that a user is present at a peer, or not any more.
func (t *tenant) receiveMember(by peerSet, m *broker.Message) {
	kind := protocol.KindOf(m.Name)
	if !kind.Presence() {
		return
	}
	sh := t.shard(m.Name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if m.On {
		ch := sh.openLocked(m.Name, kind)
		who := protocol.Member{UserID: m.User, UserInfo: clone(m.Info)}
		if ch.presence.hold(who, by) {
			t.memberAddedLocked(ch, who)
		}
	} else if ch := sh.channels[m.Name]; ch != nil {
		if ch.presence.release(m.User, by) {
			t.memberRemovedLocked(ch, m.User)
		}
		sh.releaseLocked(ch)
	}
}

// receiveSignedIn notes that a user is signed in at a peer, or not any more.
func (t *tenant) receiveSignedIn(by peerSet, m *broker.Message) {
	sh := t.shard(m.Name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if m.On {
		sh.userLocked(m.Name).changePeers(t, func(was peerSet) peerSet { return was | by })
	} else if u := sh.users[m.Name]; u != nil {
		u.changePeers(t, func(was peerSet) peerSet { return was &^ by })
		sh.releaseUserLocked(u)
	}
}

// vacate takes away everything that is held under these bits. It may take
// long, and holds one shard's lock at a time.
func (h *Hub) vacate(by peerSet) {
	h.eachTenant(func(t *tenant) {
		t.vacateLoad(by)
		for i := range t.shards {
			t.vacateShard(&t.shards[i], by)
		}
	})
}

func (t *tenant) vacateShard(sh *shard, by peerSet) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for _, ch := range sh.channels {
		if ch.presence != nil {
			for _, id := range ch.presence.releaseAll(by) {
				t.memberRemovedLocked(ch, id)
			}
		}
		if ch.elsewhere.clear(by) {
			t.countChangedLocked(sh, ch, false)
		}
		sh.releaseLocked(ch)
	}
	for _, u := range sh.users {
		u.changePeers(t, func(was peerSet) peerSet { return was &^ by })
		sh.releaseUserLocked(u)
	}
}

// appAppeared makes sure that nothing is missing of an app that is new here.
func (h *Hub) appAppeared(c apps.Change) {
	if c.Old == nil && c.New != nil {
		h.peers.appeared(c.New.ID)
	}
}

// clone returns a copy, and nil for nothing.
func clone(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return append([]byte(nil), b...)
}
