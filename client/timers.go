package client

import (
	"container/heap"
	"time"
)

// A timer is something to be done later by the goroutine of a session.
type timer struct {
	at    time.Time
	do    func() // with Client.mu held
	index int    // in the heap; -1 when it is not there
}

// timers is a heap of timers, the earliest first. Client.mu guards it.
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

// afterLocked has the session's goroutine do something after d, if it is not
// over by then.
func (s *session) afterLocked(d time.Duration, do func()) *timer {
	t := &timer{at: time.Now().Add(d), do: do, index: -1}
	if s.over {
		return t
	}
	heap.Push(&s.timers, t)
	if t.index == 0 {
		s.wakeLocked()
	}
	return t
}

// cancelLocked takes a timer back. It may be nil, or have fired.
func (s *session) cancelLocked(t *timer) {
	if t != nil && t.index >= 0 {
		heap.Remove(&s.timers, t.index)
	}
}

// stopTimersLocked takes all timers back.
func (s *session) stopTimersLocked() {
	for _, t := range s.timers {
		t.index = -1
	}
	s.timers = nil
}

// fireLocked does what is due and returns how long it is until the next timer.
func (s *session) fireLocked() time.Duration {
	for len(s.timers) > 0 && !s.over {
		wait := time.Until(s.timers[0].at)
		if wait > 0 {
			return wait
		}
		heap.Pop(&s.timers).(*timer).do()
	}
	return time.Hour // as good as any: there is nothing to wait for
}
