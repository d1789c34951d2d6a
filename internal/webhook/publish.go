package webhook

import (
	"context"
	"time"

	"github.com/belfryhq/belfry/internal/backoff"
	"github.com/belfryhq/belfry/internal/webhook/queue"
)

const (
	// publishEvery is how often outboxes are published that do not fill a
	// record. Each record costs the engine a write to the disk, and the
	// first event after a pause does not wait. What is in an outbox is lost
	// if the process is killed.
	publishEvery = 20 * time.Millisecond
	// publishAgain is the wait after the queue has refused.
	publishAgain = 200 * time.Millisecond
)

// A flight is a draft on its way into the queue.
type flight struct {
	box   *outbox
	draft *draft
	ack   queue.Ack
	err   error // it did not even start
}

// publish is the goroutine that starts records on their way: many at once,
// but one at a time while the queue refuses them.
func (r *recorder) publish(ctx context.Context) {
	defer close(r.flights)
	for {
		b := r.nextReady(ctx)
		if b == nil {
			return
		}
		for r.trouble.Load() && r.flying.Load() > 0 && ctx.Err() == nil {
			select {
			case <-r.answered:
			case <-ctx.Done():
			}
		}
		if r.trouble.Load() {
			backoff.Sleep(ctx, publishAgain)
		}
		r.awaitLeave(ctx)
		r.mu.Lock()
		d := r.cutLocked(b)
		r.mu.Unlock()
		if d == nil || ctx.Err() != nil {
			continue
		}
		f := flight{box: b, draft: d}
		f.ack, f.err = r.queue.Publish(d.term.Owner, b.to, &d.Record)
		r.flying.Add(1)
		r.flights <- f // collect ends only after this goroutine
	}
}

// awaitLeave waits while nothing is to be published: because others may do
// this node's work, or because it is not known what those have queued whose
// work it does. Its own events wait too, since they would have no order.
func (r *recorder) awaitLeave(ctx context.Context) {
	for {
		wait := r.suspended()
		if wait == nil {
			r.mu.Lock()
			wait = r.resumed
			r.mu.Unlock()
		}
		if wait == nil {
			return
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return
		}
	}
}

// nextReady waits for an outbox with something to publish. It returns nil when
// there will be none any more, or ctx has ended.
func (r *recorder) nextReady(ctx context.Context) *outbox {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		r.mu.Lock()
		now := time.Now()
		due := r.began.Add(r.publishEvery)
		if len(r.going) == 0 && len(r.ready) > 0 && (!now.Before(due) || r.stopping) {
			r.going, r.ready, r.began = r.ready, r.going, now
		}
		if len(r.going) > 0 {
			b := r.going[0]
			r.going[0] = nil
			if r.going = r.going[1:]; len(r.going) == 0 {
				r.going = nil
			}
			r.mu.Unlock()
			return b
		}
		finished := r.stopping && r.pressure.events == 0
		waiting := len(r.ready) > 0
		r.mu.Unlock()
		if finished {
			return nil
		}
		timer.Stop()
		if waiting {
			timer.Reset(due.Sub(now))
		}
		select {
		case <-r.wake:
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	return nil
}

// collect is the goroutine that hears what became of the records, in the
// order in which they started.
func (r *recorder) collect(ctx context.Context) {
	for f := range r.flights {
		var at queue.Number
		err := f.err
		if err == nil {
			at, err = f.ack.Wait(ctx)
		}
		if err != nil {
			r.metrics.refused.Inc()
		}
		switch troubled := r.trouble.Swap(err != nil); {
		case err != nil && !troubled && ctx.Err() == nil:
			r.log.Error("the engine does not take events of webhooks; trying again", "err", err)
		case err == nil && troubled:
			r.log.Info("the engine takes events of webhooks again")
		}
		r.landed(f, at, err)
		r.flying.Add(-1)
		r.answered.Set()
	}
}

// landed makes what became of a record known, and lets the next one of its
// endpoint follow.
func (r *recorder) landed(f flight, at queue.Number, err error) {
	if err == nil && r.accepted(f.draft.term, f.box.to, &f.draft.Record, at) {
		r.metrics.queued.Add(float64(len(f.draft.Events)))
	}
	if r.settle(f, err) {
		r.settled(f.draft.Events)
	}
}
