package queue

import (
	"context"
	"time"
)

// A Term is the time from a start, or from when the others have given the node
// up, until they do so again or the process ends.
type Term struct {
	Owner Owner     // of the queue that is published to
	Began time.Time // nothing in that queue counts as older

	ctx context.Context // the term as a lifetime: what is done in it ends with it
	end context.CancelFunc
}

// NewTerm begins a term. Somebody has to end it.
func NewTerm(by Owner) *Term {
	t := &Term{Owner: by, Began: time.Now()}
	t.ctx, t.end = context.WithCancel(context.Background())
	return t
}

// Context ends with the term.
func (t *Term) Context() context.Context { return t.ctx }

// Over reports whether the term has ended.
func (t *Term) Over() bool { return t.ctx.Err() != nil }

// End ends the term.
func (t *Term) End() { t.end() }
