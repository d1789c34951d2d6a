package webhook

import (
	"slices"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/cluster/roster"
	"github.com/belfryhq/belfry/internal/hub"
)

var _ roster.Host = (*Sender)(nil)

// Decide puts a decision into the outboxes of the endpoints that want it. The
// roster hears that it is told when all of their queues have it. If there is no
// such endpoint in a cluster, it waits whether there will be one soon.
func (s *Sender) Decide(d roster.Decision) {
	w := waiting{d, time.Now()}
	s.ledger.begin(d.Order, func() int { return s.limbo.decideLocked(w) })
}

// newsOf is a decision as if it had been observed.
func newsOf(d roster.Decision) hub.News {
	n := hub.News{Channel: d.Channel, UserID: d.User}
	switch {
	case d.Member && d.Gone:
		n.Kind = apps.MemberRemoved
	case d.Member:
		n.Kind = apps.MemberAdded
	case d.Gone:
		n.Kind = apps.ChannelVacated
	default:
		n.Kind = apps.ChannelOccupied
	}
	return n
}

// TakeOver begins to take over the queue of an incarnation that is gone. Nothing
// is published until it is known what is in there.
func (s *Sender) TakeOver(dead node.ID) { s.adopt(owner(dead)) }

// Evicted throws away what was decided and is in no queue, and what is left to
// deliver: all of that is somebody else's. What was observed here and is in no
// queue goes into that of the next incarnation.
func (s *Sender) Evicted(next node.ID) {
	t := newTerm(s.endpoints.ctx, owner(next))
	s.limbo.void()
	s.recorder.depose(t)
	s.log.Warn("this node was given up by the others; its webhooks are theirs")
}

// decide puts a decision into outboxes, and returns how many.
func (r *recorder) decide(app *apps.App, w waiting) int {
	n := newsOf(w.Decision)
	if !wanted(app, n.Kind, w.Channel) {
		return 0
	}
	e := newEvent(n, w.at)
	e.id, e.order = eventID{w.ID.Log, w.ID.Number}, w.Order
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.spreadLocked(app, n.Kind, e)
}

// depose takes back what was decided, and begins a term here and, at the same
// moment, for the endpoints.
func (r *recorder) depose(t *term) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sender.endpoints.depose(t)
	r.term, r.queued = t, decided{}
	r.unpackLocked()
	r.withdrawLocked(everyDecision)
}

func everyDecision(*outbox, *event) bool { return true }

// unpackLocked puts records back into their outboxes that are not known to be
// in a queue, whatever becomes of those under way. r.mu is held.
func (r *recorder) unpackLocked() {
	for b := range r.busy {
		rec := b.record
		switch {
		case rec == nil:
			continue
		case rec.landed != nil:
			b.replay = slices.Insert(b.replay, 0, &record{events: rec.events, bytes: rec.bytes, landed: rec.landed})
		default:
			b.events = slices.Concat(rec.events, b.events)
			b.bytes += rec.bytes
		}
		b.record = nil
	}
}

// withdrawLocked takes those decided events out of the outboxes for which take
// is true, but for those in records under way, and returns them. r.mu is held.
func (r *recorder) withdrawLocked(take func(*outbox, *event) bool) []event {
	var taken []event
	for b := range r.busy {
		if !slices.ContainsFunc(b.events, func(e event) bool { return e.decided() }) {
			continue
		}
		var kept []event
		for i := range b.events {
			e := &b.events[i]
			if !e.decided() || !take(b, e) {
				kept = append(kept, *e)
				continue
			}
			taken = append(taken, *e)
			b.bytes -= e.size()
			r.settledLocked(b, 1, e.size())
		}
		b.events = kept
	}
	r.wake.Set()
	return taken
}
