package webhook

import (
	"slices"
	"time"
)

const (
	// buryEvents and buryBytes are about the most of one burial of events that
	// were not in one request.
	buryEvents = 256
	buryBytes  = recordBytes
	// sweepEvery bounds how often it is looked for what has waited too long, so
	// that what comes to its end at about the same time is put aside together.
	sweepEvery = time.Second
)

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
	if e.now.ctx.Err() != nil || s.cfg.Roster.Suspended() != nil {
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
	if now.Before(e.sweepAt) || !e.engineAt.IsZero() {
		return
	}
	e.mu.Lock()
	g := gathered{reason: reason, status: e.health.lastStatus, err: e.health.lastError}
	e.mu.Unlock()
	for _, l := range e.lanes {
		for i := 0; i < len(l.items) && !now.Before(e.deadline(l.items[i])); i++ {
			if g.full() {
				if !e.buryGathered(&g, now) {
					return
				}
				i = 0
			}
			g.add(l, l.items[i])
		}
	}
	if !e.buryGathered(&g, now) {
		return
	}
	e.sweepAt = now.Add(forever)
	for _, l := range e.lanes {
		if len(l.items) == 0 {
			continue // a request has all of them
		}
		if at := e.deadline(l.items[0]); at.Before(e.sweepAt) {
			e.sweepAt = at
		}
	}
	if soon := now.Add(sweepEvery); e.sweepAt.Before(soon) {
		e.sweepAt = soon
	}
}

// gathered are events from the fronts of several lanes that are put aside
// together: each write costs the engine one to the disk.
type gathered struct {
	reason buryReason
	status int
	err    string
	items  []item
	bytes  int
	lanes  []*lane
	counts []int // of the items of each
}

func (g *gathered) full() bool { return len(g.items) >= buryEvents || g.bytes >= buryBytes }

// add adds the next event of a lane.
func (g *gathered) add(l *lane, it item) {
	if n := len(g.lanes); n == 0 || g.lanes[n-1] != l {
		g.lanes, g.counts = append(g.lanes, l), append(g.counts, 0)
	}
	g.counts[len(g.counts)-1]++
	g.items = append(g.items, it)
	g.bytes += it.event.size()
}

// fill adds the first events of lanes until there are so many bytes.
func (g *gathered) fill(ls *lanes, bytes int64) {
	for l := ls.first; l != nil; l = l.next {
		for _, it := range l.items {
			if g.full() || int64(g.bytes) >= bytes {
				return
			}
			g.add(l, it)
		}
	}
}

// buryGathered puts them aside, takes them off their lanes, and empties g. It
// reports whether the engine has them.
func (e *endpoint) buryGathered(g *gathered, now time.Time) bool {
	if len(g.items) == 0 {
		return true
	}
	slices.SortFunc(g.items, inOrder)
	b := &burial{to: e.to, reason: g.reason, status: g.status, err: g.err, at: now.UnixMilli()}
	if !e.bury(b, g.items) {
		e.engineAt = now.Add(engineAgain)
		return false
	}
	for i, l := range g.lanes {
		e.drop(l, g.counts[i])
	}
	e.forget(g.items)
	g.items, g.bytes, g.lanes, g.counts = nil, 0, nil, nil
	return true
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

// drop takes the first n events off a lane that were buried.
func (e *endpoint) drop(l *lane, n int) {
	in := l.in
	if in != nil && n == len(l.items) {
		in.remove(l)
		delete(e.lanes, l.channel)
		in = nil
	}
	if l.items = l.items[n:]; in == nil {
		return
	}
	in.events -= n
	e.place(l)
}

// sweepWait is how long to wait for the next event to be overdue.
func (e *endpoint) sweepWait(now time.Time) time.Duration {
	wait := forever
	if at := e.engineAt; !at.IsZero() {
		wait = min(wait, at.Sub(now))
	}
	if len(e.lanes) > 0 {
		wait = min(wait, e.sweepAt.Sub(now))
	}
	if e.retries.Len() > 0 {
		wait = min(wait, e.retries.first().next.Sub(now))
	}
	return max(wait, 0)
}

// spill buries the oldest events that wait, because too much is queued.
func (e *endpoint) spill(now time.Time) {
	for {
		e.mu.Lock()
		over := e.queued - e.all.sender.cfg.MaxEndpoint
		e.mu.Unlock()
		if over <= 0 {
			return
		}
		g := gathered{reason: buryOverflow}
		for c := range companies {
			g.fill(&e.ready[c], over)
		}
		if len(g.items) == 0 || !e.buryGathered(&g, now) {
			return
		}
	}
}
