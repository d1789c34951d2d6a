package hub

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"pgregory.net/rapid"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/cluster/broker"
	ids "github.com/belfryhq/belfry/internal/cluster/node"
)

// A mesh is several hubs, and between each two of them a wire in each direction
// whose messages wait until the test delivers or loses them.
type mesh struct {
	t     rapid.TB
	nodes []*testNode
	wires map[[2]int]*wire
}

// A wire is the way from one node to another, and the link of it.
type wire struct {
	mesh     *mesh
	from, to int
	back     *wire      // the link by which the receiver knows the sender
	mu       sync.Mutex // of queue: timers of the hubs send too
	queue    []sent
	gap      bool // something was lost that would be before the rest
	dead     bool
}

// sent is a message, or a function to call when all before it has come.
type sent struct {
	message *broker.Message
	done    func()
}

func (w *wire) ID() ids.ID                 { return ids.ID(fmt.Sprint("node", w.to)) }
func (w *wire) Name() string               { return fmt.Sprint("node", w.to) }
func (w *wire) Room(context.Context) error { return nil }

func (w *wire) Send(m *broker.Message) {
	if w.dead {
		return
	}
	c := *m
	c.Info, c.Text, c.Data = clone(m.Info), clone(m.Text), clone(m.Data)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queue = append(w.queue, sent{message: &c})
}

func (w *wire) Sync(done func()) {
	if w.dead {
		done()
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queue = append(w.queue, sent{done: done})
}

// deliver hands over the first message, and reports whether there was one.
func (w *wire) deliver() bool {
	r := w.mesh.nodes[w.to].hub.Receiver()
	if w.gap {
		w.gap = false
		r.Lost(w.back)
	}
	s, ok := w.next()
	if !ok {
		return false
	}
	if s.done != nil {
		s.done()
	} else {
		r.Receive(w.back, s.message)
	}
	return true
}

// next takes the first of the queue.
func (w *wire) next() (s sent, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if ok = len(w.queue) > 0; ok {
		s, w.queue = w.queue[0], w.queue[1:]
	}
	return s, ok
}

func (w *wire) len() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.queue)
}

func newMesh(t rapid.TB, size int, change func(*apps.App)) *mesh {
	var nodes []*testNode
	for range size {
		nodes = append(nodes, newTestNode(t, change))
	}
	return meshOf(t, nodes...)
}

// meshOf joins nodes.
func meshOf(t rapid.TB, nodes ...*testNode) *mesh {
	m := &mesh{t: t, nodes: nodes, wires: make(map[[2]int]*wire)}
	for a := range nodes {
		for b := range a {
			m.join(a, b)
		}
	}
	m.settle()
	return m
}

// join makes two nodes known to each other.
func (m *mesh) join(a, b int) {
	there, back := &wire{mesh: m, from: a, to: b}, &wire{mesh: m, from: b, to: a}
	there.back, back.back = back, there
	m.wires[[2]int{a, b}], m.wires[[2]int{b, a}] = there, back
	m.nodes[a].hub.Receiver().Joined(there)
	m.nodes[b].hub.Receiver().Joined(back)
}

// part makes two nodes believe that the other is gone.
func (m *mesh) part(a, b int) {
	for _, pair := range [][2]int{{a, b}, {b, a}} {
		w := m.wires[pair]
		w.dead = true
		for _, s := range w.queue {
			if s.done != nil {
				s.done()
			}
		}
		w.queue = nil
		delete(m.wires, pair)
		m.nodes[pair[0]].hub.Receiver().Left(w)
	}
}

// work does what the hubs do beside their calls.
func (m *mesh) work() (any bool) {
	for _, n := range m.nodes {
		for n.hub.peers.ResyncNext(context.Background()) {
			any = true
		}
		for _, q := range n.hub.questions.Take(n.hub.cfg.Node) {
			n.hub.answer(context.Background(), q)
			any = true
		}
		n.hub.eachTenant((*tenant).shareCoarse)
		n.loops.run()
	}
	return any
}

// settle delivers everything.
func (m *mesh) settle() {
	for more := true; more; {
		more = m.work() || m.again()
		for a := range m.nodes {
			for b := range m.nodes {
				for w := m.wires[[2]int{a, b}]; w != nil && (w.gap || w.len() > 0); {
					w.deliver()
					more = true
				}
			}
		}
	}
}

// again lets the time pass after which requests are repeated, for those nodes
// that have nothing on the way to them. It reports whether there were any.
func (m *mesh) again() (any bool) {
	for i, n := range m.nodes {
		any = n.hub.peers.AskAgain(func(l broker.Link, _ time.Time) bool {
			out := l.(*wire)
			return out.len() == 0 && m.wires[[2]int{out.to, i}].len() == 0
		}) || any
	}
	return any
}

func (m *mesh) settled() bool {
	return !slices.ContainsFunc(m.nodes, func(n *testNode) bool { return !n.hub.Settled() })
}
