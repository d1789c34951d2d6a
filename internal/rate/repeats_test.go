package rate

import (
	"fmt"
	"testing"
	"time"
)

func TestRepeatsAreToldNowAndThen(t *testing.T) {
	var r Repeats
	now := time.Unix(1e9, 0)
	told := func(kind string) (n int) {
		for range 1000 {
			if _, ok := r.Tell(now, kind); ok {
				n++
			}
		}
		return n
	}
	if n := told("a"); n != 10 {
		t.Errorf("%d of 1000 were told, want 10", n)
	}
	if n := told("b"); n != 10 {
		t.Errorf("%d of 1000 of another kind were told, want 10", n)
	}
	now = now.Add(6 * time.Second)
	if left, ok := r.Tell(now, "a"); !ok || left != 990 {
		t.Errorf("six seconds later: told %t with %d left out, want 990", ok, left)
	}
	now = now.Add(time.Minute)
	if left, ok := r.Tell(now, "a"); !ok || left != 0 {
		t.Errorf("a minute later: told %t with %d left out, want none", ok, left)
	}
}

func TestKindsAreBounded(t *testing.T) {
	var r Repeats
	now, told := time.Unix(1e9, 0), 0
	for i := range 100_000 {
		if _, ok := r.Tell(now, fmt.Sprint(i)); ok {
			told++
		}
	}
	if len(r.kinds) > maxKinds+1 || told > maxKinds+10 {
		t.Errorf("%d kinds are kept and %d were told", len(r.kinds), told)
	}
	now = now.Add(2 * time.Minute)
	if _, ok := r.Tell(now, "new"); !ok {
		t.Error("a new kind is not told two minutes later")
	}
}
