package handover

import "github.com/belfryhq/belfry/internal/webhook/queue"

// manyKnown bounds how many events are remembered, twice: of more, those that
// were queued first are forgotten, and may be told again.
const manyKnown = 1 << 17

// Known are events in queues that were taken over, so that what was queued
// before its node died is not queued again. The zero value is none. It is not
// safe for concurrent use.
type Known struct{ young, old map[eventOf]struct{} }

// An eventOf is an event for one endpoint.
type eventOf struct {
	to queue.Address
	id queue.EventID
}

func (k *Known) add(to queue.Address, id queue.EventID) {
	if len(k.young) >= manyKnown {
		k.old, k.young = k.young, nil
	}
	if k.young == nil {
		k.young = make(map[eventOf]struct{})
	}
	k.young[eventOf{to, id}] = struct{}{}
}

// Has reports whether a queue has an event for an endpoint.
func (k *Known) Has(to queue.Address, id queue.EventID) bool {
	_, young := k.young[eventOf{to, id}]
	_, old := k.old[eventOf{to, id}]
	return young || old
}

// Merge adds all of another, the older ones first.
func (k *Known) Merge(other Known) {
	for _, half := range []map[eventOf]struct{}{other.old, other.young} {
		for e := range half {
			k.add(e.to, e.id)
		}
	}
}
