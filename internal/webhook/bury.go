package webhook

import "time"

// buryEvents is the most events of one burial that were not in one request.
const buryEvents = 256

// giveUp buries the events of a request that is not tried any more.
func (e *endpoint) giveUp(r *request, now time.Time) {
	if r.spent.IsZero() {
		r.spent = now
	}
	b := &burial{
		to:       e.to,
		host:     r.failure.host,
		reason:   buryExhausted,
		status:   r.failure.status,
		attempts: r.attempts,
		at:       r.spent.UnixMilli(),
	}
	if r.failure.err != nil {
		b.err = r.failure.err.Error()
	}
	if !e.bury(b, r.items) {
		r.next = now.Add(engineAgain)
		e.retries.push(r)
		return
	}
	e.release(r)
}

// bury keeps events that are not delivered, and reports whether the engine has
// them.
func (e *endpoint) bury(b *burial, items []item) bool {
	s := e.all.sender
	if e.now.ctx.Err() != nil || s.fence.shut() != nil {
		return false // others may do so
	}
	for _, it := range items {
		b.events = append(b.events, *it.event)
	}
	if err := s.queue.bury(e.now.ctx, b); err != nil {
		if e.now.ctx.Err() == nil {
			s.log.Error("events of a webhook can not be put aside; trying again", "app", e.to.app, "endpoint", e.to.endpoint, "err", err)
		}
		return false
	}
	s.metrics.buried(b.reason, len(items))
	s.log.Error("events of a webhook were given up; they are kept to be replayed", "app", e.to.app, "endpoint", e.to.endpoint,
		"host", b.host, "reason", string(b.reason), "events", len(items), "status", b.status, "attempts", b.attempts, "err", b.err)
	return true
}

// sweep buries what has waited for longer than events are retried: nobody may
// take them any more, and there would be no end to them.
func (e *endpoint) sweep(now time.Time, reason buryReason) {
	if reason == buryRemoved {
		for r := e.retries.due(now); r != nil; r = e.retries.due(now) {
			if now.Before(r.until) {
				r.next = r.until
				e.retries.push(r)
				continue
			}
			e.giveUp(r, now)
		}
	}
	for {
		items, from := e.overdue(now)
		if len(items) == 0 {
			return
		}
		b := &burial{to: e.to, reason: reason, at: now.UnixMilli()}
		e.mu.Lock()
		b.status, b.err = e.health.lastStatus, e.health.lastError
		e.mu.Unlock()
		if !e.bury(b, items) {
			e.engineAt = now.Add(engineAgain)
			return
		}
		e.drop(items, from)
	}
}

// deadline is when an event that waits is given up if its endpoint is down. It
// begins with the event, or when this process took it over.
func (e *endpoint) deadline(it item) time.Time {
	at := it.event.at
	if since := it.of.from.since; at.Before(since) {
		at = since
	}
	return at.Add(e.all.sender.cfg.RetryWindow)
}

// overdue returns events at the front of one lane that have waited too long.
// They stay there.
func (e *endpoint) overdue(now time.Time) ([]item, *lane) {
	if !e.engineAt.IsZero() {
		return nil, nil
	}
	for _, l := range e.lanes {
		n := 0
		for n < len(l.items) && n < buryEvents && !now.Before(e.deadline(l.items[n])) {
			n++
		}
		if n > 0 {
			return l.items[:n], l
		}
	}
	return nil, nil
}

// drop takes events off the front of a lane that were buried.
func (e *endpoint) drop(items []item, l *lane) {
	l.items = l.items[len(items):]
	if !l.busy {
		e.ready.events -= len(items)
		if len(l.items) == 0 {
			e.ready.remove(l)
			delete(e.lanes, l.channel)
		}
	}
	e.forget(items)
}

// sweepWait is how long to wait for the next event to be overdue.
func (e *endpoint) sweepWait(now time.Time) time.Duration {
	wait := forever
	if at := e.engineAt; !at.IsZero() {
		wait = min(wait, at.Sub(now))
	}
	for _, l := range e.lanes {
		if len(l.items) > 0 {
			wait = min(wait, e.deadline(l.items[0]).Sub(now))
		}
	}
	if e.retries.Len() > 0 {
		wait = min(wait, e.retries.first().next.Sub(now))
	}
	return max(wait, 0)
}

// spill buries the oldest events that wait, because too much is queued.
func (e *endpoint) spill() {
	for {
		e.mu.Lock()
		over := e.queued > e.all.sender.cfg.MaxEndpoint
		e.mu.Unlock()
		if !over || len(e.ready.list) == 0 {
			return
		}
		l := e.ready.list[0]
		items := l.items[:min(len(l.items), buryEvents)]
		if !e.bury(&burial{to: e.to, reason: buryOverflow, at: time.Now().UnixMilli()}, items) {
			return
		}
		e.drop(items, l)
	}
}

// remove takes a lane out.
func (ls *lanes) remove(l *lane) {
	for i, other := range ls.list {
		if other == l {
			ls.list = append(ls.list[:i:i], ls.list[i+1:]...)
			return
		}
	}
}
