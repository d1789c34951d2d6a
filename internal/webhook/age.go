package webhook

import "time"

// oldest is the earliest of some moments; the zero value has seen none.
type oldest struct{ at time.Time }

// see takes a moment into account, unless it is zero.
func (o *oldest) see(at time.Time) {
	if !at.IsZero() && (o.at.IsZero() || at.Before(o.at)) {
		o.at = at
	}
}

// age is how long ago that was, or zero if there was none.
func (o *oldest) age(now time.Time) time.Duration {
	if o.at.IsZero() {
		return 0
	}
	return max(now.Sub(o.at), 0)
}

// seeOldest sees what an endpoint has neither delivered nor given up of what
// is queued.
func (e *endpoint) seeOldest(o *oldest) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, from := range e.sources {
		if from.behind {
			o.see(from.unread)
		}
		for _, s := range from.outstanding {
			if s.left > 0 {
				o.see(s.at)
				break
			}
		}
	}
}

// seeOldest sees what the queue does not have yet for an endpoint, or for any
// if to is nil.
func (r *recorder) seeOldest(o *oldest, to *address) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for b := range r.busy {
		if to == nil || b.to == *to {
			b.seeOldest(o)
		}
	}
}

func (b *outbox) seeOldest(o *oldest) {
	if b.record != nil {
		o.see(b.record.events[0].at)
	}
	if len(b.replay) > 0 {
		o.see(b.replay[0].events[0].at)
	}
	if len(b.events) > 0 {
		o.see(b.events[0].at)
	}
}

// seeOldest sees the decisions that wait for somebody who wants them.
func (l *limbo) seeOldest(o *oldest) {
	l.sender.ledger.mu.Lock()
	defer l.sender.ledger.mu.Unlock()
	for _, channels := range l.apps {
		for _, list := range channels {
			o.see(list[0].at)
		}
	}
}
