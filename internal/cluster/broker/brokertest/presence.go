package brokertest

import (
	"slices"
	"time"
)

func testRestart(r *rig) {
	peers := r.joinAll("a", "b")
	a, b := peers[0], peers[1]
	first := a.awaitLink("b")
	b.close()
	again := r.join("b")
	r.eventually("the new b is known", func() bool { return len(a.of("b").joined) == 2 })
	r.eventually("the old b is gone", func() bool { return len(a.of("b").left) == 1 })
	h := a.of("b")
	if h.joined[0] == h.joined[1] {
		r.Errorf("both incarnations have the id %s", h.joined[0])
	}
	if h.left[0] != first.ID() {
		r.Errorf("%s has left, want the first, %s", h.left[0], first.ID())
	}
	a.number("b", 1, 10)
	again.awaitNumber("a", 10)
	if got := len(b.of("a").counts); got != 0 {
		r.Errorf("the dead b got %d messages", got)
	}
}

func testDeath(r *rig) {
	peers := r.joinAll("a", "b", "c")
	a, b, c := peers[0], peers[1], peers[2]
	l := a.awaitLink("c")
	start := time.Now()
	c.close()
	for _, p := range []*peer{a, b} {
		r.eventually("c is gone", func() bool { return len(p.of("c").left) == 1 })
		if d := time.Since(start); d < r.network.Lease() {
			r.Errorf("c counted as dead after %v, want at least the lease", d)
		}
	}
	l.Send(sample()) // goes nowhere
	a.number("b", 1, 10)
	b.awaitNumber("a", 10)
	if h := a.of("b"); len(h.joined) != 1 || len(h.left) != 0 || h.lost != 0 {
		r.Errorf("a heard of b: joined %d times, left %d times, lost %d times; want 1, 0, 0", len(h.joined), len(h.left), h.lost)
	}
}

func testLeave(r *rig) {
	peers := r.joinAll("a", "b")
	a, b := peers[0], peers[1]
	l := b.awaitLink("a")
	b.number("a", 1, 1000)
	b.leave()
	l.Send(sample()) // after Leave: goes nowhere
	b.close()
	a.awaitNumber("b", 1000)
	r.eventually("b is gone", func() bool { return len(a.of("b").left) == 1 })
	if h := a.of("b"); len(h.joined) != 1 || len(h.got) != 1000 {
		r.Errorf("a heard b join %d times and got %d messages, want 1 and 1000", len(h.joined), len(h.got))
	}
}

func testPartition(r *rig) {
	peers := r.joinAll("a", "b", "c")
	a, b, c := peers[0], peers[1], peers[2]
	before := a.awaitLink("b")
	a.number("b", 1, 10)
	b.awaitNumber("a", 10)
	r.network.Cut(r, "a", "b")
	for i, p := range []*peer{a, b} {
		other := peers[1-i]
		p.number("c", 1, 100)
		c.awaitNumber(p.name, 100)
		r.eventually(other.name+" is gone", func() bool { return len(p.of(other.name).left) == 1 })
	}
	r.network.Heal(r, "a", "b")
	for i, p := range []*peer{a, b} {
		other := peers[1-i].name
		r.eventually(other+" is back", func() bool { return len(p.of(other).joined) == 2 })
		if h := p.of(other); h.joined[0] != h.joined[1] {
			r.Errorf("%s came back as %s, want %s", other, h.joined[1], h.joined[0])
		}
	}
	before.Send(sample()) // this link stays dead
	for i, p := range []*peer{a, b} {
		other := peers[1-i]
		p.number(other.name, 1000, 10)
		other.awaitNumber(p.name, 1009)
	}
	for _, p := range []*peer{a, b} {
		if h := c.of(p.name); len(h.joined) != 1 || len(h.left) != 0 || h.lost != 0 {
			r.Errorf("c heard of %s: joined %d times, left %d times, lost %d times; want 1, 0, 0", p.name, len(h.joined), len(h.left), h.lost)
		}
	}
}

// A partition that is shorter than the lease is neither a death nor a loss.
func testShortPartition(r *rig) {
	peers := r.joinAll("a", "b")
	a, b := peers[0], peers[1]
	a.number("b", 1, 10)
	b.awaitNumber("a", 10)
	r.network.Cut(r, "a", "b")
	for i := range 10 {
		a.number("b", 11+i, 1)
		time.Sleep(r.network.Lease() / 20)
	}
	r.network.Heal(r, "a", "b")
	a.number("b", 21, 1)
	// On a slow machine it may have been longer than the lease after all.
	r.eventually("it is healed", func() bool {
		h := b.of("a")
		return len(h.left) > 0 || len(h.counts) > 0 && h.counts[len(h.counts)-1] == 21
	})
	if h := b.of("a"); len(h.left) == 0 && (!slices.Equal(h.counts, numbers(1, 21)) || h.lost > 0) {
		r.Errorf("got %v and %d losses, want 1 to 21 and none", h.counts, h.lost)
	}
	if h := a.of("b"); len(b.of("a").left) == 0 && h.lost > 0 {
		r.Errorf("the sender heard of %d losses, want none", h.lost)
	}
}

func testCloseWithoutStart(r *rig) {
	b := r.network.Join(r, "a")
	if err := b.Close(r.context()); err != nil {
		r.Errorf("Close without Start: %v", err)
	}
}
