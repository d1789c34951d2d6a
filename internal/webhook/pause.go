package webhook

import (
	"time"

	"github.com/belfryhq/belfry/internal/webhook/handover"
	"github.com/belfryhq/belfry/internal/webhook/queue"
)

var _ handover.Recorder = (*recorder)(nil)

// Term is the one in which records are published.
func (r *recorder) Term() *queue.Term {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.term
}

// Pause lets nothing be published until Resume was called as often, and returns
// the term.
func (r *recorder) Pause() *queue.Term {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pauses++; r.pauses == 1 {
		r.resumed = make(chan struct{})
	}
	return r.term
}

// Resume lets records go on. If a takeover did not succeed in its term, the
// node ends, and nothing that was decided is told.
func (r *recorder) Resume(t *queue.Term, succeeded bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !succeeded && r.term == t {
		r.withdrawLocked(func(*outbox, *queue.Event) bool { return true })
	}
	if r.pauses--; r.pauses == 0 {
		close(r.resumed)
		r.resumed = nil
	}
}

// Skip publishes none of these events, because queues have them.
func (r *recorder) Skip(t *queue.Term, k handover.Known) bool {
	r.mu.Lock()
	if r.term != t {
		r.mu.Unlock()
		return false
	}
	r.skipped.Merge(k)
	doubled := r.withdrawLocked(func(b *outbox, e *queue.Event) bool { return k.Has(b.to, e.ID) })
	r.skippedAt = time.Now()
	r.mu.Unlock()
	r.settled(doubled)
	return true
}

// ForgetSkipped forgets what Skip was told, if all of that was before a time.
func (r *recorder) ForgetSkipped(before time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.skippedAt.Before(before) {
		r.skipped = handover.Known{}
	}
}

// evicted takes back what was decided, and begins a term here and, at the same
// moment, for the endpoints.
func (r *recorder) evicted(t *queue.Term) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.begin(t)
	r.term, r.skipped = t, handover.Known{}
	r.withdrawAllLocked()
}
