package peers

import (
	"sync/atomic"
	"time"
)

// A Clock gives out stamps: of two events the later one has the higher stamp, on
// whatever nodes, if the node of the later one had heard of the other. The zero
// value is ready.
type Clock struct{ last atomic.Uint64 }

// Stamp is higher than every stamp that was given out or heard of.
func (c *Clock) Stamp() uint64 {
	now := uint64(time.Now().UnixMilli()) << 16
	for {
		last := c.last.Load()
		next := max(now, last+1)
		if c.last.CompareAndSwap(last, next) {
			return next
		}
	}
}

// Heard notes the stamp of another node.
func (c *Clock) Heard(stamp uint64) { raise(&c.last, stamp) }
