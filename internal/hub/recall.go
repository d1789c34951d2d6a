package hub

import (
	"context"
	"time"

	"github.com/belfryhq/belfry/internal/cluster/broker"
	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/history"
	"github.com/belfryhq/belfry/internal/history/recall"
	"github.com/belfryhq/belfry/internal/trace"
	"github.com/belfryhq/belfry/protocol"
)

// recallLocked asks all peers for what they have behind a position, unless they are
// being asked already, and calls then when that is over. Whole says that all have
// answered. The shard's lock is held, also when then is called.
func (t *tenant) recallLocked(ch *channel, from history.Position, then func(whole bool)) {
	h := ch.history
	if h.recall != nil {
		h.recall.Then(then)
		return
	}
	about := recall.Channel{App: t.app().ID, Name: ch.name, Lock: &t.shard(ch.name).mu}
	r, began := t.hub.asker.New(about, h.log.Within(from)), t.hub.peers.Changes()
	r.Then(func(whole bool) {
		h.recall = nil
		if whole && ch.heldHere() {
			h.covered = began + 1
		}
		then(whole)
	})
	h.recall = r
	r.Start()
}

// receiveRecalled takes an answer of a peer, or what a peer hands over that ends.
func (t *tenant) receiveRecalled(from node.ID, m *broker.Message) {
	if !t.keeps(m.Name) {
		return
	}
	defer t.evict()
	sh := t.shard(m.Name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	ch := sh.openLocked(m.Name, protocol.KindOf(m.Name))
	h := t.rememberedLocked(ch)
	kept, complete := h.incoming.Take(from, m)
	if !complete {
		return
	}
	usable := kept.Usable(t.hub.cfg.Node)
	if usable {
		t.mergeLocked(ch, &kept)
	}
	if h.recall != nil {
		h.recall.Answered(from, kept.Number, kept.Publisher, usable)
	}
}

// mergeLocked adds what a peer has of one publisher. What nobody here has got yet is
// delivered, late. The shard's lock is held.
func (t *tenant) mergeLocked(ch *channel, k *recall.Kept) {
	fresh, arrival := ch.history.log.Merge(k.Range, k.Events, limitsOf(t.app()))
	if arrival == history.Gap {
		t.tellLostLocked(ch)
	}
	for _, e := range fresh {
		out := &outgoing{kind: trace.Arrived, origin: e.Publisher, frame: e.Frame, except: e.Except}
		t.deliverEventLocked(&ch.audience, out, ch.name, reach{})
	}
}

// answer answers a question of a peer, unless the way to the peer stays full.
func (h *Hub) answer(ctx context.Context, q recall.Question) {
	app := h.cfg.Apps.ByID(q.App)
	link := h.peers.Link(q.From)
	if app == nil || link == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, recall.Wait)
	defer cancel()
	if link.Room(ctx) == nil {
		h.tenant(app).tellKept(link, q)
	}
}

// tellKept sends a peer what is kept of what it asks for.
func (t *tenant) tellKept(to broker.Link, q recall.Question) {
	sh := t.shard(q.Channel)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	kept := recall.Kept{Number: q.Number}
	if t.keeps(q.Channel) {
		sh.shelf.Expire(time.Now(), t.app().History.TTL)
		log := t.rememberedLocked(sh.openLocked(q.Channel, protocol.KindOf(q.Channel))).log
		kept = recall.Of(log, q.Publisher, q.After, q.Number)
	}
	kept.Send(to, t.app().ID, q.Channel)
}

// HandOver gives what this node has kept to a peer, before the node ends: all that
// it has published, and what it has of publishers that are gone. It returns when
// the peer has it or ctx ends. Without peers it does nothing.
func (h *Hub) HandOver(ctx context.Context) {
	for to := range h.peers.All() {
		if h.handOverTo(ctx, to) {
			return
		}
	}
}

func (h *Hub) handOverTo(ctx context.Context, to broker.Link) bool {
	whole := true
	h.eachTenant(func(t *tenant) {
		for i := range t.shards {
			for _, name := range t.keptIn(&t.shards[i]) {
				if whole = whole && to.Room(ctx) == nil; whole {
					t.handOver(to, name)
				}
			}
		}
	})
	if !whole {
		return false
	}
	heard := make(chan struct{})
	to.Sync(func() { close(heard) })
	select {
	case <-heard:
		return true
	case <-ctx.Done():
		return false
	}
}

// keptIn returns the names of the channels of a shard that have a history.
func (t *tenant) keptIn(sh *shard) (names []string) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for name, ch := range sh.channels {
		if ch.history != nil {
			names = append(names, name)
		}
	}
	return names
}

// handOver gives a peer what is kept of one channel.
func (t *tenant) handOver(to broker.Link, name string) {
	sh := t.shard(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	ch := sh.channels[name]
	if ch == nil || ch.history == nil {
		return
	}
	for _, publisher := range ch.history.log.Publishers() {
		if publisher != t.hub.cfg.Node && t.hub.peers.Link(publisher) != nil {
			continue // who is there can be asked
		}
		kept := recall.Of(ch.history.log, publisher, 0, 0)
		kept.Send(to, t.app().ID, name)
	}
}
