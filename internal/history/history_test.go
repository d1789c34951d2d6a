package history

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"pgregory.net/rapid"

	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/frame"
)

func TestEntryIsAsBigAsItSays(t *testing.T) {
	if got := unsafe.Sizeof(Entry{}); got != EntrySize {
		t.Errorf("an entry has %d bytes, want %d", got, EntrySize)
	}
}

func FuzzParsePosition(f *testing.F) {
	for _, text := range []string{
		"", "A-000000000001", "A-000000000001,B-0000000000ff", "A-000000000001,A-000000000002", ",", "A-", "-000000000001",
		"A-00000000000g", "A-0000000000001", "A b-000000000001", strings.Repeat("A-000000000001,", 200) + "A-000000000001",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, ok := ParsePosition(text)
		if !ok {
			return
		}
		if len(p) > maxMarks {
			t.Fatalf("%d marks", len(p))
		}
		again, ok := ParsePosition(p.String())
		if !ok || !slices.Equal(p, again) {
			t.Errorf("%q becomes %v, and that %v, %v", text, p, again, ok)
		}
	})
}

// Whatever is kept, dropped and merged: what a log says that it has is what was
// published, each event once and in the order of its publisher.
func TestLogHasWhatItSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var shelf Shelf
		budget := NewBudget()
		limits := Limits{TTL: time.Hour, Events: rapid.IntRange(1, 20).Draw(t, "events"), Bytes: 1 << 20}
		l := shelf.Open("self", budget)
		all := map[node.ID][]Event{}
		got := map[node.ID]int{} // how many have come in order
		number := uint64(0)
		publish := func(id node.ID) Event {
			number += uint64(rapid.IntRange(1, 3).Draw(t, "step"))
			e := Event{Mark: Mark{id, number}, Frame: frame.Text(func(b []byte) []byte { return append(b, id...) }), At: time.Now()}
			if n := len(all[id]); n > 0 {
				e.Before = all[id][n-1].Number
			}
			all[id] = append(all[id], e)
			return e
		}
		peer := rapid.SampledFrom([]node.ID{"a", "b"})
		t.Repeat(map[string]func(*rapid.T){
			"publish": func(t *rapid.T) { publish(peer.Draw(t, "publisher")) },
			"keep": func(t *rapid.T) {
				id := peer.Draw(t, "publisher")
				skip := rapid.IntRange(0, 1).Draw(t, "skip")
				if got[id]+skip >= len(all[id]) {
					t.Skip("nothing to come")
				}
				got[id] += skip
				l.Keep(all[id][got[id]], limits)
				got[id]++
			},
			"merge": func(t *rapid.T) {
				id := peer.Draw(t, "publisher")
				events := all[id]
				if len(events) == 0 {
					t.Skip("nothing to merge")
				}
				from := rapid.IntRange(0, len(events)-1).Draw(t, "from")
				to := rapid.IntRange(from, len(events)).Draw(t, "to")
				r := Range{Publisher: id}
				if from > 0 {
					r.Floor = events[from-1].Number
				}
				r.Last = r.Floor
				if to > from {
					r.Last = events[to-1].Number
				}
				l.Merge(r, events[from:to], limits)
			},
			"": func(t *rapid.T) { checkLog(t, l, all, budget) },
		})
	})
}

func checkLog(t *rapid.T, l *Log, all map[node.ID][]Event, b *Budget) {
	cost := 0
	last := map[*publisher]uint64{}
	for e := l.first; e != nil; e = e.later {
		if e.number <= last[e.publisher] {
			t.Fatalf("%s %d stands behind %d", e.publisher.id, e.number, last[e.publisher])
		}
		last[e.publisher] = e.number
		cost += e.cost()
	}
	if got := b.Used(); got != int64(cost) {
		t.Fatalf("%d bytes are used, want %d", got, cost)
	}
	for _, p := range l.publishers[1:] {
		events, r := l.Of(p.id, 0, time.Now())
		var want []uint64
		for _, e := range all[p.id] {
			if e.Number > r.Floor && e.Number <= r.Last {
				want = append(want, e.Number)
			}
		}
		var have []uint64
		for _, e := range events {
			have = append(have, e.Number)
		}
		if !slices.Equal(have, want) {
			t.Fatalf("of %s it has %v from %d to %d, want %v", p.id, have, r.Floor, r.Last, want)
		}
	}
}

// A log remembers those of whom it learned last.
func TestPublishersAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var shelf Shelf
		l := shelf.Open("self", NewBudget())
		limits := Limits{TTL: time.Hour, Events: 1000, Bytes: 1 << 20}
		for i := range 3 * maxPublishers {
			id := node.ID("n" + string(rune('0'+i%10)) + string(rune('a'+i/10)))
			l.Keep(Event{Mark: Mark{id, 1}, Frame: frame.Text(func(b []byte) []byte { return append(b, 'x') }), At: time.Now()}, limits)
		}
		if got := len(l.publishers); got != maxPublishers {
			t.Errorf("%d publishers are known, want %d", got, maxPublishers)
		}
		if got, reason := l.Since(l.Position(), nil); reason != Complete || len(got) > 0 {
			t.Errorf("behind its own position there is %d, %q", len(got), reason)
		}
	})
}
