package hub

import (
	"sync"
	"sync/atomic"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/cluster/broker"
)

// load is what an app uses in the cluster, as far as it is limited.
type load struct {
	used  [apps.Rates]atomic.Uint64 // of each rate, admitted here and not told to peers yet
	told  atomic.Int64              // connections that peers know of
	peers atomic.Int64              // connections at peers

	mu sync.Mutex
	by map[peerSet]int64 // connections at each peer, by its bit
}

// maxLoad bounds what a peer is believed to have.
const maxLoad = 1 << 40

// take puts into m what peers are not told yet, and reports whether m says
// anything new.
func (l *load) take(m *broker.Message) (news bool) {
	for r := range m.Used {
		m.Used[r] = l.used[r].Swap(0)
	}
	return l.told.Swap(int64(m.Count)) != int64(m.Count) || m.Used != [apps.Rates]uint64{}
}

// receive takes note of how many connections the peer of these bits has.
// Present tells which bits count.
func (l *load) receive(by peerSet, connections uint64, present func(peerSet) peerSet) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.by == nil {
		l.by = make(map[peerSet]int64)
	}
	for ; by != 0; by &= by - 1 {
		l.by[by&-by] = int64(min(connections, maxLoad))
	}
	l.sumLocked(present)
}

// vacate forgets what was said under these bits.
func (l *load) vacate(by peerSet, present func(peerSet) peerSet) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for ; by != 0; by &= by - 1 {
		delete(l.by, by&-by)
	}
	l.sumLocked(present)
}

// sumLocked counts each peer once. l.mu is held.
func (l *load) sumLocked(present func(peerSet) peerSet) {
	sum := int64(0)
	for by, n := range l.by {
		if present(by) != 0 {
			sum += n
		}
	}
	l.peers.Store(sum)
}

// of is how many connections the peer of that bit has said it has.
func (l *load) of(peer peerSet) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.by[peer]
}

// A coarseList is the channels of which peers are to be told how many
// subscriptions they have here.
type coarseList struct {
	mu       sync.Mutex
	channels []*channel
}

func (c *coarseList) add(ch *channel) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.channels = append(c.channels, ch)
}

func (c *coarseList) take() []*channel {
	c.mu.Lock()
	defer c.mu.Unlock()
	list := c.channels
	c.channels = nil
	return list
}
