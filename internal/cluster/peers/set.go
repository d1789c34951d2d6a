package peers

import "math/bits"

// slotCount is how many bits there are. The last one is not a peer's.
const slotCount = 64

// A Set is a set of peers, by their bits. It says by whom something is held. Some of
// the bits may not count any more: see [Others.Present].
type Set uint64

// All is every peer that there may be.
const All = ^Set(0)

// Lingering is held by sessions that this node has sent elsewhere. They are
// there until the node is gone and the grace of its peers is over.
const Lingering Set = 1 << (slotCount - 1)

// Len is how many bits are in the set.
func (s Set) Len() int { return bits.OnesCount64(uint64(s)) }

// lowest is the set of one of its bits.
func (s Set) lowest() Set { return s & -s }

// slot is the place of the lowest bit.
func (s Set) slot() int { return bits.TrailingZeros64(uint64(s)) }
