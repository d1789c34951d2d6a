package natsroster

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/belfryhq/belfry/internal/backoff"
)

// read is the goroutine that reads the log as long as the roster lives.
func (r *Roster) read(ctx context.Context) {
	var trouble trouble
	failures := 0 // since something was read
	for ctx.Err() == nil {
		reading, cancel := context.WithCancel(ctx)
		r.mu.Lock()
		r.reread = cancel
		before := r.participant.ledger.seq
		r.mu.Unlock()
		err := r.readOn(reading)
		asked := reading.Err() != nil
		cancel()
		if ctx.Err() != nil {
			return
		}
		r.mu.Lock()
		progress := r.participant.ledger.seq > before
		r.mu.Unlock()
		if progress || asked {
			failures = 0
			trouble.over()
		}
		if errors.Is(err, jetstream.ErrStreamNotFound) {
			r.reopen(ctx)
		}
		if trouble.began(time.Now()) {
			r.log.Warn("the log of the cluster can not be read; trying again", "err", err)
		}
		r.metrics.rereads.Inc()
		failures++
		backoff.Sleep(ctx, retry.Wait(failures))
	}
}

// reopen makes streams again that are gone.
func (r *Roster) reopen(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Lease)
	defer cancel()
	if err := r.journal.open(ctx); err == nil {
		r.log.Error("the log of the cluster was gone, and was made again")
	}
}

// readOn reads on from where reading has ended, or from the latest snapshot if
// the log does not go on from there.
func (r *Roster) readOn(ctx context.Context) error {
	first, last, err := r.journal.bounds(ctx)
	if err != nil {
		return err
	}
	goesOn, err := r.goesOn(ctx, first, last)
	if err != nil {
		return err
	}
	if !goesOn {
		if err := r.load(ctx, first); err != nil {
			return err
		}
	}
	r.mu.Lock()
	from := r.participant.ledger.seq + 1
	r.target = last
	r.participant.caughtUp = r.participant.caughtUp || from > last
	r.mu.Unlock()
	r.tell()
	r.wake.Set()
	return r.journal.follow(ctx, from, r.readRecord)
}

// goesOn reports whether the log is still the one that was read, and has what
// follows.
func (r *Roster) goesOn(ctx context.Context, first, last uint64) (bool, error) {
	r.mu.Lock()
	loaded, seq, mark := r.loaded, r.participant.ledger.seq, r.mark
	r.mu.Unlock()
	if !loaded || first > seq+1 || last < seq {
		return false, nil
	}
	if mark == 0 || first > seq {
		return true, nil
	}
	found, err := r.journal.at(ctx, seq)
	if err != nil {
		return false, err
	}
	return fingerprint(found) == mark, nil
}

// load begins with the latest snapshot, or with nothing.
func (r *Roster) load(ctx context.Context, first uint64) error {
	l, err := restore(ctx, r.journal)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if l == nil && (first > 1 || r.loaded) {
		r.log.Error("the log of the cluster was lost; what holds on the nodes is written again")
	}
	r.loaded, r.mark, r.fresh, r.since = true, 0, 0, first
	r.participant.load(l, first-1, time.Now())
	return nil
}

// readRecord applies one batch.
func (r *Roster) readRecord(rec record) error {
	b, err := parseBatch(rec.data)
	if err != nil || rec.author == "" {
		b = nil
		r.log.Error("a batch of the cluster's log can not be read and is left out", "position", rec.seq, "err", err)
	}
	now := time.Now()
	r.mu.Lock()
	if rec.seq != r.participant.ledger.seq+1 {
		r.mu.Unlock()
		return errGap
	}
	did := r.participant.read(rec.seq, rec.author, b, now)
	r.mark, r.more = fingerprint(rec), rec.more
	r.participant.caughtUp = r.participant.caughtUp || rec.seq >= r.target
	r.fresh += len(rec.data) + recordOverhead
	long := r.fresh > max(r.cfg.archive, 2*r.snapshot)
	r.mu.Unlock()
	r.report(did)
	r.tell()
	r.wake.Set()
	if long {
		r.tidy.Set()
	}
	return nil
}

// changedLocked makes known what others wait for. r.mu is held.
func (r *Roster) changedLocked() {
	if r.participant.joined {
		select {
		case <-r.ready:
		default:
			close(r.ready)
		}
	}
	if r.resumed != nil && r.participant.current(time.Now()) {
		close(r.resumed)
		r.resumed = nil
	}
	r.leftLocked()
}

// report logs what operators may want to know.
func (r *Roster) report(did *effects) {
	for _, id := range did.dropped {
		r.log.Info("what a node held that has ended is taken away", "node", string(id))
	}
	if did.began {
		r.log.Info("the log of the cluster begins")
	}
	if did.forgotten > 0 {
		r.log.Error("so many decisions wait to be told that the oldest would be lost with their node", "decisions", did.forgotten)
	}
}

// keep is the goroutine that cuts the log off behind a snapshot of what was read
// when it has become long. One node does it; the others do if that one does
// not, much later.
func (r *Roster) keep(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.tidy:
		}
		if err := r.archive(ctx); err != nil && ctx.Err() == nil {
			r.log.Warn("the log of the cluster can not be shortened; trying again", "err", err)
			if !backoff.Sleep(ctx, r.cfg.Lease) {
				return
			}
			r.tidy.Set()
		}
	}
}

func (r *Roster) archive(ctx context.Context) error {
	first, _, err := r.journal.bounds(ctx)
	if err != nil {
		return err
	}
	r.mu.Lock()
	p := r.participant
	if first > r.since { // somebody did
		r.fresh, r.since = 0, first
	}
	limit := max(r.cfg.archive, 2*r.snapshot)
	if low := p.ledger.lowest(nil); low == nil || low.id != p.id {
		limit *= 4
	}
	if r.fresh <= limit || p.ledger.log == "" || r.mark == 0 {
		r.mu.Unlock()
		return nil
	}
	s := snapshot{seq: p.ledger.seq, mark: r.mark, data: p.ledger.snapshot(false)}
	id := p.id
	r.mu.Unlock()
	if err := archive(ctx, r.journal, id, s); err != nil {
		return err
	}
	r.mu.Lock()
	r.fresh, r.since, r.snapshot = 0, s.seq, len(s.data)
	r.mu.Unlock()
	r.metrics.snapshots.Inc()
	r.log.Debug("the log of the cluster was shortened", "position", s.seq, "bytes", len(s.data))
	return nil
}

// A trouble is one that lasts, and is told of at its beginning and then once a
// minute.
type trouble struct {
	since, told time.Time
}

// began reports whether it is time to tell: it has lasted for a second.
func (t *trouble) began(now time.Time) bool {
	if t.since.IsZero() {
		t.since = now
	}
	if now.Sub(t.since) < time.Second || !t.told.IsZero() && now.Sub(t.told) < time.Minute {
		return false
	}
	t.told = now
	return true
}

// over ends it, and reports whether it was told of.
func (t *trouble) over() bool {
	told := !t.told.IsZero()
	*t = trouble{}
	return told
}
