package hub

import (
	"context"
	"iter"
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/belfryhq/belfry/internal/cluster/broker"
	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/wakeup"
)

// A node says what its own sessions hold, and hears the same of its peers.
// What clients are told is the union. Each peer has a bit in the holders of
// a channel, a member or a user. While a peer resyncs it has a second one,
// which takes the place of the first when it has finished. What is only
// under the first bit is not held any more.

// slotCount is how many bits there are. The last one is not a peer's.
const slotCount = 64

// maxPeers is how many other nodes there may be: each needs two bits at times.
const maxPeers = 31

// A peerSet is a set of peers, by their bits.
type peerSet uint64

// lingering is held by sessions that this node has sent elsewhere. They are
// there until the node is gone and the grace of its peers is over.
const lingering peerSet = 1 << (slotCount - 1)

// peers are the other nodes.
type peers struct {
	hub     *Hub
	live    atomic.Uint64 // bits of which one belongs to each peer: whom to send to
	links   [slotCount]atomic.Pointer[broker.Link]
	clock   atomic.Uint64 // the highest stamp of a cached event
	barrier barrier
	changes atomic.Uint64 // how often a peer came or went, or messages from or to it were lost

	mu       sync.Mutex
	standing map[broker.Link]*standing
	missed   map[string]bool // apps that peers have spoken of and that are not known here
	wake     wakeup.Signal   // somebody wants a resync, or it may be time to ask again
	wanted   []broker.Link   // whom to resync to
}

// standing is what is known of one peer. The receiver's goroutine changes it,
// under peers.mu.
type standing struct {
	slot, next peerSet   // next is zero but between Begin and End
	synced     bool      // it has said everything at least once
	asked      time.Time // for a resync that has not begun; zero: none
}

// bits are those that hold what the peer says now.
func (st *standing) bits() peerSet { return st.slot | st.next }

func (p *peers) init(h *Hub) {
	p.hub = h
	p.standing = make(map[broker.Link]*standing)
	p.missed = make(map[string]bool)
	p.wake = wakeup.New()
	h.patience = peerPatience
}

// alone reports whether there is nobody else to tell.
func (p *peers) alone() bool { return p.live.Load() == 0 }

// present are those of the holders that count: each peer once.
func (p *peers) present(by peerSet) peerSet { return by & peerSet(p.live.Load()) }

// count is how many peers are in the set.
func (p *peers) count(by peerSet) int { return bits.OnesCount64(uint64(p.present(by))) }

// send sends m to the peers among to. A shard's lock may be held.
func (p *peers) send(to peerSet, m *broker.Message) {
	for to = p.present(to); to != 0; to &= to - 1 {
		if l := p.links[bits.TrailingZeros64(uint64(to))].Load(); l != nil {
			(*l).Send(m)
		}
	}
}

// shareLocked tells all peers what holds here. The lock is held that guards it, so
// that what a peer hears last is true.
func (p *peers) shareLocked(m *broker.Message) { p.send(^peerSet(0), m) }

// freeLocked returns a bit that nobody has, or zero. p.mu is held.
func (p *peers) freeLocked() peerSet {
	taken := lingering
	for _, st := range p.standing {
		taken |= st.bits()
	}
	return ^taken & -^taken // the lowest
}

func (p *peers) setLink(slot peerSet, l *broker.Link) {
	p.links[bits.TrailingZeros64(uint64(slot))].Store(l)
}

// stamp is higher than that of every cached event that was heard of.
func (p *peers) stamp() uint64 {
	now := uint64(time.Now().UnixMilli()) << 16
	for {
		last := p.clock.Load()
		next := max(now, last+1)
		if p.clock.CompareAndSwap(last, next) {
			return next
		}
	}
}

// heard notes the stamp of another node.
func (p *peers) heard(stamp uint64) {
	for last := p.clock.Load(); stamp > last; last = p.clock.Load() {
		if p.clock.CompareAndSwap(last, stamp) {
			return
		}
	}
}

// askLocked asks a peer for all that it holds. p.mu is held.
func (p *peers) askLocked(l broker.Link, st *standing) {
	st.asked = time.Now()
	l.Send(&broker.Message{Kind: broker.Resync})
}

const (
	// shareInterval is how often coarse facts are told to peers: numbers of
	// subscriptions, connections, and what backends have used of their rates.
	shareInterval = 250 * time.Millisecond
	// askAgain is how long a resync may take to begin.
	askAgain = 2 * time.Second
)

// Settled reports whether every peer that is there has said all that it holds.
func (h *Hub) Settled() bool {
	h.peers.mu.Lock()
	defer h.peers.mu.Unlock()
	for _, st := range h.peers.standing {
		if !st.synced {
			return false
		}
	}
	return true
}

// Peers is the number of other nodes.
func (h *Hub) Peers() int { return bits.OnesCount64(h.peers.live.Load()) }

// tend is a goroutine that tells peers what need not be told at once, until
// the hub is closed.
func (p *peers) tend(ctx context.Context) {
	tick := time.NewTicker(shareInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			p.again()
			if !p.alone() {
				p.hub.eachTenant((*tenant).shareCoarse)
			}
		case <-p.wake:
			for l := p.nextWanted(); l != nil && ctx.Err() == nil; l = p.nextWanted() {
				p.hub.resync(ctx, l)
			}
		case <-ctx.Done():
			return
		}
	}
}

// again repeats requests for a resync that may have been lost.
func (p *peers) again() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l, st := range p.standing {
		if !st.asked.IsZero() && time.Since(st.asked) > askAgain {
			p.askLocked(l, st)
		}
	}
}

// want queues a resync for a peer.
func (p *peers) want(l broker.Link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.Contains(p.wanted, l) {
		p.wanted = append(p.wanted, l)
	}
	p.wake.Set()
}

func (p *peers) nextWanted() broker.Link {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.wanted) == 0 {
		return nil
	}
	l := p.wanted[0]
	p.wanted = slices.Delete(p.wanted, 0, 1)
	return l
}

// slotOf is the bit of the peer of that id, or zero.
func (p *peers) slotOf(id node.ID) peerSet {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l, st := range p.standing {
		if l.ID() == id {
			return st.slot
		}
	}
	return 0
}

// all yields the links of all peers that are there.
func (p *peers) all() iter.Seq[broker.Link] {
	return func(yield func(broker.Link) bool) {
		for live := p.live.Load(); live != 0; live &= live - 1 {
			if l := p.links[bits.TrailingZeros64(live)].Load(); l != nil && !yield(*l) {
				return
			}
		}
	}
}

// linkTo returns the link of a peer that is there, or nil.
func (p *peers) linkTo(id node.ID) broker.Link {
	for l := range p.all() {
		if l.ID() == id {
			return l
		}
	}
	return nil
}
