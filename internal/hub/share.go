package hub

import (
	"context"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/cluster/broker"
	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/cluster/peers"
	"github.com/belfryhq/belfry/protocol"
)

// publishLocked sends an event to the peers that have subscribers on the channel.
// The shard's lock is held, which keeps the events of a channel in order.
func (t *tenant) publishLocked(ch *channel, e *outgoing, to peers.Set) {
	if to != 0 {
		t.hub.peers.Send(to, &broker.Message{
			Kind: broker.Event, App: t.app().ID, Name: ch.name, Text: e.frame.Message(), Except: e.except, Number: e.number,
			Serial: e.serial, Before: e.before,
		})
	}
}

// publishUserLocked sends an event to the peers at which the user is signed in. The
// shard's lock is held.
func (t *tenant) publishUserLocked(u *user, e *outgoing, to peers.Set) {
	if to != 0 {
		t.hub.peers.Send(to, &broker.Message{
			Kind: broker.UserEvent, App: t.app().ID, Name: u.id, Text: e.frame.Message(), Except: e.except, Number: e.number,
		})
	}
}

// publishCachedLocked sends the event of a cache channel to all peers: each has to
// remember it for whoever subscribes there. The shard's lock is held.
func (t *tenant) publishCachedLocked(ch *channel, e *outgoing) {
	if !t.hub.peers.Alone() {
		m := t.cachedMessageLocked(ch)
		m.On, m.Except, m.Number = true, e.except, e.number
		m.Serial, m.Before = e.serial, e.before
		t.hub.peers.Send(peers.All, m)
	}
}

// cachedMessageLocked is what the channel remembers. The shard's lock is held.
func (t *tenant) cachedMessageLocked(ch *channel) *broker.Message {
	c := ch.cached
	return &broker.Message{
		Kind: broker.Cached, App: t.app().ID, Name: ch.name, Text: c.frame.Message(), Data: c.data,
		Stamp: c.stamp, TTL: uint64(max(time.Until(c.expires).Milliseconds(), 1)),
	}
}

// lingering is what holds on to what ends here from now on: nothing, unless
// the clients are being sent to other nodes.
func (h *Hub) lingering() peers.Set {
	if h.Draining() && h.cfg.Broker != nil {
		return peers.Lingering
	}
	return 0
}

// shareSubscribersLocked tells peers how many subscriptions the channel has here: at
// once if it is the first or there are none left, and soon otherwise. The
// shard's lock is held.
func (t *tenant) shareSubscribersLocked(ch *channel) {
	switch {
	case t.hub.peers.Alone():
	case !ch.heldHere():
		ch.coarse = false
		ch.history.uncover()
		t.hub.peers.Send(peers.All, &broker.Message{Kind: broker.Subscribers, App: t.app().ID, Name: ch.name})
		ch.shared = t.hub.peers.Mark()
	case ch.size == 1 && !ch.coarse:
		t.hub.peers.Send(peers.All, t.subscribersMessage(ch))
		ch.shared = t.hub.peers.Mark()
	case !ch.coarse:
		ch.coarse = true
		t.coarse.add(ch)
	}
}

// heldHere reports whether this node holds the channel, for clients that are
// here or that it has sent elsewhere.
func (ch *channel) heldHere() bool { return ch.size > 0 || ch.elsewhere.By()&peers.Lingering != 0 }

// heldHere is the same for a user.
func (u *user) heldHere() bool { return u.connections.size > 0 || u.peers&peers.Lingering != 0 }

func (t *tenant) subscribersMessage(ch *channel) *broker.Message {
	return &broker.Message{Kind: broker.Subscribers, App: t.app().ID, Name: ch.name, On: true, Count: uint64(ch.size)}
}

// shareMemberLocked tells peers that a user has come to the channel here, or gone.
// The shard's lock is held.
func (t *tenant) shareMemberLocked(ch *channel, m protocol.Member, on bool) {
	if t.hub.peers.Alone() || !on && t.hub.lingering() != 0 {
		return
	}
	t.hub.peers.Send(peers.All, t.memberMessage(ch, m, on))
	ch.shared = t.hub.peers.Mark()
}

func (t *tenant) memberMessage(ch *channel, m protocol.Member, on bool) *broker.Message {
	return &broker.Message{
		Kind: broker.Member, App: t.app().ID, Name: ch.name, User: m.UserID, Info: m.UserInfo, On: on,
	}
}

// shareSignedInLocked tells peers that a user has signed in here first, or out last.
// The shard's lock is held.
func (t *tenant) shareSignedInLocked(u *user, on bool) {
	if t.hub.peers.Alone() || !on && t.hub.lingering() != 0 {
		return
	}
	t.hub.peers.Send(peers.All, &broker.Message{Kind: broker.SignedIn, App: t.app().ID, Name: u.id, On: on})
	if on {
		u.shared = t.hub.peers.Mark()
	}
}

// shareCoarse tells peers what may be a moment late.
func (t *tenant) shareCoarse() {
	for _, ch := range t.coarse.take() {
		sh := t.shard(ch.name)
		sh.mu.Lock()
		if ch.coarse && ch.heldHere() {
			t.hub.peers.Send(peers.All, t.subscribersMessage(ch))
		}
		ch.coarse = false
		sh.mu.Unlock()
	}
	t.shareLoad()
}

// Spend notes that the app's backends have used n of a rate on this node, if
// the app limits that. [Config.Spent] hears of what other nodes note.
func (h *Hub) Spend(appID string, r apps.Rate, n int) {
	if h.peers.Alone() {
		return
	}
	if found, ok := h.tenants.Load(appID); ok {
		found.(*tenant).load.used[r].Add(uint64(n))
	}
}

// shareLoad tells peers what the app has used here, if that is new.
func (t *tenant) shareLoad() {
	if m := t.loadMessage(); t.load.take(m) {
		t.hub.peers.Send(peers.All, m) // it is under no lock
	}
}

// loadMessage is how many connections the app has here.
func (t *tenant) loadMessage() *broker.Message {
	return &broker.Message{Kind: broker.Load, App: t.app().ID, Count: uint64(max(t.connections.Load(), 0))}
}

// mostUsed bounds what a peer is believed to have used of a rate.
const mostUsed = 1 << 40

func (t *tenant) receiveLoad(by peers.Set, m *broker.Message) {
	t.load.peers.Set(by, m.Count, t.hub.peers.Present)
	for r, n := range m.Used {
		if spent := t.hub.cfg.Spent; spent != nil && n > 0 {
			spent(t.app(), apps.Rate(r), int(min(n, mostUsed)))
		}
	}
}

// resync tells a peer everything that is held here, and reports whether it could.
// Each shard is told under its lock, and with it everything later that changes it,
// so what the peer has heard last is true although it takes a while.
func (h *Hub) resync(ctx context.Context, to broker.Link) (complete bool) {
	to.Send(&broker.Message{Kind: broker.Begin})
	complete = true
	h.eachTenant(func(t *tenant) {
		to.Send(t.loadMessage())
		for i := range t.shards {
			if complete = complete && to.Room(ctx) == nil; !complete {
				return
			}
			t.resyncShard(&t.shards[i], to)
		}
	})
	if complete {
		to.Send(&broker.Message{Kind: broker.End})
	}
	return complete
}

func (t *tenant) resyncShard(sh *shard, to broker.Link) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	now := time.Now()
	for _, ch := range sh.channels {
		if ch.heldHere() {
			to.Send(t.subscribersMessage(ch))
		}
		if ch.presence != nil {
			t.resyncMembers(ch, to)
		}
		if ch.freshLocked(now) {
			to.Send(t.cachedMessageLocked(ch))
		}
	}
	for _, u := range sh.users {
		if u.heldHere() {
			to.Send(&broker.Message{Kind: broker.SignedIn, App: t.app().ID, Name: u.id, On: true})
		}
	}
}

func (t *tenant) resyncMembers(ch *channel, to broker.Link) {
	for _, m := range ch.presence.Ordered() {
		if m.HeldHere() {
			to.Send(t.memberMessage(ch, m.Member, true))
		}
	}
}

// Holdings calls each for everything of an app that this node's own clients
// make so: for each channel with a subscription, and for each member. Each
// must not call the hub.
func (h *Hub) Holdings(appID string, each func(channel, user string, member bool)) {
	found, ok := h.tenants.Load(appID)
	if !ok {
		return
	}
	t := found.(*tenant)
	for i := range t.shards {
		sh := &t.shards[i]
		sh.mu.Lock()
		for name, ch := range sh.channels {
			if ch.size == 0 {
				continue
			}
			each(name, "", false)
			if ch.presence == nil {
				continue
			}
			for _, m := range ch.presence.Ordered() {
				if m.Sockets > 0 {
					each(name, m.UserID, true)
				}
			}
		}
		sh.mu.Unlock()
	}
}

// ConnectionsOf is how many connections a peer has said it has, over all apps.
func (h *Hub) ConnectionsOf(peer node.ID) int {
	slot := h.peers.Of(peer)
	sum := int64(0)
	h.eachTenant(func(t *tenant) {
		sum += t.load.peers.Of(slot)
	})
	return int(sum)
}
