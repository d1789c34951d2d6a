package hub

import (
	"sync"
	"sync/atomic"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/cluster/broker"
	"github.com/belfryhq/belfry/internal/cluster/peers"
)

// load is what an app uses in the cluster, as far as it is limited.
type load struct {
	used  [apps.Rates]atomic.Uint64 // of each rate, admitted here and not told to peers yet
	told  atomic.Int64              // connections that peers know of
	peers peers.Sum                 // connections at peers
}

// take puts into m what peers are not told yet, and reports whether m says
// anything new.
func (l *load) take(m *broker.Message) (news bool) {
	for r := range m.Used {
		m.Used[r] = l.used[r].Swap(0)
	}
	return l.told.Swap(int64(m.Count)) != int64(m.Count) || m.Used != [apps.Rates]uint64{}
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
