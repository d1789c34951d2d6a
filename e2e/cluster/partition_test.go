package cluster

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/e2e/cluster/history"
)

// TestPartition cuts one of three nodes off. Both sides go on; only the two
// that are together decide. Afterwards everybody knows what has changed, and
// was told no more than that.
func TestPartition(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Nodes: 3})
	c.RequireNamespaces()
	p := newPartition(c)
	p.lonely.Cut()
	cut := time.Now()
	p.bothSidesChange()
	p.bothSidesNotice()
	for time.Since(cut) < longOr(60*time.Second, 25*time.Second) {
		p.deliver()
		time.Sleep(100 * time.Millisecond)
	}
	p.sleeper.Leave(room)
	p.lonely.Heal()
	c.Settle()
	c.Flow(room)
	p.check()
}

// A partition is three nodes with clients in a room, one of which is cut off.
// Clients whose names end with 1 are on a node that is not.
type partition struct {
	c               *Cluster
	near, lonely    *Node
	near1, lonely3  *watch
	stays3, leaves3 *Client
	leaves1         *Client
	sleeper         *Client // on the lonely node; leaves right before it is healed
}

func newPartition(c *Cluster) *partition {
	c.t.Helper()
	p := &partition{c: c, near: c.Nodes[0], lonely: c.Nodes[2]}
	enter := func(name string, n *Node) *Client {
		cl := c.Dial(ClientOptions{Name: name, Node: n})
		cl.Subscribe(room)
		return cl
	}
	near1, lonely3 := enter("watcher1", p.near), enter("watcher3", p.lonely)
	p.stays3, p.leaves3, p.leaves1 = enter("stays3", p.lonely), enter("leaves3", p.lonely), enter("leaves1", p.near)
	p.sleeper = enter("sleeper3", p.lonely)
	for _, n := range []*Node{c.Nodes[1], p.lonely} {
		c.Dial(ClientOptions{Name: "both-" + n.Name, User: "both", Node: n}).Subscribe(room)
	}
	p.stays3.Subscribe("lonely-home")
	c.Flow(room)
	c.Settle()
	p.near1, p.lonely3 = near1.watch(room), lonely3.watch(room)
	return p
}

// bothSidesChange has clients come and go on both sides.
func (p *partition) bothSidesChange() {
	p.c.t.Helper()
	p.leaves3.Leave(room)
	p.leaves1.Leave(room)
	p.c.Dial(ClientOptions{Name: "joins1", Node: p.near}).Join(room, "new-home")
	p.c.Dial(ClientOptions{Name: "joins3", Node: p.lonely}).Join(room)
	visitor := p.c.Dial(ClientOptions{Name: "visitor3", Node: p.lonely})
	visitor.Join(room)
	p.lonely3.await(map[string]string{"leaves3": "-", "joins3": "+", "visitor3": "+"})
	visitor.Leave(room)
	p.deliver()
}

// bothSidesNotice waits until each has given the other up, and the two nodes
// that are together have decided.
func (p *partition) bothSidesNotice() {
	p.c.t.Helper()
	p.near1.await(map[string]string{"leaves1": "-", "joins1": "+",
		"watcher3": "-", "stays3": "-", "leaves3": "-", "sleeper3": "-"})
	p.lonely3.await(map[string]string{"leaves3": "-", "joins3": "+", "visitor3": "+-",
		"watcher1": "-", "leaves1": "-"})
	p.c.AwaitHooks("new-home", history.Occupied)
	p.c.AwaitHooks("lonely-home", history.Occupied, history.Vacated)
}

// deliver has an event delivered on each side.
func (p *partition) deliver() {
	p.c.t.Helper()
	for w, n := range map[*watch]*Node{p.near1: p.near, p.lonely3: p.lonely} {
		number, err := n.Trigger(room)
		if err != nil {
			p.c.t.Fatalf("%s does not serve while it is cut off: %v", n.Name, err)
		}
		w.client.Await("given an event of its own side", func() bool {
			return w.socket.Seen(history.Stream{Node: n.Name, Channel: room}) >= number
		})
	}
}

// check sees that everybody was told the difference, and no more.
func (p *partition) check() {
	p.c.t.Helper()
	p.near1.expect(map[string]string{"leaves1": "-", "joins1": "+", "joins3": "+", "leaves3": "-",
		"watcher3": "-+", "stays3": "-+", "sleeper3": "-"})
	p.lonely3.expect(map[string]string{"leaves3": "-", "joins3": "+", "visitor3": "+-", "sleeper3": "-",
		"watcher1": "-+", "leaves1": "-", "joins1": "+"})
	p.c.AwaitHooks("new-home", history.Occupied)
	p.c.AwaitHooks("lonely-home", history.Occupied, history.Vacated, history.Occupied)
	told := map[string]string{}
	for _, hook := range p.c.History.Hooks(room) {
		if name, user, ok := strings.Cut(hook, " "); ok {
			told[user] += map[string]string{history.Added: "+", history.Removed: "-"}[name]
		}
	}
	delete(told, "visitor3") // was there for less than the grace of webhooks; it depends
	want := map[string]string{"watcher1": "+", "watcher3": "+-+", "stays3": "+-+", "leaves3": "+-", "leaves1": "+-",
		"sleeper3": "+-", "both": "+", "joins1": "+", "joins3": "+"}
	if !maps.Equal(told, want) {
		p.c.t.Errorf("the backend was told %v, want %v", told, want)
	}
}

// TestShortPartition: a cut that is over before the lease is no news at all.
func TestShortPartition(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Nodes: 3})
	c.RequireNamespaces()
	p := newPartition(c)
	for range 3 {
		p.lonely.Cut()
		for range 10 {
			p.deliver()
		}
		p.lonely.Heal()
		c.Settle()
		c.Flow(room)
	}
	p.near1.expect(map[string]string{})
	p.lonely3.expect(map[string]string{})
	c.AwaitHooks("lonely-home", history.Occupied)
}

// TestPausedNode stops a node in the middle of everything for longer than the
// others wait for it. What it held has lapsed, and is not resurrected; who is
// still connected to it when it goes on is there again.
func TestPausedNode(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Nodes: 3})
	h := newHousehold(c, c.Nodes[1])
	moves := c.Dial(ClientOptions{Name: "moves", Node: h.doomed, Once: true})
	moves.Subscribe(room)
	closes := c.Dial(ClientOptions{Name: "closes", Node: h.doomed, Once: true})
	closes.Subscribe(room)
	c.Settle()
	h.doomed.Pause()
	paused := time.Now()
	c.Dial(ClientOptions{Name: "moved", User: "moves", Node: c.Nodes[2]}).Subscribe(room)
	moves.Close()
	closes.Close()

	want := map[string]string{"moves": "+", "closes": "+-", "gone": "-", "back": "-"}
	for _, w := range h.watches {
		w.await(want)
	}
	c.noted("member_removed on sockets after a node was paused", time.Since(paused), Lease+Grace)
	c.AwaitHooks(goneHome, history.Occupied, history.Vacated)
	for time.Since(paused) < longOr(30*time.Second, 16*time.Second) {
		if _, err := c.deliver(c.Nodes[0], room+"-of-the-living"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
	h.doomed.Resume()
	c.Settle()
	c.Flow(room)
	for _, w := range h.watches {
		got := w.byUser()
		if got["closes"] == "+-+-" { // its end was not known to the node yet
			t.Logf("%s was told that closes came back for a moment", w.client.options.Name)
			got["closes"] = "+-"
		}
		// gone, a client that does not come back by itself, is there again if
		// the node has kept its connection.
		delete(got, "gone")
		want := map[string]string{"moves": "+", "closes": "+-", "back": "-+"}
		if !maps.Equal(got, want) {
			t.Errorf("%s was told %v, want %v", w.client.options.Name, got, want)
		}
		w.check()
	}
	for _, hook := range c.History.Hooks(room) {
		if hook == history.Removed+" moves" || hook == history.Removed+" twice" {
			t.Errorf("the backend was told %q, who was never gone", hook)
		}
	}
	t.Logf("connections of the paused node ended with %v", h.gone[1].Closes())
}
