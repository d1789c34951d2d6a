package history

import (
	"iter"
	"math"
	"sync"
)

// Shelves are those of an app, each with the lock that guards it.
type Shelves = iter.Seq2[sync.Locker, *Shelf]

// Evict makes room if more than limit bytes are kept: the oldest events of all
// shelves go first. No lock may be held.
func (b *Budget) Evict(limit int64, shelves Shelves) {
	if b.Used() <= limit {
		return
	}
	for goal := limit - limit/64; b.Used() > goal; {
		if !b.evictOldest(goal, shelves) {
			return
		}
	}
}

// evictOldest takes events from the shelf that has the oldest one, until another has
// an older one. It reports whether there was any.
func (b *Budget) evictOldest(goal int64, shelves Shelves) bool {
	var lock sync.Locker
	var oldest *Shelf
	var first, second uint32
	for mu, s := range shelves {
		mu.Lock()
		at, ok := s.Oldest()
		mu.Unlock()
		switch {
		case !ok:
		case oldest == nil:
			lock, oldest, first, second = mu, s, at, math.MaxUint32
		case at < first:
			lock, oldest, first, second = mu, s, at, first
		default:
			second = min(second, at)
		}
	}
	if oldest == nil {
		return false
	}
	lock.Lock()
	defer lock.Unlock()
	oldest.Evict()
	for at, ok := oldest.Oldest(); ok && at <= second && b.Used() > goal; at, ok = oldest.Oldest() {
		oldest.Evict()
	}
	return true
}
