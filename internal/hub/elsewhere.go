package hub

import (
	"math/bits"
	"slices"
)

// elsewhere is what peers hold of a channel. The shard's lock guards it.
type elsewhere struct {
	by     peerSet
	counts []heldCount // of those that have more or fewer than one subscription
}

// A heldCount is how many subscriptions a peer has, or zero while it only
// keeps the channel for clients that it has sent elsewhere.
type heldCount struct {
	by peerSet // one bit
	n  uint64
}

// set notes that peers hold the channel, each with n subscriptions. It
// reports whether that is new.
func (e *elsewhere) set(by peerSet, n uint64) (changed bool) {
	changed = e.by&by != by
	e.by |= by
	for ; by != 0; by &= by - 1 {
		changed = e.setCount(by&-by, n) || changed
	}
	return changed
}

func (e *elsewhere) setCount(by peerSet, n uint64) (changed bool) {
	i := slices.IndexFunc(e.counts, func(c heldCount) bool { return c.by == by })
	switch {
	case i >= 0 && n == 1:
		e.counts = slices.Delete(e.counts, i, i+1)
	case i >= 0:
		changed = e.counts[i].n != n
		e.counts[i].n = n
		return changed
	case n != 1:
		e.counts = append(e.counts, heldCount{by, n})
	default:
		return false
	}
	return true
}

// clear notes that peers hold the channel no more, and reports whether they
// did.
func (e *elsewhere) clear(by peerSet) (changed bool) {
	if e.by&by == 0 {
		return false
	}
	e.by &^= by
	e.counts = slices.DeleteFunc(e.counts, func(c heldCount) bool { return c.by&by != 0 })
	if len(e.counts) == 0 {
		e.counts = nil
	}
	return true
}

// subscriptions is how many the peers in live have.
func (e *elsewhere) subscriptions(live peerSet) int {
	n := bits.OnesCount64(uint64(e.by & live))
	for _, c := range e.counts {
		if c.by&live != 0 {
			n += int(c.n) - 1
		}
	}
	return n
}
