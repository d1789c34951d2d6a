package natsroster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/cluster/roster"
	"github.com/belfryhq/belfry/internal/cluster/roster/rostertest"
)

const (
	lease        = 5 * time.Second
	grace        = 5 * time.Second
	webhookGrace = 3 * time.Second
)

// A bench is several nodes on one log, with a clock of their own.
type bench struct {
	*rostertest.Cluster
	t     *testing.T
	log   *memLog
	nodes []*benchNode
}

type benchNode struct {
	*Roster
	*rostertest.Host
	journal *memJournal
	name    string
}

// on runs a test on nodes.
func on(t *testing.T, nodes int, test func(*bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{t: t, log: newMemLog(), Cluster: &rostertest.Cluster{TB: t}}
		for i := range nodes {
			b.add(fmt.Sprint("node", i), nil)
		}
		test(b)
		for _, n := range b.nodes {
			n.stop() // those that were not killed are closed by the test
		}
	})
}

// add starts a node.
func (b *bench) add(name string, set func(*Config)) *benchNode {
	b.t.Helper()
	n := b.node(name, set)
	if err := n.Start(b.t.Context(), n.Host); err != nil {
		b.t.Fatal(err)
	}
	return n
}

// node makes a node that has not started.
func (b *bench) node(name string, set func(*Config)) *benchNode {
	n := &benchNode{journal: &memJournal{memLog: b.log}, name: name}
	cfg := Config{
		Name: name, Lease: lease, Grace: grace, WebhookGrace: webhookGrace, journal: n.journal,
		Log: slog.New(slog.NewTextHandler(b.t.Output(), nil)),
	}
	if set != nil {
		set(&cfg)
	}
	n.Roster = New(cfg)
	n.Host = &rostertest.Host{TB: b.t, Roster: n.Roster}
	b.nodes, b.Hosts = append(b.nodes, n), append(b.Hosts, n.Host)
	return n
}

// kill ends a node without a word.
func (n *benchNode) kill() {
	n.set(func() { n.journal.cut = true })
	n.stop()
}

// set changes the node's way to the log.
func (n *benchNode) set(f func()) { n.journal.change(f) }

func (b *bench) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// toldBy returns a channel like name that a node tells of, while things are as
// they are.
func (b *bench) toldBy(i int, name string) string {
	synctest.Wait() // until it has read of all
	r := b.nodes[i].Roster
	r.mu.Lock()
	defer r.mu.Unlock()
	me := r.participant.ledger.live(r.participant.id)
	for n := 0; ; n++ {
		channel := fmt.Sprint(name, n)
		if r.participant.ledger.teller(me, makeKey(subject("", channel))) == me {
			return channel
		}
	}
}

// on is a part of the cluster.
func (b *bench) on(nodes ...int) *rostertest.Cluster {
	c := &rostertest.Cluster{TB: b.t}
	for _, i := range nodes {
		c.Hosts = append(c.Hosts, b.Hosts[i])
	}
	return c
}

// same checks that nodes have read the same, and know the same.
func (b *bench) same(nodes ...int) {
	b.t.Helper()
	synctest.Wait()
	var first []byte
	for _, i := range nodes {
		r := b.nodes[i].Roster
		r.mu.Lock()
		snapshot := r.participant.ledger.snapshot(true)
		r.mu.Unlock()
		if first == nil {
			first = snapshot
		}
		if !slices.Equal(first, snapshot) {
			b.t.Errorf("node %d knows something else than node %d", i, nodes[0])
		}
	}
}

func TestContract(t *testing.T) {
	rostertest.Run(t, rostertest.Rig{
		Nodes:  3,
		Within: synctest.Test,
		New: func(t *testing.T, nodes int) (list []roster.Roster) {
			log := newMemLog()
			for i := range nodes {
				list = append(list, New(Config{
					Name: fmt.Sprint("node", i), WebhookGrace: webhookGrace, journal: &memJournal{memLog: log},
				}))
			}
			return list
		},
	})
}

// A node is killed. Until lease and grace are over nothing is said of it; then
// what nobody else holds is gone, and one of the others tells that, and what
// the dead node may not have told.
func TestKilledNode(t *testing.T) {
	on(t, 3, func(b *bench) {
		b.nodes[0].Slow = true
		ends, moves, shared, waits := b.toldBy(0, "ends"), b.toldBy(0, "moves"), b.toldBy(0, "shared"), b.toldBy(0, "waits")
		for _, name := range []string{ends, moves, shared} {
			b.Channel(0, name, true)
			b.Member(0, name, "1", true)
			b.Want(name, "occupied", "added 1")
		}
		b.Channel(1, shared, true)
		b.Channel(0, waits, true)
		b.Want(waits, "occupied")
		b.Channel(0, waits, false)
		b.pass(time.Second)
		dead, rest := b.nodes[0].ID(), b.on(1, 2)
		b.nodes[0].kill()
		b.pass(lease + grace - 2*time.Second)
		b.Channel(2, moves, true)
		b.Member(2, moves, "1", true)
		for i := range 2 {
			if n := len(b.nodes[i+1].Predecessors()); n != 0 {
				t.Errorf("node %d has taken over %d others before lease and grace are over", i+1, n)
			}
		}
		b.pass(5 * time.Second)
		rest.Want(ends, "occupied", "added 1", "removed 1", "vacated") // the first two again
		rest.Want(waits, "occupied", "vacated")
		rest.Want(moves, "occupied", "added 1")
		rest.Want(shared, "occupied", "added 1", "removed 1")
		successors := 0
		for _, h := range rest.Hosts {
			if slices.Equal(h.Predecessors(), []node.ID{dead}) {
				successors++
			}
			for _, d := range h.Decisions() {
				if !d.Gone && d.Of != dead {
					t.Errorf("%v was first told by %q, want %q", d.ID, d.Of, dead)
				}
			}
		}
		if successors != 1 {
			t.Errorf("%d nodes have taken over the dead one, want one", successors)
		}
		b.Check()
		b.same(1, 2)
	})
}

// A node starts again at once, and takes its own matters over without waiting.
func TestRestart(t *testing.T) {
	on(t, 2, func(b *bench) {
		b.nodes[0].Slow = true
		back, away := b.toldBy(0, "back"), b.toldBy(0, "away")
		b.Channel(0, back, true)
		b.Channel(0, away, true)
		b.Want(back, "occupied")
		b.Want(away, "occupied")
		dead := b.nodes[0].ID()
		b.nodes[0].kill()
		again := b.add("node0", nil)
		if got := again.Predecessors(); !slices.Equal(got, []node.ID{dead}) {
			t.Errorf("taken over = %q, want %q", got, dead)
		}
		b.on(2).Want(back, "occupied") // it may not have been told
		b.Channel(2, back, true)
		b.pass(grace + 3*time.Second)
		b.Want(away, "occupied", "vacated")
		b.Want(back, "occupied")
		b.Check()
		b.same(1, 2)
	})
}

// All nodes end, in order, and another one starts later on the same log.
func TestLastNodeEnds(t *testing.T) {
	on(t, 1, func(b *bench) {
		b.nodes[0].Slow = true
		b.Channel(0, "news", true)
		b.Want("news", "occupied")
		dead := b.nodes[0].ID()
		if err := b.nodes[0].Close(b.t.Context()); err != nil {
			t.Fatal(err)
		}
		b.pass(time.Hour)
		successor := b.add("another", nil)
		if got := successor.Predecessors(); !slices.Equal(got, []node.ID{dead}) {
			t.Errorf("taken over = %q, want %q", got, dead)
		}
		b.on(1).Want("news", "occupied")
		b.pass(grace - 2*time.Second)
		b.Want("news", "occupied")
		b.pass(5 * time.Second)
		b.Want("news", "occupied", "vacated")
		b.Check()
	})
}

// A node that is cut off from the others goes on, but does not act. It is given
// up, and what it held that is still there is news again.
func TestCutOffNode(t *testing.T) {
	on(t, 3, func(b *bench) {
		b.Channel(0, "alone", true)
		b.Channel(0, "shared", true)
		b.Channel(1, "shared", true)
		b.Want("alone", "occupied")
		b.Want("shared", "occupied")
		n := b.nodes[0]
		first := n.ID()
		n.set(func() { n.journal.cut = true })
		b.pass(lease - 2*time.Second)
		if !n.Current() {
			t.Error("the node is not current before its lease is over")
		}
		b.pass(2 * time.Second)
		if n.Current() {
			t.Error("the node is current though its lease is over")
		}
		evicted := make(chan int, 1)
		suspended := n.Suspended()
		go func() {
			<-suspended
			evicted <- len(n.Evictions())
		}()
		b.Channel(0, "new", true)
		b.Channel(0, "blip", true)
		b.Channel(0, "blip", false)
		b.pass(time.Minute)
		b.Want("alone", "occupied", "vacated")
		b.Want("new")
		if n.Current() || len(n.Evictions()) != 0 {
			t.Error("the node knows what it can not have read")
		}
		back := time.Now()
		n.set(func() { n.journal.cut = false })
		b.pass(5 * time.Second)
		select {
		case n := <-evicted:
			if n != 1 {
				t.Errorf("the node went on after %d evictions that it knew of, want 1", n)
			}
		default:
			t.Error("the node is not told that it is current again")
		}
		if n.Suspended() != nil || n.CurrentSince().Before(back) {
			t.Errorf("the node is current since %v, want after %v", n.CurrentSince(), back)
		}
		if got := n.Evictions(); len(got) != 1 || got[0] == first || n.ID() != got[0] || !n.Current() {
			t.Errorf("ids = %q after %q, current %v", got, first, n.Current())
		}
		if now := n.Status(); now.GivenUp != 1 || now.GivenUpAt.IsZero() {
			t.Errorf("the status says that the node was given up %d times, at %v; want once", now.GivenUp, now.GivenUpAt)
		}
		b.Want("alone", "occupied", "vacated", "occupied")
		b.Want("new", "occupied")
		b.Want("shared", "occupied")
		b.pass(webhookGrace)
		b.Check()
		b.same(0, 1, 2)
	})
}

// Nothing can be written for a while: changes merge, nobody is given up.
func TestLogTakesNothing(t *testing.T) {
	on(t, 2, func(b *bench) {
		b.Channel(0, "stays", true)
		b.Want("stays", "occupied")
		b.log.change(func() { b.log.full = true })
		for i := range 1000 {
			b.Channel(0, "stays", i%2 == 1)
			b.Channel(1, "comes", i%2 == 0)
		}
		b.Channel(1, "comes", true)
		b.pass(time.Minute)
		if b.nodes[0].Current() {
			t.Error("a node is current that has written nothing for a minute")
		}
		written, back := b.log.last(), time.Now()
		b.log.change(func() { b.log.full = false })
		b.pass(3 * time.Second)
		b.Want("comes", "occupied")
		b.Want("stays", "occupied")
		for i, n := range b.nodes {
			if !n.Current() || len(n.Evictions()) > 0 {
				t.Errorf("node %d: current %v, evicted as %q", i, n.Current(), n.Evictions())
			}
			if n.CurrentSince().Before(back) { // although nobody has asked meanwhile
				t.Errorf("node %d: current since %v, want after %v", i, n.CurrentSince(), back)
			}
		}
		if n := b.log.last() - written; n > 20 {
			t.Errorf("%d batches were written for two changes", n)
		}
		b.Check()
		b.same(0, 1)
	})
}

// Answers get lost: what is written is stored once.
func TestLostAnswers(t *testing.T) {
	on(t, 2, func(b *bench) {
		b.nodes[0].set(func() { b.nodes[0].journal.deaf = 20 })
		for i := range 5 {
			name := fmt.Sprint(i)
			b.Channel(0, name, true)
			b.Want(name, "occupied")
			b.pass(time.Second)
		}
		if ids := b.nodes[0].Evictions(); len(ids) > 0 {
			t.Errorf("evicted as %q", ids)
		}
		b.same(0, 1)
	})
}

// What ends on a node that drains stays until the node has ended, and the grace
// after that.
func TestDrainingNodeEndsNothing(t *testing.T) {
	on(t, 2, func(b *bench) {
		for _, name := range []string{"ends", "back"} {
			b.Channel(0, name, true)
			b.Want(name, "occupied")
		}
		b.nodes[0].Drain()
		b.Channel(0, "ends", false)
		b.Channel(0, "back", false)
		b.pass(time.Hour)
		b.Channel(0, "back", true)
		b.Want("ends", "occupied")
		if err := b.nodes[0].Close(b.t.Context()); err != nil {
			t.Fatal(err)
		}
		b.pass(grace - time.Second)
		b.Channel(1, "back", true)
		b.Want("ends", "occupied")
		b.pass(3 * time.Second)
		b.Want("ends", "occupied", "vacated")
		b.Want("back", "occupied")
	})
}

func TestStartWithoutLog(t *testing.T) {
	on(t, 0, func(b *bench) {
		n := b.node("node0", nil)
		n.journal.cut = true
		ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
		defer cancel()
		if err := n.Start(ctx, n.Host); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Start() = %v, want %v", err, context.DeadlineExceeded)
		}
		if err := n.Close(b.t.Context()); err != nil {
			t.Errorf("Close() = %v", err)
		}
	})
}

// The log can not be reached at the end: Close gives up in time.
func TestCloseWithoutLog(t *testing.T) {
	on(t, 2, func(b *bench) {
		n := b.nodes[0]
		n.set(func() { n.journal.cut = true })
		ctx, cancel := context.WithTimeout(b.t.Context(), time.Second)
		defer cancel()
		if err := n.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close() = %v, want %v", err, context.DeadlineExceeded)
		}
	})
}
