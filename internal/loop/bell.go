package loop

import (
	"runtime"
	"time"
)

// A bell is the waiter of a loop that polls nothing.
type bell struct {
	ring  chan struct{}
	timer *time.Timer
}

func newBell() *bell {
	b := &bell{ring: make(chan struct{}, 1), timer: time.NewTimer(time.Hour)}
	b.timer.Stop()
	return b
}

func (b *bell) wait(until time.Time) {
	if until.IsZero() {
		<-b.ring
		return
	}
	d := time.Until(until)
	if d <= 0 {
		runtime.Gosched() // others have waited for the length of a turn
		return            // the ring, if there is one, is for a wait that sleeps
	}
	b.timer.Reset(d)
	select {
	case <-b.ring:
		b.timer.Stop()
	case <-b.timer.C:
	}
}

func (b *bell) receive() {}

func (b *bell) wake() {
	select {
	case b.ring <- struct{}{}:
	default:
	}
}

func (b *bell) close() {}
