package bench

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// take takes turns until there are none, and works each for as long as work
// says. It returns how late each was finished.
func take(ctx context.Context, s *schedule, work func(turn) time.Duration) []time.Duration {
	var lateness []time.Duration
	for {
		t, ok := s.next(ctx)
		if !ok {
			return lateness
		}
		time.Sleep(work(t)) // all callers are in bubbles
		lateness = append(lateness, time.Duration(s.clock.now()-t.intended))
	}
}

// A service that stalls for a second is charged with that second by every
// event that the schedule had meanwhile, and not by the one that waited alone.
func TestStallIsChargedToAllItMadeWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &schedule{clock: newClock(), end: int64(3 * time.Second), rate: 100}
		lateness := take(t.Context(), s, func(turn turn) time.Duration {
			if turn.number == 50 {
				return time.Second
			}
			return time.Microsecond
		})
		if len(lateness) != 300 {
			t.Fatalf("%d turns in 3 s at 100 a second, want 300", len(lateness))
		}
		charged := 0
		for _, l := range lateness {
			if l > 500*time.Millisecond {
				charged++
			}
		}
		// Of the 100 turns of the stalled second, those of its first half waited
		// for more than half a second.
		if charged != 51 {
			t.Errorf("%d events were more than 500 ms late, want 51", charged)
		}
		if first, last := lateness[0], lateness[299]; first != time.Microsecond || last != time.Microsecond {
			t.Errorf("the first and the last were late by %s and %s, want 1µs", first, last)
		}
	})
}

func TestTurnsKeepTheirTimesWhoeverTakesThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &schedule{clock: newClock(), start: int64(time.Second), end: int64(2 * time.Second), rate: 3000}
		var mu sync.Mutex
		times := map[int64]int64{}
		var takers sync.WaitGroup
		for range 7 {
			takers.Go(func() {
				take(t.Context(), s, func(turn turn) time.Duration {
					mu.Lock()
					times[turn.number] = turn.intended
					mu.Unlock()
					return 5 * time.Millisecond // so 7 takers are half as fast as the schedule
				})
			})
		}
		takers.Wait()
		if len(times) != 3000 {
			t.Errorf("%d turns were taken, want all 3000, though late", len(times))
		}
		for n, at := range times {
			if want := int64(time.Second) + n*int64(time.Second)/3000; at < want || at > want+1 {
				t.Fatalf("turn %d was meant for %d, want %d", n, at, want)
			}
		}
		if passed := s.clock.now(); passed < int64(3*time.Second) {
			t.Errorf("the takers were done after %s, want more than 3 s", time.Duration(passed))
		}
	})
}

func TestDueCountsTheTurnsBefore(t *testing.T) {
	for name, test := range map[string]struct {
		rate   float64
		before time.Duration
		want   int64
	}{
		"before the start":     {10, 0, 0},
		"at the start":         {10, time.Second, 0},
		"just after the start": {10, time.Second + 1, 1},
		"between":              {10, 1250 * time.Millisecond, 3},
		"at a turn":            {10, 1300 * time.Millisecond, 3},
		"at the end":           {10, 3 * time.Second, 20},
		"after the end":        {10, time.Hour, 20},
		"thirds":               {3, 2 * time.Second, 3},
		"slow":                 {0.1, time.Hour, 1},
		"closed":               {0, time.Hour, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := &schedule{start: int64(time.Second), end: int64(3 * time.Second), rate: test.rate}
			if got := s.due(int64(test.before)); got != test.want {
				t.Errorf("due(%s) = %d, want %d", test.before, got, test.want)
			}
		})
	}
}

func TestClosedLoadTakesTheNextTurnWhenItCan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &schedule{clock: newClock(), start: int64(time.Second), end: int64(2 * time.Second)}
		lateness := take(t.Context(), s, func(turn) time.Duration { return 100 * time.Millisecond })
		if len(lateness) != 10 {
			t.Errorf("%d turns of 100 ms in a second, want 10", len(lateness))
		}
	})
}

func TestScheduleEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, rate := range []float64{0, 1} {
			ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
			defer cancel()
			c := newClock()
			s := &schedule{clock: c, end: int64(time.Hour), rate: rate}
			take(ctx, s, func(turn) time.Duration { return 10 * time.Millisecond })
			if passed := time.Duration(c.now()); passed > 1510*time.Millisecond {
				t.Errorf("at a rate of %v the schedule ended after %s, want with its context", rate, passed)
			}
		}
	})
}

func TestGateHoldsPublishersUntilDeliveriesArrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(10)
		g.expected.Add(15)
		passed := make(chan bool, 3)
		for range 3 {
			go func() { passed <- g.wait(t.Context()) }()
		}
		synctest.Wait()
		g.arrive(4)
		synctest.Wait()
		if len(passed) != 0 {
			t.Fatalf("%d publishers passed while 11 deliveries were on their way and 10 may be", len(passed))
		}
		g.arrive(1)
		synctest.Wait()
		if len(passed) != 3 {
			t.Fatalf("%d publishers passed, want all 3", len(passed))
		}
	})
}

// Lost deliveries never arrive, and must not hold the load for good.
func TestGateForgivesWhatDoesNotArrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(10)
		g.expected.Add(100)
		start := time.Now()
		if !g.wait(t.Context()) {
			t.Fatal("wait ended as if its context had")
		}
		if got := time.Since(start); got != patience {
			t.Errorf("the gate opened after %s, want %s", got, patience)
		}
		if g.pending() != 0 || g.outstanding() != 100 {
			t.Errorf("pending = %d, outstanding = %d, want 0 and 100", g.pending(), g.outstanding())
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		g.expected.Add(100)
		if g.wait(ctx) {
			t.Error("wait passed though its context has ended")
		}
	})
}
