package delivery

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/wakeup"
	"github.com/belfryhq/belfry/internal/webhook/queue"
	"github.com/belfryhq/belfry/internal/webhook/sent"
)

// A site is what all endpoints share.
type site struct {
	Config
	metrics   *metrics
	remover   *remover
	memory    atomic.Int64    // bytes in all inboxes
	quit      chan struct{}   // closed when no new attempt is to start
	abandoned context.Context // ends with attempts that take too long at the end
}

// An endpoint is where some events of an app go. Its goroutine runs while it
// has something to deliver.
type endpoint struct {
	// Immutable.
	*site
	to    queue.Address
	wake  wakeup.Signal
	done  chan result // of attempts; has room for all
	inbox *inbox

	health health

	// Owned by the goroutine.
	term     *queue.Term // of what follows
	lineup   lineup
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

// A result is what became of an attempt at a request.
type result struct {
	*request
	outcome
}

func newEndpoint(s *site, to queue.Address, t *queue.Term) *endpoint {
	return &endpoint{
		site:  s,
		to:    to,
		wake:  wakeup.New(),
		done:  make(chan result, s.Concurrency),
		inbox: &inbox{to: to, queue: s.Queue, memory: &s.memory, unreadable: s.Unreadable, log: s.Log, term: t},
	}
}

// run is the endpoint's goroutine. It ends when there is nothing to deliver.
func (e *endpoint) run() {
	timer := time.NewTimer(forever)
	defer timer.Stop()
	for {
		wait, resumed := forever, e.Suspended()
		if resumed == nil {
			e.refill()
			e.admit()
			wait = e.start(time.Now())
			if e.idle() {
				return
			}
		}
		timer.Reset(wait)
		select {
		case r := <-e.done:
			e.settle(r)
			e.settleMore()
		case <-resumed:
		case <-e.wake:
		case <-timer.C:
		case <-e.quit:
			e.finish()
			return
		}
	}
}

// settleMore settles what has come besides.
func (e *endpoint) settleMore() {
	for {
		select {
		case r := <-e.done:
			e.settle(r)
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
	e.inbox.rest(true)
}

// idle reports whether there is nothing to do any more, and the goroutine is
// to end.
func (e *endpoint) idle() bool {
	if e.inflight > 0 || e.retries.Len() > 0 || len(e.lineup.lanes) > 0 {
		return false
	}
	return e.inbox.rest(false)
}

// refill loads records from the queue while there is room.
func (e *endpoint) refill() {
	now := time.Now()
	if !e.engineAt.IsZero() && now.Before(e.engineAt) {
		return
	}
	e.engineAt = time.Time{}
	answered, finished := e.inbox.read()
	if finished {
		e.remover.add(e.inbox)
	}
	if !answered {
		e.engineAt = time.Now().Add(engineAgain)
	}
}

// hungry reports whether there is room again for what is in the queue.
func (e *endpoint) hungry() bool { return e.engineAt.IsZero() && e.inbox.hungry() }

// admit puts the events of new records into the lanes of their channels. When
// a term has begun, those of the last one are gone.
func (e *endpoint) admit() {
	fresh, term := e.inbox.fetch()
	if e.term != term {
		e.term, e.lineup, e.retries = term, lineup{}, retries{}
	}
	for _, s := range fresh {
		for i := range s.events {
			it := item{event: &s.events[i], of: s, index: i}
			e.sweepBy(it)
			e.lineup.enter(it)
		}
	}
}

// app returns the app and the endpoint's settings as they are now, or nil when
// there is no such endpoint.
func (e *endpoint) app() (*apps.App, *apps.Webhook) {
	app := e.Apps.ByID(e.to.App)
	if app == nil || len(app.Keys) == 0 {
		return nil, nil
	}
	w := app.Webhook(e.to.Endpoint)
	if w == nil {
		return nil, nil
	}
	return app, w
}

// start starts all attempts that are due, and returns how long to wait for the
// next ones.
func (e *endpoint) start(now time.Time) time.Duration {
	app, hook := e.app()
	if e.missing && app != nil {
		e.retries.within(now, 0)
	}
	e.missing = app == nil
	switch {
	case app == nil:
		e.sweep(now, queue.Removed)
		if e.hungry() {
			return 0
		}
		return e.sweepWait(now)
	case e.health.open():
		e.sweep(now, queue.Down)
	}
	e.spill(now)
	for e.inflight < e.limit() && e.Suspended() == nil {
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

// limit is how many requests may be under way: one while nobody knows whether
// the endpoint lives.
func (e *endpoint) limit() int {
	if e.health.open() {
		return 1
	}
	return e.Concurrency
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

// formAt returns when the next request of a company is to be formed, or zero if
// nothing can go.
func (e *endpoint) formAt(c company, hook *apps.Webhook) time.Time {
	ls := &e.lineup.ready[c]
	if ls.first == nil {
		return time.Time{}
	}
	at := ls.first.items[0].event.At
	if hook.Batch && c != solitary && ls.events < e.BatchEvents {
		at = at.Add(e.BatchInterval)
	}
	if e.health.open() && e.retries.Len() > 0 && at.Before(e.probeAt) {
		return e.probeAt // until then it is tried by what waits longest
	}
	return at
}

// form makes a request of what can go, if it is time. The companies take turns.
func (e *endpoint) form(now time.Time, hook *apps.Webhook) *request {
	for range companies {
		e.lineup.turn = (e.lineup.turn + 1) % companies
		c := e.lineup.turn
		if at := e.formAt(c, hook); at.IsZero() || now.Before(at) {
			continue
		}
		n := 1
		if hook.Batch && c != solitary {
			n = e.BatchEvents
		}
		r := &request{term: e.term, company: c, formed: now, until: now.Add(e.RetryWindow)}
		r.items, r.lanes = e.lineup.ready[c].take(room{n, e.BatchBytes})
		r.body = body(now, r.items)
		return r
	}
	return nil
}

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

// attempt sends a request and puts the outcome into e.done. It does not wait.
func (e *endpoint) attempt(r *request, app *apps.App, hook *apps.Webhook) {
	r.sign(app)
	header := r.header(hook)
	e.noteSent(r, hook)
	e.metrics.inflight.Inc()
	go func() {
		ctx, cancel := context.WithCancel(r.term.Context())
		defer cancel()
		defer context.AfterFunc(e.abandoned, cancel)()
		o := post(ctx, &e.Policy, hook, r.body, header)
		e.metrics.inflight.Dec()
		e.done <- result{r, o} // has room
	}()
}

// settle takes the result of an attempt.
func (e *endpoint) settle(res result) {
	e.inflight--
	r, o := res.request, res.outcome
	if o.err != nil && (r.term.Over() || e.abandoned.Err() != nil) {
		return // it was ended because the node stops, or was given up
	}
	e.metrics.attempted(o)
	if r.term != e.term {
		return
	}
	r.attempts++
	r.sent.Tried(o.tried())
	e.Attempted(Attempt{
		App: e.to.App, Endpoint: e.to.Endpoint, Host: o.host, Number: r.attempts, Events: len(r.items),
		Channel: r.items[0].event.Channel, Status: o.status, Err: o.err, Took: o.took,
	})
	now := time.Now()
	if o.err == nil {
		e.succeeded(r, o, now)
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
	if wait, ok := r.nextWait(e.RetryFirst, most, o.retryAfter, now); ok {
		r.next = now.Add(wait)
		e.retries.push(r)
		return
	}
	e.giveUp(r, now)
}

// aliveFor is how long an endpoint counts as alive after it took something.
const aliveFor = time.Minute

// succeeded takes note that the endpoint has taken a request.
func (e *endpoint) succeeded(r *request, o outcome, now time.Time) {
	if e.health.succeeded(now, o) {
		e.retries.within(now, 0)
		e.Log.Info("webhook endpoint answers again", "app", e.to.App, "endpoint", e.to.Endpoint, "host", o.host)
	}
	if now.Sub(e.cappedAt) > e.RetryFirst {
		e.cappedAt = now
		e.retries.within(now, e.aliveWait())
	}
	r.sent.Ended(sent.Delivered)
	e.metrics.delivered.Add(float64(len(r.items)))
	e.release(r)
}

// release lets the channels of a request that is over go on, and forgets its
// events.
func (e *endpoint) release(r *request) {
	e.lineup.release(r.lanes)
	e.forget(r.items)
}

// forget takes events off the books that are delivered or given up.
func (e *endpoint) forget(items []item) {
	if e.inbox.settle(items) {
		e.remover.add(e.inbox)
	}
}
