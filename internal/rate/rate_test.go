package rate

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"pgregory.net/rapid"
)

var start = time.Unix(1e9, 0)

func TestTakeAtOnceAndThenAsItComes(t *testing.T) {
	var l Limiter
	limit := PerSecond(4)
	take := func(at time.Duration, n int, wantWait time.Duration) {
		t.Helper()
		wait, ok := l.Take(start.Add(at), n, limit)
		if ok != (wantWait == 0) || wait != wantWait {
			t.Errorf("Take(%d) after %v = %v, %t, want %v", n, at, wait, ok, wantWait)
		}
	}
	for range 4 {
		take(0, 1, 0)
	}
	take(0, 1, 250*time.Millisecond)
	take(100*time.Millisecond, 1, 150*time.Millisecond)
	take(250*time.Millisecond, 1, 0)
	take(250*time.Millisecond, 1, 250*time.Millisecond)
	take(time.Minute, 10, 0) // owes six
	take(time.Minute, 1, 1750*time.Millisecond)
	take(time.Minute+1749*time.Millisecond, 1, time.Millisecond)
	take(time.Minute+1750*time.Millisecond, 1, 0)
	take(time.Minute, 1, 2*time.Second) // a clock that goes back
	if l.Full(start.Add(time.Minute)) || !l.Full(start.Add(2*time.Minute)) {
		t.Error("the bucket is not full when it should be")
	}
}

// setBack is t as [time.Now] returns it when somebody has set the clock of the
// machine back meanwhile: the wall clock reads less, the monotonic one does not.
func setBack(t time.Time, seconds uint64) time.Time {
	wall := (*uint64)(unsafe.Pointer(&t)) // the first word has the seconds from its 30th bit on
	*wall -= seconds << 30
	return t
}

// Nobody is refused for an hour because the clock was set back by one.
func TestClockThatIsSetBackRefusesNobody(t *testing.T) {
	var l Limiter
	now := time.Now()
	for range 4 {
		l.Take(now, 1, PerSecond(4))
	}
	later := setBack(now.Add(time.Second), 3600)
	if got := now.Round(0).Sub(later.Round(0)); got != time.Hour-time.Second {
		t.Fatalf("the clock was set back by %v, want an hour", got)
	}
	if wait, ok := l.Take(later, 1, PerSecond(4)); !ok {
		t.Errorf("a second later the bucket is empty for %v", wait)
	}
	if !l.Full(setBack(now.Add(time.Minute), 3600)) {
		t.Error("a minute later the bucket is not full")
	}
}

// Whatever is asked when, no more comes through than the limit.
func TestNeverMoreThanTheLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var l Limiter
		perSecond := rapid.IntRange(1, 50).Draw(t, "per second")
		at, taken := time.Duration(0), 0
		for range rapid.IntRange(1, 200).Draw(t, "calls") {
			at += time.Duration(rapid.IntRange(0, 300).Draw(t, "pause")) * time.Millisecond
			if _, ok := l.Take(start.Add(at), 1, PerSecond(perSecond)); ok {
				taken++
			}
			if allowed := float64(perSecond) * (at.Seconds() + 1); float64(taken) > allowed+1e-3 {
				t.Fatalf("%d were taken after %v, at most %.1f are allowed", taken, at, allowed)
			}
		}
	})
}

func TestRefillsWhileItIsAskedOften(t *testing.T) {
	var l Limiter
	taken := 0
	for i := range 100_000 { // every 100 µs for 10 s
		if _, ok := l.Take(start.Add(time.Duration(i)*100*time.Microsecond), 1, PerSecond(10)); ok {
			taken++
		}
	}
	if taken != 109 && taken != 110 {
		t.Errorf("%d were taken in 10 s at 10 a second, want 10 at first and 100 more", taken)
	}
}

func TestTakeFromManyGoroutines(t *testing.T) {
	var l Limiter
	var taken atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				if _, ok := l.Take(start, 1, PerMinute(250)); ok {
					taken.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if got := taken.Load(); got != 250 {
		t.Errorf("%d were taken, want 250", got)
	}
}

func TestOwed(t *testing.T) {
	var l Limiter
	limit := PerSecond(10)
	l.Owe(start, 15, limit)
	if wait, ok := l.Take(start, 1, limit); ok || wait != 600*time.Millisecond {
		t.Errorf("Take with 5 owed = %v, %t, want a wait of 600ms", wait, ok)
	}
	l.Owe(start, 1<<40, limit)
	if wait, ok := l.Take(start, 1, limit); ok || wait > 10*time.Second {
		t.Errorf("Take with much owed = %v, %t, want a wait of at most 10s", wait, ok)
	}
}
