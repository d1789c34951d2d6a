package natsroster

import (
	"sync/atomic"
	"testing"
	"time"
)

// The log's leader dies with a node, and for a while nobody can write. Who
// knows elsewhere that the node is gone does not count its silence anew.
func TestNodeThatIsGoneElsewhere(t *testing.T) {
	on(t, 1, func(b *bench) {
		var gone atomic.Bool
		b.add("other", func(c *Config) {
			c.Gone = func(name string) bool { return gone.Load() && name == "node0" }
		})
		b.Channel(0, "ends", true)
		b.Want("ends", "occupied")
		b.pass(time.Second)
		b.nodes[0].kill()
		b.nodes[1].set(func() { b.nodes[1].journal.cut = true })
		b.pass(lease + grace - time.Second)
		b.nodes[1].set(func() { b.nodes[1].journal.cut = false })
		gone.Store(true)
		if n := len(b.nodes[1].Predecessors()); n != 0 {
			t.Errorf("%d nodes were taken over while nothing could be written", n)
		}
		b.pass(lease + 4*time.Second)
		b.Want("ends", "occupied", "vacated")
	})
}

// A node that writes is not given up, whatever is said of it elsewhere.
func TestNodeThatIsNotHeardElsewhere(t *testing.T) {
	on(t, 1, func(b *bench) {
		b.add("other", func(c *Config) { c.Gone = func(string) bool { return true } })
		b.Channel(0, "stays", true)
		b.pass(time.Minute)
		b.Want("stays", "occupied")
		if n := len(b.nodes[1].Predecessors()); n != 0 {
			t.Errorf("%d nodes were taken over that write", n)
		}
	})
}
