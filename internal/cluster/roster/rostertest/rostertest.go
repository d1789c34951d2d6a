// Package rostertest holds rosters to their contract.
package rostertest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/cluster/roster"
)

// A Rig makes rosters.
type Rig struct {
	// New returns rosters that decide together and have not started. They
	// decide what is gone after a grace that is long enough for a change to
	// be known to all.
	New func(t *testing.T, nodes int) []roster.Roster
	// Nodes is how many decide together at most.
	Nodes int
	// Within runs a test, with a clock of its own if the rosters can do with
	// it; nil for with that of the machine, beside other tests.
	Within func(t *testing.T, test func(t *testing.T))
}

// A Cluster is rosters that have started, and their hosts.
type Cluster struct {
	TB    testing.TB
	Hosts []*Host
}

// Run tests rosters.
func Run(t *testing.T, rig Rig) {
	for name, c := range map[string]struct {
		nodes int
		test  func(*Cluster)
	}{
		"FirstAndLast":             {1, testFirstAndLast},
		"WhoComesBackIsNotGone":    {1, testComesBack},
		"MembersAreInTheirChannel": {1, testMembers},
		"QuietIsNoNews":            {1, testQuiet},
		"DrainingNodeEndsNothing":  {1, testDrain},
		"OneOfThemDecides":         {3, testOneDecides},
		"OneIsEnough":              {3, testOneIsEnough},
		"MovedIsNotGone":           {3, testMoved},
		"EndOfANode":               {3, testEnd},
	} {
		if c.nodes > rig.Nodes {
			continue // not what these rosters do
		}
		t.Run(name, func(t *testing.T) {
			within := rig.Within
			if within == nil {
				within = func(t *testing.T, test func(t *testing.T)) { t.Parallel(); test(t) }
			}
			within(t, func(t *testing.T) {
				cluster := Start(t, rig.New(t, c.nodes)...)
				defer cluster.Close()
				c.test(cluster)
				cluster.Check()
			})
		})
	}
}

// Start starts rosters with hosts.
func Start(t *testing.T, rosters ...roster.Roster) *Cluster {
	t.Helper()
	c := &Cluster{TB: t}
	for _, r := range rosters {
		h := &Host{TB: t, Roster: r}
		if err := r.Start(t.Context(), h); err != nil {
			t.Fatal(err)
		}
		c.Hosts = append(c.Hosts, h)
	}
	return c
}

// Close closes all rosters.
func (c *Cluster) Close() {
	for _, h := range c.Hosts {
		if err := h.Roster.Close(c.TB.Context()); err != nil {
			c.TB.Errorf("Close() = %v", err)
		}
	}
}

// Channel sets a channel on a node.
func (c *Cluster) Channel(node int, name string, present bool) {
	c.Hosts[node].Roster.Set(roster.Subject{App: "1", Channel: name}, present, false)
}

// Member sets a member on a node.
func (c *Cluster) Member(node int, channel, user string, present bool) {
	c.Hosts[node].Roster.Set(roster.Subject{App: "1", Channel: channel, User: user, Member: true}, present, false)
}

// Decisions returns what all nodes were to tell, in the order in which it was
// decided, and once what several were to tell.
func (c *Cluster) Decisions() []roster.Decision {
	var all []roster.Decision
	for _, h := range c.Hosts {
		all = append(all, h.Decisions()...)
	}
	slices.SortStableFunc(all, func(a, b roster.Decision) int { return int(int64(a.ID.Number) - int64(b.ID.Number)) })
	return slices.CompactFunc(all, func(a, b roster.Decision) bool { return a.ID == b.ID })
}

// News returns what was decided about a channel and its members.
func (c *Cluster) News(channel string) []string {
	var list []string
	for _, d := range c.Decisions() {
		if d.Channel == channel {
			list = append(list, Name(d))
		}
	}
	return list
}

// Name is a short name of a decision.
func Name(d roster.Decision) string {
	kind := roster.Kind(d.Member, d.Gone)
	if d.Member {
		return kind + " " + d.User
	}
	return kind
}

// Want waits for what has been decided about a channel to be this.
func (c *Cluster) Want(channel string, want ...string) {
	c.TB.Helper()
	c.Until(fmt.Sprintf("%s is %q", channel, want), func() bool { return len(c.News(channel)) >= len(want) })
	if got := c.News(channel); !slices.Equal(got, want) {
		c.TB.Fatalf("decisions about %s = %q, want %q", channel, got, want)
	}
}

// patience is how long the slowest machine may take.
const patience = 2 * time.Minute

// Until waits for a condition.
func (c *Cluster) Until(what string, so func() bool) {
	c.TB.Helper()
	for deadline := time.Now().Add(patience); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			c.TB.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// Settled waits until everything that is gone has been decided to be.
func (c *Cluster) Settled() {
	c.TB.Helper()
	for i := range c.Hosts {
		marker := fmt.Sprintf("marker-%d", i)
		before := len(c.News(marker))
		c.Channel(i, marker, true)
		c.Until(marker+" is occupied", func() bool { return len(c.News(marker)) > before })
		c.Channel(i, marker, false)
		c.Until(marker+" is vacated", func() bool { return len(c.News(marker)) > before+1 })
	}
}

// Check holds all decisions to what is true of any.
func (c *Cluster) Check() {
	c.TB.Helper()
	first := make(map[roster.DecisionID]roster.Decision)
	teller := make(map[roster.DecisionID]int)
	for i, h := range c.Hosts {
		for _, d := range h.Decisions() {
			same, again := first[d.ID]
			if again && (same.Subject != d.Subject || same.Gone != d.Gone || same.Of != d.Of) {
				c.TB.Errorf("decision %v is two: %v and %v", d.ID, same, d)
			}
			first[d.ID] = d
			if !h.was(d.Of) {
				continue // taken over
			}
			if other, again := teller[d.ID]; again {
				c.TB.Errorf("decision %v is told by nodes %d and %d", d.ID, other, i)
			}
			teller[d.ID] = i
		}
	}
	gone := make(map[roster.Subject]bool)
	for _, d := range c.Decisions() {
		if before, known := gone[d.Subject]; known && before == d.Gone {
			c.TB.Errorf("decision %v: %s %q twice in a row", d.ID, Name(d), d.Channel)
		}
		gone[d.Subject] = d.Gone
	}
}
