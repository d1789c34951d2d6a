package client

import (
	"container/heap"
	"context"
	"slices"
	"sync"
	"time"
)

// An agenda is what the goroutine of a session has to do: mail as it comes, and
// timers when they are due. Anybody may add to it.
type agenda struct {
	wake chan struct{} // tells the goroutine to look again

	mu sync.Mutex
	// Guarded by mu.
	mail   []mail
	timers timers
	closed bool
}

// A mail is something for the session's goroutine to do.
type mail struct {
	kind   mailKind
	from   any     // the attempt or connection that it is about
	opened *opened // of mailOpened, unless it has err
	err    error
}

// discard gives up a link that came too late.
func (m mail) discard() {
	if m.opened != nil {
		m.opened.link.abort()
	}
}

type mailKind uint8

const (
	_           mailKind = iota
	mailOpened           // a transport is open, or could not be opened
	mailLost             // the connection has ended; comes before all other mail
	mailRestart          // connect anew, elsewhere or as nobody
	mailOnline           // a retry that waits begins now
	mailRetry            // the wait for a retry is over
)

func newAgenda() *agenda { return &agenda{wake: make(chan struct{}, 1)} }

// post adds mail. It is not ok once the agenda is closed.
func (a *agenda) post(m mail) (ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.closed:
		return false
	case m.kind == mailLost:
		a.mail = slices.Insert(a.mail, 0, m)
	default:
		a.mail = append(a.mail, m)
	}
	a.wakeLocked()
	return true
}

// wakeLocked has the goroutine look again. It needs no lock, but what is to be
// seen does.
func (a *agenda) wakeLocked() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// after has the goroutine do something after d, unless the agenda is closed by
// then. Who cancels the timer may be late: do looks whether it is still wanted.
func (a *agenda) after(d time.Duration, do func()) *timer {
	t := &timer{at: time.Now().Add(d), do: do, index: -1}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return t
	}
	heap.Push(&a.timers, t)
	if t.index == 0 {
		a.wakeLocked()
	}
	return t
}

// cancel takes a timer back. It may be nil, or have fired.
func (a *agenda) cancel(t *timer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if t != nil && t.index >= 0 {
		heap.Remove(&a.timers, t.index)
	}
}

// close takes everything back, and returns the mail that nobody will read.
func (a *agenda) close() []mail {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, t := range a.timers {
		t.index = -1
	}
	unread := a.mail
	a.mail, a.timers, a.closed = nil, nil, true
	a.wakeLocked()
	return unread
}

// next does what is due and returns the next mail, once there is some. It is
// not ok when the agenda was closed or ctx ends.
func (a *agenda) next(ctx context.Context) (m mail, ok bool) {
	alarm := time.NewTimer(time.Hour)
	defer alarm.Stop()
	for {
		m, due, wait := a.look()
		switch {
		case due != nil:
			due.do()
			continue
		case m.kind != 0:
			return m, true
		case wait < 0:
			return mail{}, false
		}
		alarm.Reset(wait)
		select {
		case <-a.wake:
		case <-alarm.C:
		case <-ctx.Done():
			return mail{}, false
		}
	}
}

// look takes the timer that is due, or else the next mail, or says how long to
// wait for the next timer. The wait is negative once the agenda is closed.
func (a *agenda) look() (m mail, due *timer, wait time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return mail{}, nil, -1
	}
	wait = time.Hour // as good as any: mail wakes
	if len(a.timers) > 0 {
		if wait = time.Until(a.timers[0].at); wait <= 0 {
			return mail{}, heap.Pop(&a.timers).(*timer), 0
		}
	}
	if len(a.mail) > 0 {
		m, a.mail = a.mail[0], a.mail[1:]
	}
	return m, nil, wait
}

// A timer is something to be done later.
type timer struct {
	at    time.Time
	do    func() // called without any lock
	index int    // in the heap; -1 when it is not there
}

// timers is a heap of timers, the earliest first.
type timers []*timer

func (t timers) Len() int           { return len(t) }
func (t timers) Less(i, j int) bool { return t[i].at.Before(t[j].at) }
func (t timers) Swap(i, j int) {
	t[i], t[j] = t[j], t[i]
	t[i].index, t[j].index = i, j
}

// Push is part of heap.Interface.
func (t *timers) Push(x any) {
	x.(*timer).index = len(*t)
	*t = append(*t, x.(*timer))
}

// Pop is part of heap.Interface.
func (t *timers) Pop() any {
	old := *t
	last := old[len(old)-1]
	old[len(old)-1] = nil
	*t = old[:len(old)-1]
	last.index = -1
	return last
}
