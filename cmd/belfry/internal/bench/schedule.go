package bench

import (
	"context"
	"math"
	"sync/atomic"
	"time"
)

// A schedule says when the things that make up a load are to happen. Several
// goroutines take turns from it.
//
// With a rate the load is open: the times of all turns are settled before
// the first, and do not depend on how fast the service answers. A turn that
// nobody could take in time keeps the time at which it should have happened.
// So a service that stalls is charged with everything that it made wait.
//
// Without a rate the load is closed: the next turn is due when somebody is free
// to take it.
type schedule struct {
	clock clock
	start int64
	end   int64
	rate  float64 // turns a second; 0: a closed load
	taken atomic.Int64
}

// A turn is one entry of a schedule.
type turn struct {
	number   int64 // from 0
	intended int64
}

// next takes the next turn and waits until it is due. It is not ok once the
// schedule is over or ctx has ended.
func (s *schedule) next(ctx context.Context) (_ turn, ok bool) {
	if s.rate == 0 {
		if !s.clock.sleep(ctx, s.start) {
			return turn{}, false
		}
		now := s.clock.now()
		if now >= s.end {
			return turn{}, false
		}
		return turn{s.taken.Add(1) - 1, now}, true
	}
	t := turn{number: s.taken.Add(1) - 1}
	t.intended = s.at(t.number)
	if t.intended >= s.end || !s.clock.sleep(ctx, t.intended) {
		return turn{}, false
	}
	return t, true
}

// at is when a turn is to happen.
func (s *schedule) at(number int64) int64 {
	return s.start + int64(math.Round(float64(number)*float64(time.Second)/s.rate))
}

// due is how many turns a schedule with a rate has before a time. A closed
// load has no turns that nobody has taken.
func (s *schedule) due(before int64) int64 {
	if s.rate == 0 || before <= s.start {
		return 0
	}
	before = min(before, s.end)
	n := int64(float64(before-s.start) * s.rate / float64(time.Second))
	for n > 0 && s.at(n-1) >= before {
		n--
	}
	for s.at(n) < before {
		n++
	}
	return n
}
