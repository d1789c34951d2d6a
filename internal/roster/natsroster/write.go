package natsroster

import (
	"context"
	"strconv"
	"time"
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
		f := r.part.compose(now)
		next := r.part.next(now)
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
	wait := retryFirst
	for {
		attempt, done := context.WithTimeout(ctx, publishTimeout)
		seq, err := r.journal.append(attempt, f.author, id, data)
		done()
		if err == nil {
			r.metrics.append.Observe(time.Since(f.sentAt).Seconds())
			r.stored(f, seq)
			break
		}
		if ctx.Err() != nil {
			return
		}
		r.metrics.refused.Inc()
		if t.began(time.Now()) {
			r.log.Error("the log of the cluster takes nothing; trying again", "err", err)
		}
		if !pause(ctx, wait) {
			return
		}
		wait = min(2*wait, retryMost)
	}
	if t.over() {
		r.log.Info("the log of the cluster takes what is written again")
	}
	for pause(ctx, overdue) {
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
	if r.part.flight == f {
		r.part.check(time.Now())
	}
	r.mu.Unlock()
	r.tell()
	signal(r.wake)
}
