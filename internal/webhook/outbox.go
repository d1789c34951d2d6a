package webhook

import (
	"slices"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/webhook/queue"
)

const (
	recordEvents = 256       // the most events of one record
	recordBytes  = 256 << 10 // about the most bytes of one record
)

// boxes are the outboxes of one app, in the order of its webhooks.
type boxes struct {
	app  *apps.App
	list []*outbox
}

// An outbox is what an endpoint will be told and the queue does not have. The
// recorder's lock guards it.
type outbox struct {
	to     queue.Address
	share  *share // of the app
	events []queue.Event
	bytes  int
	draft  *draft   // under way, or to be tried again
	replay []*draft // that go before events
}

// A draft is a record that the queue may not have.
type draft struct {
	queue.Record
	term     *queue.Term   // in which it was made
	replayed chan struct{} // closed when the queue has it; nil if nobody waits
}

// cut returns the next draft: the one that was not taken, a new one, or nil if
// there is nothing. A new one gets the next id.
func (b *outbox) cut(t *queue.Term, id func() string) *draft {
	switch {
	case b.draft != nil:
		return b.draft
	case len(b.replay) > 0:
		b.draft, b.replay = b.replay[0], b.replay[1:]
		b.draft.ID, b.draft.term = id(), t
		return b.draft
	case len(b.events) == 0:
		return nil
	}
	n, bytes := 0, 0
	for n < len(b.events) && n < recordEvents && (n == 0 || bytes+b.events[n].Size() <= recordBytes) {
		bytes += b.events[n].Size()
		n++
	}
	b.draft = &draft{Record: queue.Record{ID: id(), Events: b.events[:n:n], Bytes: bytes}, term: t}
	b.bytes -= bytes
	if b.events = b.events[n:]; len(b.events) == 0 {
		b.events = nil
	}
	return b.draft
}

// uncut puts a draft back that is not known to be in a queue, whatever becomes
// of it.
func (b *outbox) uncut() {
	switch d := b.draft; {
	case d == nil:
		return
	case d.replayed != nil:
		b.replay = slices.Insert(b.replay, 0, &draft{Record: queue.Record{Events: d.Events, Bytes: d.Bytes}, replayed: d.replayed})
	default:
		b.events = slices.Concat(d.Events, b.events)
		b.bytes += d.Bytes
	}
	b.draft = nil
}

// withdraw takes out those decided events for which take is true, but for those
// in a draft, and returns them.
func (b *outbox) withdraw(take func(*queue.Event) bool) (taken []queue.Event) {
	if !slices.ContainsFunc(b.events, func(e queue.Event) bool { return e.Decided() }) {
		return nil
	}
	var kept []queue.Event
	for i := range b.events {
		e := &b.events[i]
		if !e.Decided() || !take(e) {
			kept = append(kept, *e)
			continue
		}
		taken = append(taken, *e)
		b.bytes -= e.Size()
	}
	b.events = kept
	return taken
}

// empty reports whether there is nothing, also on the way.
func (b *outbox) empty() bool { return b.draft == nil && len(b.events) == 0 && len(b.replay) == 0 }

// urgent reports whether there is something that does not wait for more.
func (b *outbox) urgent() bool {
	return b.draft != nil || len(b.replay) > 0 || len(b.events) >= recordEvents
}

// seeOldest calls see with the time of the first event of each kind.
func (b *outbox) seeOldest(see func(time.Time)) {
	if b.draft != nil {
		see(b.draft.Events[0].At)
	}
	if len(b.replay) > 0 {
		see(b.replay[0].Events[0].At)
	}
	if len(b.events) > 0 {
		see(b.events[0].At)
	}
}
