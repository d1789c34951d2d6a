package handover

import (
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/cluster/roster"
	"github.com/belfryhq/belfry/internal/webhook/queue"
)

// What is remembered is bounded, and the newest stays.
func TestKnownIsBounded(t *testing.T) {
	to := queue.Address{App: "1", Endpoint: "main"}
	id := func(n int) queue.EventID { return queue.EventID{Origin: "L", Number: uint64(n)} }
	var k, merged Known
	const events = 5 * manyKnown / 2
	for i := range events {
		k.add(to, id(i))
	}
	merged.Merge(k)
	for name, known := range map[string]*Known{"added": &k, "merged": &merged} {
		if n := len(known.young) + len(known.old); n > 2*manyKnown {
			t.Errorf("%s: %d events are remembered, want at most %d", name, n, 2*manyKnown)
		}
		if !known.Has(to, id(events-1)) || !known.Has(to, id(events-manyKnown)) {
			t.Errorf("%s: the newest are forgotten", name)
		}
		if known.Has(to, id(0)) || known.Has(queue.Address{App: "2"}, id(events-1)) {
			t.Errorf("%s: what is forgotten, or of another endpoint, is known", name)
		}
	}
}

// What is pending leaves nothing behind when it is over.
func TestPendingLeavesNothing(t *testing.T) {
	var p pending
	begin := time.Unix(1e9, 0)
	for i, channel := range []string{"a", "b", "a"} {
		p.add(undecided{roster.Decision{Subject: roster.Subject{App: "1", Channel: channel}, Order: uint64(i)}, begin.Add(time.Duration(i))})
	}
	if !p.oldest().Equal(begin) || p.count != 3 || len(p.all()) != 2 || !p.has("1", "a") {
		t.Errorf("three in two channels are %+v", p)
	}
	p.removeFirst("1", "a")
	if first := p.first("1", "a"); first == nil || first.Order != 2 || !p.oldest().Equal(begin.Add(1)) {
		t.Errorf("after the first of a, %+v is first and %v the oldest", first, p.oldest())
	}
	p.removeFirst("1", "a")
	p.removeFirst("1", "b")
	if p.count != 0 || len(p.apps) != 0 || !p.oldest().IsZero() || p.first("1", "b") != nil {
		t.Errorf("in the end there is %+v", p)
	}
}
