package mesh_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/belfryhq/belfry/internal/cluster/broker"
	"github.com/belfryhq/belfry/internal/cluster/broker/membroker"
	"github.com/belfryhq/belfry/internal/cluster/node"
)

// TestNothingIsLostInSilence lets three nodes send to each other while the
// network between them is cut, packets are lost, receivers stall and nodes
// start again. Whatever happens, messages come in order, what does not come is
// announced, and in the end all know each other and hear each other again. As
// long as there is room, and neither gives the other up, everything comes.
func TestNothingIsLostInSilence(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		inBubble(t, func() {
			t := rt
			c := newCluster(t)
			defer c.close(t)
			t.Repeat(map[string]func(*rapid.T){
				"send":    c.send,
				"flood":   c.flood,
				"cut":     c.cut,
				"heal":    c.heal,
				"drop":    c.drop,
				"stall":   c.stall,
				"resume":  c.resume,
				"restart": c.restart,
				"wait":    c.wait,
				"settle":  func(*rapid.T) { synctest.Wait() },
				"":        func(t *rapid.T) { c.check(t) },
			})
			c.end(t)
		})
	})
}

// inBubble runs f in a bubble, and panics with what it panics with: that is
// how rapid ends a run.
func inBubble(t *testing.T, f func()) {
	var panicked any
	synctest.Test(t, func(*testing.T) {
		defer func() { panicked = recover() }()
		f()
	})
	if panicked != nil {
		panic(panicked)
	}
}

var names = []string{"a", "b", "c"}

// A cluster is the nodes under test and the network.
type cluster struct {
	network *membroker.Network
	nodes   map[string]*witness
	all     []*witness // also those that have ended
	flooded bool       // more was sent than there is room for
}

// A witness is a node that knows what it has sent and heard.
type witness struct {
	name   string
	broker *membroker.Broker
	ended  bool // the test's own

	mu    sync.Mutex
	pause chan struct{}
	links map[string]broker.Link   // by name; those who are there
	sent  map[node.ID]uint64       // the last number for each
	heard map[node.ID]*testimonial // of each that was ever there
	wrong []string
}

// A testimonial is what was heard of one incarnation.
type testimonial struct {
	there     bool
	last      uint64 // number
	announced bool   // something was lost, or it has joined, since
	lost      int
	left      int
}

func (w *witness) call(l broker.Link, f func(h *testimonial)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if pause := w.pause; pause != nil {
		w.mu.Unlock()
		<-pause
		w.mu.Lock()
	}
	h := w.heard[l.ID()]
	if h == nil {
		h = new(testimonial)
		w.heard[l.ID()] = h
	}
	f(h)
}

func (w *witness) Joined(l broker.Link) {
	w.call(l, func(h *testimonial) {
		if h.there {
			w.wrong = append(w.wrong, "joined twice")
		}
		h.there, h.announced = true, true
		w.links[l.Name()] = l
	})
}

func (w *witness) Left(l broker.Link) {
	w.call(l, func(h *testimonial) {
		if !h.there {
			w.wrong = append(w.wrong, "left and was not there")
		}
		h.there = false
		h.left++
		if w.links[l.Name()] == l {
			delete(w.links, l.Name())
		}
	})
}

func (w *witness) Lost(l broker.Link) {
	w.call(l, func(h *testimonial) { h.announced = true; h.lost++ })
}

func (w *witness) Receive(l broker.Link, m *broker.Message) {
	w.call(l, func(h *testimonial) {
		switch {
		case !h.there:
			w.wrong = append(w.wrong, "a message of one who is not there")
		case m.Count <= h.last:
			w.wrong = append(w.wrong, fmt.Sprintf("%d after %d of %s", m.Count, h.last, l.Name()))
		case m.Count > h.last+1 && !h.announced:
			w.wrong = append(w.wrong, fmt.Sprintf("%d after %d of %s without a word", m.Count, h.last, l.Name()))
		}
		h.last, h.announced = m.Count, false
	})
}

// send sends messages of a size to a node, if it is there.
func (w *witness) send(to string, n, size int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	l := w.links[to]
	if l == nil {
		return
	}
	for range n {
		w.sent[l.ID()]++
		l.Send(&broker.Message{Kind: broker.Subscribers, Count: w.sent[l.ID()], Name: string(make([]byte, size))})
	}
}

func newCluster(t *rapid.T) *cluster {
	c := &cluster{
		network: membroker.NewNetwork(membroker.Options{Lease: lease, Grace: grace, MaxPending: 64 << 10, MaxPacket: 8 << 10}),
		nodes:   map[string]*witness{},
	}
	for _, name := range names {
		c.start(t, name)
	}
	synctest.Wait()
	return c
}

func (c *cluster) start(t *rapid.T, name string) {
	w := &witness{
		name: name, broker: c.network.Join(name), links: map[string]broker.Link{},
		sent: map[node.ID]uint64{}, heard: map[node.ID]*testimonial{},
	}
	c.nodes[name] = w
	c.all = append(c.all, w)
	if err := w.broker.Start(w); err != nil {
		t.Fatal(err)
	}
}

func (w *witness) stall() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.pause == nil {
		w.pause = make(chan struct{})
	}
}

func (w *witness) resume() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.pause != nil {
		close(w.pause)
		w.pause = nil
	}
}

func (w *witness) close(t *rapid.T) {
	w.resume()
	w.ended = true
	if err := w.broker.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

// two draws two different nodes.
func two(t *rapid.T) (from, to string) {
	p := rapid.Permutation(names).Draw(t, "nodes")
	return p[0], p[1]
}

func (c *cluster) one(t *rapid.T) *witness {
	return c.nodes[rapid.SampledFrom(names).Draw(t, "node")]
}

func (c *cluster) send(t *rapid.T) {
	from, to := two(t)
	c.nodes[from].send(to, rapid.IntRange(1, 5).Draw(t, "messages"), rapid.IntRange(0, 300).Draw(t, "size"))
}

// flood sends more than may wait for a node that does not receive.
func (c *cluster) flood(t *rapid.T) {
	c.flooded = true
	from, to := two(t)
	c.nodes[from].send(to, 40, rapid.IntRange(1000, 10_000).Draw(t, "size"))
}

func (c *cluster) cut(t *rapid.T) {
	a, b := two(t)
	c.network.Cut(a, b)
}

func (c *cluster) heal(t *rapid.T) {
	a, b := two(t)
	c.network.Heal(a, b)
}

func (c *cluster) drop(t *rapid.T) {
	from, to := two(t)
	c.network.Drop(from, to, rapid.IntRange(1, 3).Draw(t, "packets"))
}

func (c *cluster) stall(t *rapid.T)  { c.one(t).stall() }
func (c *cluster) resume(t *rapid.T) { c.one(t).resume() }

func (c *cluster) restart(t *rapid.T) {
	w := c.one(t)
	if rapid.Bool().Draw(t, "leaves") {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		w.broker.Leave(ctx)
		cancel()
	}
	w.close(t)
	c.start(t, w.name)
}

func (c *cluster) wait(t *rapid.T) {
	pass(time.Duration(rapid.IntRange(1, int(2*(lease+grace)/time.Millisecond)).Draw(t, "ms")) * time.Millisecond)
}

func (c *cluster) check(t *rapid.T) {
	for _, w := range c.nodes {
		w.mu.Lock()
		defer w.mu.Unlock()
	}
	for _, w := range c.nodes {
		for _, wrong := range w.wrong {
			t.Errorf("%s: %s", w.name, wrong)
		}
		for id, h := range w.heard {
			if h.lost > 0 && !c.flooded && !c.parted(w, id) {
				t.Errorf("%s lost something of %s, and there was room, and neither has given the other up", w.name, id)
			}
		}
	}
}

// parted reports whether one of two has given the other up, or the other has
// ended, maybe in a hurry.
func (c *cluster) parted(w *witness, other node.ID) bool {
	if w.heard[other].left > 0 {
		return true
	}
	for _, x := range c.all {
		if x.broker.ID() == other {
			h := x.heard[w.broker.ID()]
			return x.ended || h == nil || h.left > 0
		}
	}
	return true
}

// end stops the faults and sees whether all is well after a while.
func (c *cluster) end(t *rapid.T) {
	for _, a := range names {
		c.nodes[a].resume()
		for _, b := range names {
			c.network.Heal(a, b)
			c.network.Restore(a, b)
		}
	}
	pass(2 * (lease + grace))
	for _, a := range names {
		for _, b := range names {
			if a != b {
				c.nodes[a].send(b, 1, 0)
			}
		}
	}
	synctest.Wait()
	for _, a := range names {
		for _, b := range names {
			if a == b {
				continue
			}
			from, to := c.nodes[a], c.nodes[b]
			from.mu.Lock()
			to.mu.Lock()
			sent, h := from.sent[to.broker.ID()], to.heard[from.broker.ID()]
			if h == nil || !h.there || h.last != sent || len(to.links) != 2 {
				t.Errorf("in the end %s has heard %+v of %s, want it there with number %d", b, h, a, sent)
			}
			to.mu.Unlock()
			from.mu.Unlock()
		}
	}
	c.check(t)
}

func (c *cluster) close(t *rapid.T) {
	for _, w := range c.nodes {
		w.close(t)
	}
}
