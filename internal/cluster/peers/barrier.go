package peers

import (
	"context"
	"sync/atomic"
)

// A barrier numbers the moments at which peers were told of something that is
// held here, and knows up to which of them they have heard it.
type barrier struct{ marks, heard atomic.Uint64 }

// Mark returns the number of this moment. The peers have been told.
func (o *Others) Mark() uint64 { return o.barrier.marks.Add(1) }

// Know reports whether all peers have heard what they were told at a moment, or
// there are none.
func (o *Others) Know(mark uint64) bool { return mark <= o.barrier.heard.Load() || o.Alone() }

// Sync calls done when all peers have heard what they were told up to now, or
// can not be waited for.
func (o *Others) Sync(done func()) {
	upTo := o.barrier.marks.Load()
	var left atomic.Int64
	left.Store(1)
	confirmed := func() {
		if left.Add(-1) > 0 {
			return
		}
		raise(&o.barrier.heard, upTo)
		done()
	}
	for l := range o.All() {
		left.Add(1)
		l.Sync(confirmed)
	}
	confirmed()
}

// Await returns when all peers have heard what they were told up to now, or can
// not be waited for, or ctx ends.
func (o *Others) Await(ctx context.Context) {
	if o.Alone() {
		return
	}
	heard := make(chan struct{})
	o.Sync(func() { close(heard) })
	select {
	case <-heard:
	case <-ctx.Done():
	}
}

// raise makes a number at least n.
func raise(a *atomic.Uint64, n uint64) {
	for was := a.Load(); n > was; was = a.Load() {
		if a.CompareAndSwap(was, n) {
			return
		}
	}
}
