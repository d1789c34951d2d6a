package fallback

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"pgregory.net/rapid"
)

// taken is what is ready, as one text.
func (o *order) taken() string {
	var list []string
	for m := range o.take() {
		list = append(list, string(m))
	}
	return strings.Join(list, " ")
}

func one(text string) [][]byte { return [][]byte{[]byte(text)} }

func TestOrder(t *testing.T) {
	at := time.Unix(1, 0)
	type step struct {
		number uint64 // 0 and no text: time passes
		text   string
		after  time.Duration
		want   string
	}
	tests := map[string][]step{
		"in order":          {{5, "", 0, ""}, {6, "a", 0, "a"}, {7, "b", 0, "b"}},
		"without numbers":   {{0, "a", 0, "a"}, {0, "b", 0, "b"}},
		"overtaken":         {{5, "", 0, ""}, {8, "c", 0, ""}, {7, "b", 0, ""}, {6, "a", 0, "a b c"}},
		"a gap":             {{5, "", 0, ""}, {7, "b", 0, ""}, {0, "", 99 * time.Millisecond, ""}, {0, "", time.Millisecond, "b"}, {8, "c", 0, "c"}},
		"too late":          {{5, "", 0, ""}, {7, "b", 0, ""}, {0, "", 100 * time.Millisecond, "b"}, {6, "a", 0, "a"}, {8, "c", 0, "c"}},
		"a receive request": {{5, "", 0, ""}, {7, "b", 0, ""}, {6, "", 0, "b"}},
		"twice":             {{5, "", 0, ""}, {7, "b", 0, ""}, {7, "b", 0, ""}, {6, "a", 0, "a b"}},
		"others wait on": {{5, "", 0, ""}, {7, "b", 0, ""}, {9, "d", 50 * time.Millisecond, ""}, {0, "", 50 * time.Millisecond, "b"},
			{8, "c", 0, "c d"}},
		"while more come late": {{5, "", 0, ""}, {9, "d", 0, ""}, {7, "b", 90 * time.Millisecond, ""}, {0, "", 90 * time.Millisecond, ""}, {0, "", 10 * time.Millisecond, "b d"}},
	}
	for name, steps := range tests {
		t.Run(name, func(t *testing.T) {
			var o order
			now := at
			for i, s := range steps {
				now = now.Add(s.after)
				o.expire(now)
				if s.number != 0 || s.text != "" {
					var messages [][]byte
					if s.text != "" {
						messages = one(s.text)
					}
					o.add(s.number, messages, now)
				}
				if got := o.taken(); got != s.want {
					t.Errorf("step %d: %q is ready, want %q", i, got, s.want)
				}
			}
		})
	}
}

// TestOrderWaitsNoLongerThanItsBound: a client that always has something late
// is served all the same.
func TestOrderWaitsNoLongerThanItsBound(t *testing.T) {
	start := time.Unix(1, 0)
	var o order
	o.add(1, nil, start)
	o.add(1000, one("x"), start)
	o.taken()
	for i := range 20 {
		now := start.Add(time.Duration(i) * 50 * time.Millisecond)
		o.add(uint64(900-2*i), nil, now)
		o.expire(now)
		if got := o.taken(); got != "" {
			t.Fatalf("%q is ready after %v", got, now.Sub(start))
		}
	}
	if got := o.due().Sub(start); got != maxOrderWait {
		t.Errorf("due after %v, want %v", got, maxOrderWait)
	}
	o.expire(start.Add(maxOrderWait))
	if got := o.taken(); got != "x" {
		t.Errorf("%q is ready, want x", got)
	}
}

// TestOrderIsBounded: what waits is never much.
func TestOrderIsBounded(t *testing.T) {
	many := make([][]byte, 5000)
	for name, messages := range map[string][][]byte{
		"none": nil, "small": one("x"), "large": one(strings.Repeat("x", 64<<10)), "many, of nothing": many,
	} {
		var o order
		o.add(1, nil, time.Unix(1, 0))
		for i := range 2000 {
			o.add(uint64(10+2*i), messages, time.Unix(1, 0))
			waiting := 0 // as it takes memory, which nothing is
			for _, r := range o.early {
				waiting += int(unsafe.Sizeof(r)) + cap(r.messages)*int(unsafe.Sizeof([]byte{})) + cost(r.messages) - len(r.messages)*messageCost
			}
			if len(o.early) > maxEarly || waiting > maxEarlyCost {
				t.Fatalf("%s: %d requests with %d bytes wait", name, len(o.early), waiting)
			}
			o.taken()
		}
	}
}

// TestOrderLosesNothing: whatever comes in whatever order comes out once, and
// in the client's order if it all came in time.
func TestOrderLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		numbers := rapid.SliceOfNDistinct(rapid.Uint64Range(2, 80), 0, 60, rapid.ID).Draw(t, "numbers")
		var o order
		now := time.Unix(1, 0)
		o.add(1, nil, now)
		var got []string
		late := false
		for _, n := range numbers {
			step := rapid.SampledFrom([]time.Duration{0, 0, 0, 0, 10 * time.Millisecond, 150 * time.Millisecond}).Draw(t, "step")
			late = late || step > 0
			now = now.Add(step)
			o.expire(now)
			o.add(n, one(fmt.Sprintf("%03d", n)), now)
			got = append(got, strings.Fields(o.taken())...)
		}
		o.expire(now.Add(maxOrderWait))
		got = append(got, strings.Fields(o.taken())...)
		if len(o.early) != 0 || o.cost != 0 || o.owed != 0 || !o.due().IsZero() {
			t.Fatalf("%d requests with %d bytes still wait", len(o.early), o.cost)
		}
		want := make([]string, 0, len(numbers))
		for _, n := range slices.Sorted(slices.Values(numbers)) {
			want = append(want, fmt.Sprintf("%03d", n))
		}
		if late {
			slices.Sort(got)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("got %q, want %q", got, want)
		}
	})
}
