package bench

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

var latencies = rapid.OneOf(rapid.Int64Range(0, 1000), rapid.Int64Range(0, math.MaxInt64))

func TestBucketsAreNarrowAndComplete(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := latencies.Draw(t, "value")
		i := bucket(v)
		if i < 0 || i >= bucketCount {
			t.Fatalf("bucket(%d) = %d of %d", v, i, bucketCount)
		}
		end := bucketEnd(i)
		if end < v || float64(end-v) > float64(v)/128 {
			t.Fatalf("bucket(%d) ends at %d, more than 1/128 away", v, end)
		}
		if end < math.MaxInt64 && bucket(end+1) != i+1 {
			t.Fatalf("bucket(%d) = %d, want the next after %d", end+1, bucket(end+1), i)
		}
	})
}

func TestQuantileIsThatOfTheSortedValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(latencies, 1, 300).Draw(t, "values")
		var all, part histogram
		for i, v := range values {
			if i%3 == 0 {
				part.record(v)
			} else {
				all.record(v)
			}
		}
		all.add(&part)
		slices.Sort(values)
		q := rapid.Float64Range(0, 1).Draw(t, "q")
		rank := max(int(math.Ceil(q*float64(len(values)))), 1)
		want := values[rank-1]
		got := all.quantile(q)
		if got < want || float64(got-want) > float64(want)/128 {
			t.Fatalf("quantile(%v) of %v = %d, want %d or a little more", q, values, got, want)
		}
		if last := values[len(values)-1]; all.quantile(1) != last {
			t.Fatalf("quantile(1) = %d, want exactly the highest, %d", all.quantile(1), last)
		}
	})
}

func TestEmptyHistogram(t *testing.T) {
	var h histogram
	if h.quantile(.99) != 0 || h.mean() != 0 {
		t.Errorf("p99 and mean of nothing = %d and %v, want 0", h.quantile(.99), h.mean())
	}
}
