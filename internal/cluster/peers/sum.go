package peers

import (
	"sync"
	"sync/atomic"
)

// A Sum is a number that each peer says of itself, and what they make together. The
// zero value is that of peers that have said nothing. It is safe for concurrent
// use; its lock is a leaf.
type Sum struct {
	sum atomic.Int64

	mu sync.Mutex
	by map[Set]int64 // by the bit of the peer
}

// most bounds what a peer is believed.
const most = 1 << 40

// Load is the sum.
func (s *Sum) Load() int64 { return s.sum.Load() }

// Set notes what the peer of these bits says. Present tells which bits count.
func (s *Sum) Set(by Set, n uint64, present func(Set) Set) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.by == nil {
		s.by = make(map[Set]int64)
	}
	for ; by != 0; by &= by - 1 {
		s.by[by.lowest()] = int64(min(n, most))
	}
	s.addLocked(present)
}

// Clear forgets what was said under these bits.
func (s *Sum) Clear(by Set, present func(Set) Set) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ; by != 0; by &= by - 1 {
		delete(s.by, by.lowest())
	}
	s.addLocked(present)
}

// addLocked counts each peer once. s.mu is held.
func (s *Sum) addLocked(present func(Set) Set) {
	sum := int64(0)
	for by, n := range s.by {
		if present(by) != 0 {
			sum += n
		}
	}
	s.sum.Store(sum)
}

// Of is what the peer of that bit has said.
func (s *Sum) Of(peer Set) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.by[peer]
}
