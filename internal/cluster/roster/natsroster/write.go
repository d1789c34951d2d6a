package natsroster

import (
	"context"
	"strconv"
	"time"

	"github.com/belfryhq/belfry/internal/backoff"
)

// write is the goroutine that writes to the log: one batch at a time, the next
// one when the last was read back.
func (r *Roster) write(ctx context.Context) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var trouble trouble
	for {
		now := time.Now()
		r.mu.Lock()
		f := r.participant.compose(now)
		next := r.participant.next(now)
		r.mu.Unlock()
		if f != nil {
			r.send(ctx, f, &trouble)
			continue
		}
		timer.Reset(max(next.Sub(now), time.Millisecond))
		select {
		case <-ctx.Done():
			return
		case <-r.wake:
		case <-timer.C:
		}
	}
}

// send writes a batch until it was read back or given up, or ctx ends.
func (r *Roster) send(ctx context.Context, f *flight, t *trouble) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r.done.Go(func() {
		defer cancel()
		select {
		case <-f.landed:
		case <-ctx.Done():
		}
	})
	data := f.batch.append(nil)
	id := string(f.author) + "." + strconv.FormatUint(f.batch.number, 10)
	err := retry.Retry(ctx, func() (again bool, err error) {
		attempt, done := context.WithTimeout(ctx, publishTimeout)
		defer done()
		seq, err := r.journal.append(attempt, f.author, id, data)
		switch {
		case err == nil:
			r.metrics.append.Observe(time.Since(f.sentAt).Seconds())
			r.stored(f, seq)
			return false, nil
		case ctx.Err() != nil:
			return false, err
		}
		r.metrics.refused.Inc()
		if t.began(time.Now()) {
			r.log.Error("the log of the cluster takes nothing; trying again", "err", err)
		}
		return true, err
	})
	if err != nil {
		return // ctx has ended
	}
	if t.over() {
		r.log.Info("the log of the cluster takes what is written again")
	}
	for backoff.Sleep(ctx, overdue) {
		r.mu.Lock()
		r.reread()
		r.mu.Unlock()
	}
}

// stored takes note of where a batch is in the log. If that was read already,
// the batch was void.
func (r *Roster) stored(f *flight, seq uint64) {
	r.mu.Lock()
	f.stored = seq
	if r.participant.flight == f {
		r.participant.check(time.Now())
	}
	r.mu.Unlock()
	r.tell()
	r.wake.Set()
}
