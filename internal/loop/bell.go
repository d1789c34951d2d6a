package loop

import (
	"runtime"
	"time"

	"github.com/belfryhq/belfry/internal/wakeup"
)

// A bell is the waiter of a loop that polls nothing.
type bell struct {
	ring  wakeup.Signal
	timer *time.Timer
}

func newBell() *bell {
	b := &bell{ring: wakeup.New(), timer: time.NewTimer(time.Hour)}
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

func (b *bell) wake() { b.ring.Set() }

func (b *bell) close() {}
