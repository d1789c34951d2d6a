package rostertest

import (
	"fmt"
	"slices"
	"sync"

	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/cluster/roster"
)

func testFirstAndLast(c *Cluster) {
	for range 2 {
		before := c.News("news")
		c.Channel(0, "news", true)
		c.Want("news", append(before, "occupied")...)
		c.Channel(0, "news", false)
		c.Want("news", append(before, "occupied", "vacated")...)
	}
	h := c.Hosts[0]
	if !h.Roster.Current() || h.Roster.CurrentSince().IsZero() || h.Roster.Suspended() != nil {
		c.TB.Error("a node that decides is not current")
	}
	for _, d := range h.Decisions() {
		if d.Of != h.Roster.ID() {
			c.TB.Errorf("decision %v is of %q, want %q", d.ID, d.Of, h.Roster.ID())
		}
	}
}

func testComesBack(c *Cluster) {
	c.Channel(0, "news", true)
	c.Want("news", "occupied")
	for range 10 {
		c.Channel(0, "news", false)
		c.Channel(0, "news", true)
	}
	c.Settled()
	c.Want("news", "occupied")
}

func testMembers(c *Cluster) {
	c.Channel(0, "presence", true)
	c.Member(0, "presence", "1", true)
	c.Member(0, "presence", "", true) // a user without an id
	c.Member(0, "presence", "1", false)
	c.Member(0, "presence", "", false)
	c.Channel(0, "presence", false)
	c.Want("presence", "occupied", "added 1", "added ", "removed 1", "removed ", "vacated")
}

func testQuiet(c *Cluster) {
	r := c.Hosts[0].Roster
	known, forgotten := roster.Subject{App: "1", Channel: "known"}, roster.Subject{App: "1", Channel: "forgotten"}
	r.Set(known, true, true)
	r.Set(forgotten, true, true)
	c.Settled()
	r.Set(forgotten, false, true)
	r.Set(known, false, false)
	c.Want("known", "vacated")
	c.Settled()
	c.Want("forgotten")
}

func testDrain(c *Cluster) {
	c.Channel(0, "news", true)
	c.Want("news", "occupied")
	c.Hosts[0].Roster.Drain()
	c.Channel(0, "news", false)
	c.Channel(0, "late", true)
	c.Want("late", "occupied")
	c.Want("news", "occupied")
}

// All nodes get their first subscribers at the same instant, and lose their
// last ones.
func testOneDecides(c *Cluster) {
	const channels = 100
	for _, present := range []bool{true, false} {
		var all sync.WaitGroup
		for i := range c.Hosts {
			all.Go(func() {
				for n := range channels {
					c.Channel(i, fmt.Sprint(n), present)
				}
			})
		}
		all.Wait()
		for n := range channels {
			if want := []string{"occupied", "vacated"}; present {
				c.Want(fmt.Sprint(n), want[:1]...)
			} else {
				c.Want(fmt.Sprint(n), want...)
			}
		}
	}
}

func testOneIsEnough(c *Cluster) {
	for i := range c.Hosts {
		c.Channel(i, "news", true)
	}
	c.Settled()
	c.Channel(0, "news", false)
	c.Channel(1, "news", false)
	c.Settled()
	c.Want("news", "occupied")
	c.Channel(2, "news", false)
	c.Want("news", "occupied", "vacated")
}

func testMoved(c *Cluster) {
	c.Channel(0, "news", true)
	c.Want("news", "occupied")
	for i := range c.Hosts {
		c.Channel(i, "news", false)
		c.Channel((i+1)%len(c.Hosts), "news", true)
	}
	c.Settled()
	c.Want("news", "occupied")
}

// A node ends. What moves elsewhere is not gone; the rest is, in time, and one
// of the others tells what the node has not.
func testEnd(c *Cluster) {
	h := c.Hosts[0]
	id := h.Roster.ID()
	for _, name := range []string{"moves", "ends"} {
		c.Channel(0, name, true)
		c.Member(0, name, "1", true)
		c.Want(name, "occupied", "added 1")
	}
	h.Roster.Drain()
	for _, name := range []string{"moves", "ends"} {
		c.Member(0, name, "1", false)
		c.Channel(0, name, false)
	}
	if err := h.Roster.Close(c.TB.Context()); err != nil {
		c.TB.Fatalf("Close() = %v", err)
	}
	if h.Roster.Current() || !h.Roster.CurrentSince().IsZero() {
		c.TB.Error("a node that has ended is current")
	}
	select {
	case <-h.Roster.Suspended(): // nil, or open
		c.TB.Error("a node that has ended goes on")
	default:
	}
	if h.Roster.Suspended() == nil {
		c.TB.Error("a node that has ended is not suspended")
	}
	c.Channel(1, "moves", true)
	c.Member(1, "moves", "1", true)
	c.Want("ends", "occupied", "added 1", "removed 1", "vacated")
	rest := &Cluster{TB: c.TB, Hosts: c.Hosts[1:]}
	rest.Settled()
	c.Want("moves", "occupied", "added 1")
	var takenOver []node.ID
	for _, other := range rest.Hosts {
		takenOver = append(takenOver, other.Predecessors()...)
	}
	if !slices.Equal(takenOver, []node.ID{id}) {
		c.TB.Errorf("taken over = %q, want %q", takenOver, id)
	}
}
