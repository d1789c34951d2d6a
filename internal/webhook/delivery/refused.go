package delivery

import (
	"time"

	"github.com/belfryhq/belfry/internal/webhook/sent"
)

// refusedFor is how often a request is refused before that is taken for what is
// in it, and not for a bad moment of the endpoint.
const refusedFor = 3

// dissolve puts the events of a request back to the front of their lanes,
// from where each goes alone. So what the endpoint does not like holds up
// its own channel, and not all that happened to come at the same time.
func (e *endpoint) dissolve(r *request) {
	for i := range r.items {
		r.items[i].single = true
		e.sweepBy(r.items[i])
	}
	r.sent.Ended(sent.Split)
	e.lineup.restore(r.items, r.lanes)
}

// failed notes what a failed attempt says of the endpoint. That it refuses an
// event that goes alone says nothing of what it does with others.
func (e *endpoint) failed(r *request, o outcome, now time.Time) {
	refusal := o.refusal()
	if refusal {
		r.refusals++
	}
	counts := !refusal || r.company != solitary
	opened := e.health.failed(now, o, counts)
	e.report(r, o, counts, opened)
	r.failure = o
	if e.health.open() && r.attempts == 1 {
		e.probeAt = now.Add(e.probeWait(refusal))
	}
}

// probeWait is how long the next new request waits while the endpoint is down.
// One that answers is asked soon whether it likes another one better.
func (e *endpoint) probeWait(answers bool) time.Duration {
	if answers {
		return e.RetryFirst / 10
	}
	return e.aliveWait()
}

// report logs a failed attempt. Only what an operator may act on is a
// warning: the first failure, and that no more is sent for now.
func (e *endpoint) report(r *request, o outcome, counts, opened bool) {
	log := e.Log.With("app", e.to.App, "endpoint", e.to.Endpoint, "host", o.host,
		"status", o.status, "attempt", r.attempts, "err", o.err)
	switch {
	case !counts && !e.hinted:
		e.hinted = true
		log.Warn("an event of a webhook was refused that goes alone; it holds up its own channel only. " +
			"Receivers of the official libraries for Go and PHP refuse what they can not decrypt: channel_prefixes_except leaves it out")
	case !counts:
		log.Debug("webhook was not delivered")
	case opened:
		log.Warn("webhook endpoint does not answer; it is tried with one request at a time")
	case e.health.failures == 1:
		log.Warn("webhook was not delivered and will be tried again")
	default:
		log.Debug("webhook was not delivered")
	}
}
