package hub

import (
	"context"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/cluster/broker"
	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/cluster/peers"
	"github.com/belfryhq/belfry/internal/frame"
	"github.com/belfryhq/belfry/internal/trace"
	"github.com/belfryhq/belfry/protocol"
)

// Receiver is what hears of the hub's peers. Start the broker of the hub's
// configuration with it.
func (h *Hub) Receiver() broker.Receiver { return h.peers }

// Settled reports whether every peer that is there has said all that it holds.
func (h *Hub) Settled() bool { return h.peers.Settled() }

// Peers is the number of other nodes.
func (h *Hub) Peers() int { return h.peers.Len() }

// receive applies a message of a peer that holds things under these bits.
func (h *Hub) receive(from node.ID, by peers.Set, m *broker.Message) {
	app := h.cfg.Apps.ByID(m.App)
	if app == nil {
		h.peers.Miss(m.App)
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
	t.hub.clock.Heard(m.Stamp)
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
func (t *tenant) receiveSubscribers(by peers.Set, m *broker.Message) {
	sh := t.shard(m.Name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if m.On {
		ch := sh.openLocked(m.Name, protocol.KindOf(m.Name))
		if ch.elsewhere.Set(by, m.Count) {
			t.countChangedLocked(sh, ch, false)
		}
	} else if ch := sh.channels[m.Name]; ch != nil {
		if ch.elsewhere.Clear(by) {
			t.countChangedLocked(sh, ch, false)
		}
		sh.releaseLocked(ch)
	}
}

// receiveMember notes that a user is present at a peer, or not any more.
func (t *tenant) receiveMember(by peers.Set, m *broker.Message) {
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
		if ch.presence.Hold(who, by) {
			t.memberAddedLocked(ch, who)
		}
	} else if ch := sh.channels[m.Name]; ch != nil {
		if ch.presence.Release(m.User, by) {
			t.memberRemovedLocked(ch, m.User)
		}
		sh.releaseLocked(ch)
	}
}

// receiveSignedIn notes that a user is signed in at a peer, or not any more.
func (t *tenant) receiveSignedIn(by peers.Set, m *broker.Message) {
	sh := t.shard(m.Name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if m.On {
		sh.userLocked(m.Name).changePeers(t, func(was peers.Set) peers.Set { return was | by })
	} else if u := sh.users[m.Name]; u != nil {
		u.changePeers(t, func(was peers.Set) peers.Set { return was &^ by })
		sh.releaseUserLocked(u)
	}
}

// vacate takes away everything that is held under these bits. It may take
// long, and holds one shard's lock at a time.
func (h *Hub) vacate(by peers.Set) {
	h.eachTenant(func(t *tenant) {
		t.load.peers.Clear(by, h.peers.Present)
		for i := range t.shards {
			t.vacateShard(&t.shards[i], by)
		}
		if t.durable() != nil { // there may be events that the peer could not bring here any more
			t.readFormers(false, func() {})
		}
	})
}

func (t *tenant) vacateShard(sh *shard, by peers.Set) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for _, ch := range sh.channels {
		if ch.presence != nil {
			for _, id := range ch.presence.ReleaseAll(by) {
				t.memberRemovedLocked(ch, id)
			}
		}
		if ch.elsewhere.Clear(by) {
			t.countChangedLocked(sh, ch, false)
		}
		sh.releaseLocked(ch)
	}
	for _, u := range sh.users {
		u.changePeers(t, func(was peers.Set) peers.Set { return was &^ by })
		sh.releaseUserLocked(u)
	}
}

// appAppeared makes sure that nothing is missing of an app that is new here.
func (h *Hub) appAppeared(c apps.Change) {
	if c.Old == nil && c.New != nil {
		h.peers.Appeared(c.New.ID)
	}
}

// clone returns a copy, and nil for nothing.
func clone(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return append([]byte(nil), b...)
}
