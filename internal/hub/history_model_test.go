package hub

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/history/recall"
)

// A model of clients that come and go at several nodes, while events are
// published, dropped, and lost between nodes. What counts is that each client has
// either got every event since it began, once and in each publisher's order, or
// was told that it has not.
type historyModel struct {
	*mesh
	t         *rapid.T
	published []published
	clients   []*modelClient
}

type published struct {
	node int
	data string
}

type modelClient struct {
	*returner
	on    bool
	since int // what was published before is not promised; -1: nothing is yet
	seen  map[string]bool
	last  map[int]int // by node, the index of its last event that came
}

const modelChannel = "private-news"

// look takes what the client has got. Who was told that it has missed something
// begins anew, and may get again what it has had before.
func (m *historyModel) look(c *modelClient) {
	for _, v := range c.verdicts {
		if v.Recovered == nil || !*v.Recovered {
			c.since = len(m.published)
			clear(c.seen)
			clear(c.last)
		}
	}
	if len(c.verdicts)+len(c.messages) > 0 {
		m.t.Logf("client %s: %q, %v, now at %s", c.sockets[0], c.messages, c.verdicts, c.where())
	}
	c.verdicts = nil
	for _, data := range c.messages {
		if c.seen[data] {
			m.t.Fatalf("event %s came twice", data)
		}
		c.seen[data] = true
		at, _ := strconv.Atoi(data)
		from := m.published[at].node
		if at < c.last[from] {
			m.t.Fatalf("event %d of node %d came after %d", at, from, c.last[from])
		}
		c.last[from] = at
	}
	c.messages = nil
}

// rest lets everything arrive that is on the way.
func (m *historyModel) rest() {
	m.settle()
	for range 8 {
		time.Sleep(recall.Wait/4 + time.Millisecond) // in a bubble: the time of the hubs' timers
		synctest.Wait()
		m.settle()
	}
	for _, c := range m.clients {
		m.look(c)
	}
}

func (m *historyModel) publish(t *rapid.T) {
	i := rapid.IntRange(0, len(m.nodes)-1).Draw(t, "node")
	m.published = append(m.published, published{i, strconv.Itoa(len(m.published))})
	m.nodes[i].trigger(modelChannel, "e", m.published[len(m.published)-1].data)
}

func (m *historyModel) client(t *rapid.T, on bool) *modelClient {
	var list []*modelClient
	for _, c := range m.clients {
		if c.on == on {
			list = append(list, c)
		}
	}
	if len(list) == 0 {
		t.Skip("no such client")
	}
	return rapid.SampledFrom(list).Draw(t, "client")
}

func (m *historyModel) leave(t *rapid.T) {
	c := m.client(t, true)
	m.look(c)
	c.session.End(Ending{})
	c.on = false
}

func (m *historyModel) come(t *rapid.T) {
	c := m.client(t, false)
	c.connect(m.nodes[rapid.IntRange(0, len(m.nodes)-1).Draw(t, "node")])
	c.on = true
	m.t.Logf("client %s asks at node %d from %s", c.sockets[0], slices.Index(m.nodes, c.client.node), c.where())
	if len(c.position) == 0 {
		c.ask(`{}`)
		return
	}
	c.resume()
}

// lose makes the first messages on a wire get lost.
func (m *historyModel) lose(t *rapid.T) {
	a := rapid.IntRange(0, len(m.nodes)-1).Draw(t, "from")
	b := rapid.IntRange(0, len(m.nodes)-1).Draw(t, "to")
	w := m.wires[[2]int{a, b}]
	if w == nil || len(w.queue) == 0 || w.queue[0].done != nil {
		t.Skip("nothing to lose")
	}
	w.queue, w.gap = w.queue[1:], true
}

// partition makes two nodes believe that the other is gone, or know each other again.
func (m *historyModel) partition(t *rapid.T) {
	a := rapid.IntRange(0, len(m.nodes)-1).Draw(t, "a")
	b := rapid.IntRange(0, len(m.nodes)-1).Draw(t, "b")
	switch {
	case a == b:
	case m.wires[[2]int{a, b}] == nil:
		m.join(a, b)
	default:
		m.part(a, b)
	}
}

// deliver hands over some messages of one wire, so that others overtake them.
func (m *historyModel) deliver(t *rapid.T) {
	a := rapid.IntRange(0, len(m.nodes)-1).Draw(t, "from")
	b := rapid.IntRange(0, len(m.nodes)-1).Draw(t, "to")
	if w := m.wires[[2]int{a, b}]; w != nil {
		for range rapid.IntRange(1, 5).Draw(t, "messages") {
			w.deliver()
		}
	}
	for _, n := range m.nodes {
		n.loops.run()
	}
}

func (m *historyModel) work() {
	m.mesh.work()
}

// check has each client come back once more, to where everything is known, and
// expects that it has all or was told.
func (m *historyModel) check() {
	for a := range m.nodes {
		for b := range a {
			if m.wires[[2]int{a, b}] == nil {
				m.join(a, b)
			}
		}
	}
	m.rest()
	for _, c := range m.clients {
		if c.on {
			c.session.End(Ending{})
		}
		c.on = true
		if len(c.position) == 0 {
			continue
		}
		c.connect(m.nodes[0])
		c.resume()
	}
	m.rest()
	m.rest()
	for i, c := range m.clients {
		if c.since < 0 {
			continue
		}
		for at := c.since; at < len(m.published); at++ {
			if !c.seen[m.published[at].data] {
				m.t.Fatalf("client %d was told that it has everything since %d, and has not got event %d of node %d",
					i, c.since, at, m.published[at].node)
			}
		}
	}
}

func TestWhatWasMissedIsWhatWasPublished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { rapid.Check(bubbled{t}, runHistoryModel) })
}

// bubbled is a test in a bubble of synctest, which has no deadline.
type bubbled struct{ *testing.T }

func runHistoryModel(rt *rapid.T) {
	small := rapid.Bool().Draw(rt, "small")
	size := rapid.IntRange(1, 3).Draw(rt, "nodes")
	mesh := newMesh(rt, size, func(app *apps.App) {
		keeping(app)
		if small {
			app.History.Events = 5
		}
	})
	m := &historyModel{mesh: mesh, t: rt}
	for i, n := range m.nodes {
		n.hub.cfg.Node = node.ID(fmt.Sprint("node", i))
	}
	for range 3 {
		c := newReturner(m.nodes[0], modelChannel)
		c.session.End(Ending{})
		m.clients = append(m.clients, &modelClient{returner: c, since: -1, seen: map[string]bool{}, last: map[int]int{}})
	}
	rt.Repeat(map[string]func(*rapid.T){
		"publish":       m.publish,
		"publish again": m.publish,
		"come":          m.come,
		"leave":         m.leave,
		"lose":          m.lose,
		"part or join":  m.partition,
		"deliver":       m.deliver,
		"work":          func(*rapid.T) { m.work() },
		"rest":          func(*rapid.T) { m.rest() },
		"":              func(*rapid.T) {},
	})
	m.check()
}
