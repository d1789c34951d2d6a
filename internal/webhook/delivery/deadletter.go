package delivery

import (
	"slices"
	"time"

	"github.com/belfryhq/belfry/internal/webhook/queue"
	"github.com/belfryhq/belfry/internal/webhook/sent"
)

const (
	// letterEvents and letterBytes are about the most of one dead letter of events that
	// were not in one request.
	letterEvents = 256
	letterBytes  = recordBytes
	// sweepEvery bounds how often it is looked for what has waited too long, so
	// that what comes to its end at about the same time is put aside together.
	sweepEvery = time.Second
)

// giveUp makes a dead letter of a request that is not tried any more.
func (e *endpoint) giveUp(r *request, now time.Time) {
	if r.spent.IsZero() {
		r.spent = now
	}
	d := &queue.DeadLetter{
		Host:     r.failure.host,
		Reason:   queue.Exhausted,
		Status:   r.failure.status,
		Attempts: r.attempts,
		At:       r.spent.UnixMilli(),
	}
	if r.failure.err != nil {
		d.Err = r.failure.err.Error()
	}
	if !e.keep(d, r.items) {
		r.next = now.Add(engineAgain)
		e.retries.push(r)
		return
	}
	if r.sent != nil {
		r.sent.Ended(sent.GivenUp)
	}
	e.release(r)
}

// keep keeps events that are not delivered as a dead letter, and reports whether
// the engine has it.
func (e *endpoint) keep(d *queue.DeadLetter, items []item) bool {
	if e.term.Over() || e.Suspended() != nil {
		return false // others may do so
	}
	d.To = e.to
	for _, it := range items {
		d.Events = append(d.Events, *it.event)
	}
	if err := e.DeadLetters.Put(e.term.Context(), d); err != nil {
		if !e.term.Over() {
			e.Log.Error("events of a webhook can not be put aside; trying again", "app", e.to.App, "endpoint", e.to.Endpoint, "err", err)
		}
		return false
	}
	e.metrics.deadLetters.WithLabelValues(string(d.Reason)).Add(float64(len(items)))
	e.Log.Error("events of a webhook were given up; they are kept to be replayed", "app", e.to.App, "endpoint", e.to.Endpoint,
		"host", d.Host, "reason", string(d.Reason), "events", len(items), "status", d.Status, "attempts", d.Attempts, "err", d.Err)
	return true
}

// sweep gives up what has waited for longer than events are retried: nobody may
// take them any more, and there would be no end to them.
func (e *endpoint) sweep(now time.Time, reason queue.Reason) {
	if reason == queue.Removed {
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
	g := gathered{reason: reason, status: e.health.lastStatus, err: e.health.lastError}
	for _, l := range e.lineup.lanes {
		for i := 0; i < len(l.items) && !now.Before(e.deadline(l.items[i])); i++ {
			if g.full() {
				if !e.keepGathered(&g, now) {
					return
				}
				i = 0
			}
			g.add(l, l.items[i])
		}
	}
	if !e.keepGathered(&g, now) {
		return
	}
	e.sweepAt = now.Add(forever)
	for _, l := range e.lineup.lanes {
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
	reason queue.Reason
	status int
	err    string
	items  []item
	bytes  int
	lanes  []*lane
	counts []int // of the items of each
}

func (g *gathered) full() bool { return len(g.items) >= letterEvents || g.bytes >= letterBytes }

// add adds the next event of a lane.
func (g *gathered) add(l *lane, it item) {
	if n := len(g.lanes); n == 0 || g.lanes[n-1] != l {
		g.lanes, g.counts = append(g.lanes, l), append(g.counts, 0)
	}
	g.counts[len(g.counts)-1]++
	g.items = append(g.items, it)
	g.bytes += it.event.Size()
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

// keepGathered puts them aside, takes them off their lanes, and empties g. It
// reports whether the engine has them.
func (e *endpoint) keepGathered(g *gathered, now time.Time) bool {
	if len(g.items) == 0 {
		return true
	}
	slices.SortFunc(g.items, inOrder)
	d := &queue.DeadLetter{Reason: g.reason, Status: g.status, Err: g.err, At: now.UnixMilli()}
	if !e.keep(d, g.items) {
		e.engineAt = now.Add(engineAgain)
		return false
	}
	for i, l := range g.lanes {
		e.lineup.drop(l, g.counts[i])
	}
	e.forget(g.items)
	g.items, g.bytes, g.lanes, g.counts = nil, 0, nil, nil
	return true
}

// deadline is when an event that waits is given up if its endpoint is down. It
// begins with the event, or when this process took it over.
func (e *endpoint) deadline(it item) time.Time {
	at := it.event.At
	if since := it.of.from.since; at.Before(since) {
		at = since
	}
	return at.Add(e.RetryWindow)
}

// sweepBy makes sweep look again when an event is overdue.
func (e *endpoint) sweepBy(it item) {
	if at := e.deadline(it); at.Before(e.sweepAt) {
		e.sweepAt = at
	}
}

// sweepWait is how long to wait for the next event to be overdue.
func (e *endpoint) sweepWait(now time.Time) time.Duration {
	wait := forever
	if at := e.engineAt; !at.IsZero() {
		wait = min(wait, at.Sub(now))
	}
	if len(e.lineup.lanes) > 0 {
		wait = min(wait, e.sweepAt.Sub(now))
	}
	if e.retries.Len() > 0 {
		wait = min(wait, e.retries.first().next.Sub(now))
	}
	return max(wait, 0)
}

// spill gives up the oldest events that wait, because too much is queued.
func (e *endpoint) spill(now time.Time) {
	for {
		queued, _ := e.inbox.size()
		over := queued - e.MaxEndpoint
		if over <= 0 {
			return
		}
		g := gathered{reason: queue.Overflow}
		for c := range companies {
			g.fill(&e.lineup.ready[c], over)
		}
		if len(g.items) == 0 || !e.keepGathered(&g, now) {
			return
		}
	}
}
