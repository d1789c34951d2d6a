// Package history keeps the last events of channels, so that a client that was
// away for a while gets what it has missed, or is told that it can not.
//
// Each node numbers the events that it publishes. An event's publisher and number
// are its place in the history of its channel, and a [Position] says up to which
// number of each publisher somebody has all events. The order of events of one
// publisher is that of their numbers; that of two publishers differs from node to
// node, in history as in delivery.
//
// A [Log] is what one node keeps of one channel. For each publisher it knows a
// range of numbers of which it has all that were published on the channel. It
// learns of a hole by itself: each event names the number of the one before it.
// So it never has to be told that something was lost.
//
// Logs stand on a [Shelf], which drops the oldest events of all of them. Neither
// is safe for concurrent use: whoever has the lock of the channel may touch its
// log, and one lock guards a shelf and all its logs. A [Budget] is shared.
package history

import (
	"sync/atomic"
	"time"
)

// Limits bound what is kept. All of them must be positive.
type Limits struct {
	TTL    time.Duration // of an event
	Events int           // of one channel
	Bytes  int           // of one channel: what its frames cost
}

// EntrySize is how much memory an event takes beside its frame.
const EntrySize = 64

// A Budget is how much memory the histories of an app take together. It is safe for
// concurrent use.
type Budget struct {
	began time.Time
	used  atomic.Int64
}

// NewBudget returns a budget of which nothing is used. Events may be a day older than it:
// those of nodes that are gone.
func NewBudget() *Budget { return &Budget{began: time.Now().Add(-24 * time.Hour)} }

// tenths is the time as entries note it: in tenths of a second.
func (b *Budget) tenths(now time.Time) uint32 {
	return uint32(max(now.Sub(b.began), 0) / (time.Second / 10))
}

// Used is how many bytes are kept.
func (b *Budget) Used() int64 { return b.used.Load() }

// A Reason is why somebody does not get what was missed.
type Reason string

const (
	// Complete is no reason: all that was missed is there.
	Complete Reason = ""
	// Expired says that some of it is not kept any more.
	Expired Reason = "expired"
	// Unknown says that the position names a publisher of which nothing is known,
	// because it was started anew, or a number that it has not reached.
	Unknown Reason = "unknown"
	// Malformed says that the position can not be read.
	Malformed Reason = "malformed"
	// Lost says that events were lost between two nodes.
	Lost Reason = "lost"
	// Busy says that the client took too long to take what was sent to it.
	Busy Reason = "busy"
)
