package delivery

import (
	"cmp"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/webhook/queue"
	"github.com/belfryhq/belfry/protocol"
)

// An item is an event that waits to be delivered.
type item struct {
	event  *queue.Event
	of     *stored
	index  int  // in its record
	single bool // was refused together with others
}

// inOrder compares items by when they came into the queue.
func inOrder(a, b item) int {
	return cmp.Or(a.of.number.Compare(b.of.number), cmp.Compare(a.index, b.index))
}

// alone reports whether the event shares a request with no other.
func (it *item) alone() bool { return it.single || opaque(it.event) }

// opaque reports whether an event is of an encrypted channel and has no data.
// The official receivers for Go and PHP decrypt the data of every event of such
// a channel, and refuse the whole request if there is none.
func opaque(e *queue.Event) bool {
	return protocol.KindOf(e.Channel).Encrypted() && e.Type != apps.ClientEvent
}
