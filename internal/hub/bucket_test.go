package hub

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Over any stretch of time a bucket gives what it may hold and what the time
// brings, not more.
func TestBucketKeepsTheRate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		perSecond := rapid.IntRange(1, 200).Draw(t, "per second")
		var b bucket
		b.fill(perSecond)
		now := time.Unix(1e9, 0)
		given := []time.Time{}
		for range rapid.IntRange(1, 150).Draw(t, "takes") {
			now = now.Add(time.Duration(rapid.IntRange(0, 50).Draw(t, "wait")) * time.Millisecond)
			if b.take(now, perSecond) {
				given = append(given, now)
			}
		}
		for i := range given {
			for j := i; j < len(given); j++ {
				span := given[j].Sub(given[i])
				most := float64(perSecond) + span.Seconds()*float64(perSecond)
				if float64(j-i+1) > most+0.01 {
					t.Fatalf("%d tokens in %v at %d per second, want at most %.1f", j-i+1, span, perSecond, most)
				}
			}
		}
	})
}

func TestBucketRefillsWhileItIsAskedOften(t *testing.T) {
	var b bucket
	b.fill(10)
	now := time.Unix(1e9, 0)
	given := 0
	for range 10_000_000 / 10 { // every 10 µs for 10 s
		if b.take(now, 10) {
			given++
		}
		now = now.Add(10 * time.Microsecond)
	}
	if given < 109 || given > 110 {
		t.Errorf("%d tokens in 10 s at 10 per second, want 10 at first and 100 more", given)
	}
}

func TestBucketWhenTimeGoesBack(t *testing.T) {
	var b bucket
	b.fill(1)
	now := time.Unix(1e9, 0)
	if !b.take(now, 1) || b.take(now.Add(-time.Hour), 1) || b.take(now.Add(-time.Hour+time.Second/2), 1) {
		t.Error("a bucket gave more than one token though less than a second passed")
	}
	if !b.take(now.Add(-time.Hour+time.Second), 1) {
		t.Error("a bucket gave nothing though a second passed by the new time")
	}
}
