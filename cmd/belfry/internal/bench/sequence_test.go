package bench

import (
	"testing"

	"pgregory.net/rapid"
)

// Whatever arrives in whatever order, a sequence says of each number what a
// set of all numbers so far says.
func TestSequenceIsASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s sequence
		seen, high := map[uint64]bool{}, uint64(0)
		for _, n := range rapid.SliceOfN(rapid.Uint64Range(1, 40), 0, 200).Draw(t, "arrivals") {
			want := inOrder
			switch {
			case seen[n]:
				want = repeated
			case n < high:
				want = late
			}
			seen[n], high = true, max(high, n)
			if got := s.add(n); got != want {
				t.Fatalf("add(%d) = %d, want %d", n, got, want)
			}
			if got := s.count(); got != uint64(len(seen)) {
				t.Fatalf("count() = %d after %d, want %d", got, n, len(seen))
			}
		}
		for n := range uint64(42) {
			if got, want := s.has(n), n == 0 || seen[n]; got != want {
				t.Fatalf("has(%d) = %t, want %t", n, got, want)
			}
		}
		if gaps := len(s.ahead); gaps > 0 && s.ahead[0].first <= s.reached+1 {
			t.Fatalf("spans %v are not merged with all up to %d", s.ahead, s.reached)
		}
	})
}

func TestSequenceInOrderKeepsNothing(t *testing.T) {
	var s sequence
	if allocs := testing.AllocsPerRun(1000, func() { s.add(s.reached + 1) }); allocs != 0 {
		t.Errorf("a number in order takes %v allocations, want 0", allocs)
	}
	if s.ahead != nil {
		t.Errorf("ahead = %v, want none", s.ahead)
	}
}

// What was refused is neither expected nor lost; if it arrives all the same,
// that is told.
func TestTallySettles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := newTally(&plan{streams: 2, names: []string{"a", "b"}})
		var s sequence
		var want balance
		for range rapid.IntRange(0, 50).Draw(t, "sent") {
			n := l.next(1, 1)
			refused, arrives := rapid.Bool().Draw(t, "refused"), rapid.Bool().Draw(t, "arrives")
			if refused {
				l.refuse(1, 1, n)
			}
			if arrives {
				s.add(n)
			}
			switch {
			case refused && arrives:
				want.unconfirmed++
			case !refused && arrives:
				want.expected++
			case !refused:
				want.expected++
				want.lost++
			}
		}
		if got := l.settle(1, 1, &s); got != want {
			t.Fatalf("settle = %+v, want %+v", got, want)
		}
		if got := l.settle(0, 1, &sequence{}); got != (balance{}) {
			t.Fatalf("a stream that was not used settles as %+v", got)
		}
	})
}
