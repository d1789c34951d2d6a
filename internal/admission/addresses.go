package admission

import (
	"hash/maphash"
	"net/netip"
	"sync"
	"time"
)

const (
	shardCount = 16
	// maxAddresses is how many addresses are known in each shard.
	maxAddresses = 8192
)

// addresses has something for each address that came lately. Who has not come
// for a minute may be forgotten, and is after two.
type addresses[V any] struct {
	seed   maphash.Seed
	shards [shardCount]shard[V]
}

// A shard is a share of the addresses: those that came in this minute or so, and
// those that came in the one before and not again.
type shard[V any] struct {
	mu           sync.Mutex
	recent, past map[netip.Addr]*V
	turned       time.Time // when recent was begun
}

// get returns what there is for an address, at first a new V. It is nil if
// there are too many addresses.
func (a *addresses[V]) get(addr netip.Addr, now time.Time) *V {
	p := &a.shards[maphash.Comparable(a.seed, addr)%shardCount]
	p.mu.Lock()
	defer p.mu.Unlock()
	if age := now.Sub(p.turned); p.recent == nil || age >= time.Minute {
		p.past, p.recent, p.turned = p.recent, map[netip.Addr]*V{}, now
		if age >= 2*time.Minute {
			p.past = nil
		}
	}
	v := p.recent[addr]
	if v != nil {
		return v
	}
	if len(p.recent) >= maxAddresses {
		return nil
	}
	if v = p.past[addr]; v == nil {
		v = new(V)
	}
	p.recent[addr] = v
	return v
}
