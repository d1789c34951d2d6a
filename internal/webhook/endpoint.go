package webhook

import (
	"sync"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/wakeup"
)

// endpointWindow is how many bytes of its records one endpoint keeps in memory.
const endpointWindow = 4 << 20

// engineAgain is the wait after the engine did not answer.
const engineAgain = time.Second

// An endpoint is where some events of an app go. Its goroutine runs while it
// has something to deliver.
type endpoint struct {
	// Immutable.
	all  *endpoints
	to   address
	wake wakeup.Signal
	done chan outcome // of attempts; has room for all

	mu       sync.Mutex
	running  bool // the goroutine
	changed  bool // the app has, since the goroutine looked
	term     *term
	sources  []*source
	stream   uint32    // that their numbers are of
	queued   int64     // bytes of events in the queues, about
	window   int64     // bytes in memory
	incoming []*stored // that the goroutine has not seen
	dirty    bool      // the remover will look at the sources
	health   health

	// Owned by the goroutine.
	now      *term            // of what follows
	lanes    map[string]*lane // by channel; those with events
	ready    [companies]lanes // that are not busy
	turn     company          // of which the last new request was
	retries  retries
	inflight int
	cappedAt time.Time // when the waits of retries were cut to aliveWait
	missing  bool      // the app has no such endpoint, the last time it was looked at
	engineAt time.Time // when to ask the engine again; zero unless it did not answer
	sweepAt  time.Time // nothing is given up before that because it has waited too long
	probeAt  time.Time // when a new request may go although the endpoint is down
	retried  bool      // the last request that was sent was not a new one
	hinted   bool      // that there are events that are refused for what they are
}

// A stored record is one that is in the queue and in memory.
type stored struct {
	number  number
	from    *source
	bytes   int
	at      time.Time // of its first event
	events  []event
	left    int  // events that are neither delivered nor buried
	removed bool // from the queue, out of order
}

func newEndpoint(es *endpoints, to address) *endpoint {
	return &endpoint{
		all:  es,
		to:   to,
		wake: wakeup.New(),
		done: make(chan outcome, es.sender.cfg.Concurrency),
		term: es.term.Load(),
	}
}

// roomLocked reports whether so many bytes may come into memory. e.mu is held.
func (e *endpoint) roomLocked(bytes int) bool {
	return e.window == 0 ||
		e.window+int64(bytes) <= endpointWindow && e.all.window.Load()+int64(bytes) <= maxWindow
}

// run is the endpoint's goroutine. It ends when there is nothing to deliver.
func (e *endpoint) run() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		wait, open := forever, e.all.sender.cfg.Roster.Suspended()
		if open == nil {
			e.refill()
			e.admit()
			wait = e.start(time.Now())
			if e.idle() {
				return
			}
		}
		timer.Reset(wait)
		select {
		case o := <-e.done:
			e.settle(o)
			e.settleMore()
		case <-open:
		case <-e.wake:
		case <-timer.C:
		case <-e.all.quit:
			e.finish()
			return
		}
	}
}

// settleMore settles what has come besides.
func (e *endpoint) settleMore() {
	for {
		select {
		case o := <-e.done:
			e.settle(o)
		default:
			return
		}
	}
}

// finish waits for the attempts that are under way.
func (e *endpoint) finish() {
	for e.inflight > 0 {
		e.settle(<-e.done)
	}
	e.mu.Lock()
	e.running = false
	e.mu.Unlock()
}

// idle reports whether there is nothing to do any more, and the goroutine is
// to end.
func (e *endpoint) idle() bool {
	if e.inflight > 0 || e.retries.Len() > 0 || len(e.lanes) > 0 {
		return false
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.behindLocked() || len(e.incoming) > 0 {
		return false
	}
	e.running = false
	return true
}

// admit puts the events of new records into the lanes of their channels. When
// a term has begun, those of the last one are gone.
func (e *endpoint) admit() {
	e.mu.Lock()
	fresh := e.incoming
	e.incoming = nil
	if e.now != e.term {
		e.now, e.lanes, e.ready, e.retries = e.term, make(map[string]*lane), [companies]lanes{}, retries{}
	}
	e.mu.Unlock()
	for _, s := range fresh {
		for i := range s.events {
			e.enter(item{event: &s.events[i], of: s, index: i})
		}
	}
}

// app returns the app and the endpoint's settings as they are now, or nil when
// there is no such endpoint.
func (e *endpoint) app() (*apps.App, *apps.Webhook) {
	app := e.all.sender.cfg.Apps.ByID(e.to.app)
	if app == nil || len(app.Keys) == 0 {
		return nil, nil
	}
	w := app.Webhook(e.to.endpoint)
	if w == nil {
		return nil, nil
	}
	return app, w
}

// start starts all attempts that are due, and returns how long to wait for the
// next ones.
func (e *endpoint) start(now time.Time) time.Duration {
	e.mu.Lock()
	e.changed = false
	overflow := e.queued > e.all.sender.cfg.MaxEndpoint
	e.mu.Unlock()
	app, hook := e.app()
	if e.missing && app != nil {
		e.retries.within(now, 0)
	}
	e.missing = app == nil
	switch {
	case app == nil:
		e.sweep(now, buryRemoved)
		if e.hungry() {
			return 0
		}
		return e.sweepWait(now)
	case e.health.open():
		e.sweep(now, buryDown)
	}
	if overflow {
		e.spill(now)
	}
	for e.inflight < e.limit() && e.all.sender.cfg.Roster.Suspended() == nil {
		r := e.next(now, hook)
		if r == nil {
			break
		}
		e.inflight++
		e.attempt(r, app, hook)
	}
	if e.hungry() {
		return 0
	}
	return e.wait(now, hook)
}

// hungry reports whether there is room again for what is in the queue.
func (e *endpoint) hungry() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.behindLocked() && e.engineAt.IsZero() && e.roomLocked(recordBytes)
}

// limit is how many requests may be under way: one while nobody knows whether
// the endpoint lives.
func (e *endpoint) limit() int {
	if e.health.open() {
		return 1
	}
	return e.all.sender.cfg.Concurrency
}

// next returns a request that is to be sent now, or nil.
func (e *endpoint) next(now time.Time, hook *apps.Webhook) *request {
	// What is new and what is tried again take turns, so that neither holds up
	// the other.
	if e.retried {
		if r := e.form(now, hook); r != nil {
			e.retried = false
			return r
		}
	}
	for r := e.retries.due(now); r != nil; r = e.retries.due(now) {
		if r.spent.IsZero() && now.Before(r.until) {
			e.retried = true
			return r
		}
		e.giveUp(r, now)
	}
	return e.form(now, hook)
}

// forever is a wait for something else to happen.
const forever = time.Hour

// wait is how long nothing happens unless something comes.
func (e *endpoint) wait(now time.Time, hook *apps.Webhook) time.Duration {
	wait := forever
	if at := e.engineAt; !at.IsZero() {
		wait = min(wait, at.Sub(now))
	}
	if e.inflight >= e.limit() {
		return max(wait, 0)
	}
	if e.retries.Len() > 0 {
		wait = min(wait, e.retries.first().next.Sub(now))
	}
	for c := range companies {
		if at := e.formAt(c, hook); !at.IsZero() {
			wait = min(wait, at.Sub(now))
		}
	}
	return max(wait, 0)
}

// settle takes the outcome of an attempt.
func (e *endpoint) settle(o outcome) {
	e.inflight--
	r := o.request
	if o.err != nil && r.term.attempts.Err() != nil {
		return // it was ended because the node stops, or was given up
	}
	e.all.sender.metrics.attempted(o)
	if r.term != e.now {
		return
	}
	r.attempts++
	now := time.Now()
	if o.err == nil {
		e.mu.Lock()
		back := e.health.succeeded(now, o)
		e.mu.Unlock()
		if back {
			e.retries.within(now, 0)
			e.all.sender.log.Info("webhook endpoint answers again", "app", e.to.app, "endpoint", e.to.endpoint, "host", o.host)
		}
		if now.Sub(e.cappedAt) > e.all.sender.cfg.RetryFirst {
			e.cappedAt = now
			e.retries.within(now, e.aliveWait())
		}
		e.all.sender.metrics.delivered.Add(float64(len(r.items)))
		e.release(r)
		return
	}
	e.failed(r, o, now)
	if r.refusals >= refusedFor && len(r.items) > 1 {
		e.dissolve(r)
		return
	}
	most := forever
	if now.Sub(e.health.lastSuccess) < aliveFor {
		most = e.aliveWait()
	}
	if wait, ok := r.nextWait(e.all.sender.cfg.RetryFirst, most, o.retryAfter, now); ok {
		r.next = now.Add(wait)
		e.retries.push(r)
		return
	}
	e.giveUp(r, now)
}

// aliveFor is how long an endpoint counts as alive after it took something.
const aliveFor = time.Minute

// aliveWait is the longest wait before the next attempt while the endpoint
// takes other requests: with one that takes only some, waits that double would
// leave too few attempts.
func (e *endpoint) aliveWait() time.Duration { return 8 * e.all.sender.cfg.RetryFirst }

// release lets the channels of a request that is over go on, and forgets its
// events.
func (e *endpoint) release(r *request) {
	for _, l := range r.lanes {
		l.busy = false
		if len(l.items) > 0 {
			e.free(l)
		} else {
			delete(e.lanes, l.channel)
		}
	}
	e.forget(r.items)
}

// forget takes events off the books that are delivered or buried.
func (e *endpoint) forget(items []item) {
	e.mu.Lock()
	defer e.mu.Unlock()
	finished := false
	for _, it := range items {
		if it.of.from.dropped {
			continue
		}
		e.queued = max(e.queued-int64(it.event.size()), 0)
		if it.of.left--; it.of.left == 0 {
			finished = true
			e.window -= int64(it.of.bytes)
			e.all.window.Add(-int64(it.of.bytes))
			it.of.events = nil
		}
	}
	if finished {
		e.all.remover.addLocked(e)
	}
}
