package hub

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/cluster/broker"
	"github.com/belfryhq/belfry/protocol"
)

func TestEventsReachSubscribersOfOtherNodes(t *testing.T) {
	m := newMesh(t, 3, nil)
	if !m.settled() {
		t.Error("the nodes have not heard each other out")
	}
	a, b := m.nodes[0].connect(), m.nodes[1].connect()
	a.subscribe("private-news")
	b.subscribe("private-news")
	m.settle()
	a.read()
	b.read()
	m.nodes[2].trigger("private-news", "e", "x", a)
	m.settle()
	a.expect()
	b.expect("e @private-news x")
	b.receive(`{"event":"client-e","channel":"private-news","data":"y"}`)
	m.settle()
	a.expect("client-e @private-news y")
	b.expect()
}

func TestNodesWithoutSubscribersHearNothing(t *testing.T) {
	m := newMesh(t, 3, nil)
	m.nodes[1].connect().subscribe("news")
	m.settle()
	m.nodes[0].trigger("news", "e", "x")
	m.nodes[0].trigger("else", "e", "x")
	if got := len(m.wires[[2]int{0, 1}].queue); got != 1 {
		t.Errorf("%d messages are on the way to the subscriber's node, want 1", got)
	}
	if got := len(m.wires[[2]int{0, 2}].queue); got != 0 {
		t.Errorf("%d messages are on the way to a node without subscribers, want none", got)
	}
}

func TestSuccessIsToldWhenOtherNodesKnow(t *testing.T) {
	m := newMesh(t, 3, nil)
	c, late := m.nodes[0].connect(), m.nodes[0].connect()
	c.subscribe("news")
	c.receive(`{"event":"pusher:ping","data":{}}`)
	late.subscribe("news")
	c.expect()
	late.expect()
	for m.wires[[2]int{0, 1}].deliver() {
		continue
	}
	c.expect()
	for m.wires[[2]int{0, 2}].deliver() {
		continue
	}
	c.expect(succeeded("news"), "pusher:pong {}")
	late.expect(succeeded("news"))
	third := m.nodes[0].connect()
	third.subscribe("news")
	third.expect(succeeded("news"))
	m.settle()
	m.nodes[0].connect().subscribe("else")
	c.subscribe("more")
	m.nodes[0].hub.Terminate(m.nodes[0].app, "nobody")
	c.session.close(protocol.ErrReconnect)
	c.expect(succeeded("more"))
}

func TestUsersOfOtherNodes(t *testing.T) {
	m := newMesh(t, 2, func(app *apps.App) { app.WatchlistEvents = true })
	watcher, here, there := m.nodes[0].connect(), m.nodes[0].connect(), m.nodes[1].connect()
	watcher.signIn(`{"id":"w","watchlist":["ann"]}`)
	m.settle()
	watcher.read()
	online := `pusher_internal:watchlist_events {"events":[{"name":"online","user_ids":["ann"]}]}`
	offline := `pusher_internal:watchlist_events {"events":[{"name":"offline","user_ids":["ann"]}]}`
	there.signIn(`{"id":"ann"}`)
	m.settle()
	watcher.expect(online)
	here.signIn(`{"id":"ann"}`)
	m.settle()
	watcher.expect()
	there.read()
	here.read()
	m.nodes[0].trigger("#server-to-user-ann", "e", "x")
	m.settle()
	here.expect("e @#server-to-user-ann x")
	there.expect("e @#server-to-user-ann x")
	here.session.End(Ending{})
	m.settle()
	watcher.expect()
	m.nodes[0].hub.Terminate(m.nodes[0].app, "ann")
	m.settle()
	there.node.loops.run()
	if there.closed == nil {
		t.Error("the connection on the other node was not closed")
	}
	m.settle()
	watcher.expect(offline)
}

// remember triggers an event on a cache channel, and does not wait for the
// other nodes to have it.
func (m *mesh) remember(node int, channel, data string) {
	m.t.Helper()
	n := m.nodes[node]
	e := Event{Name: "e", Data: []byte(quote(data))}
	if _, err := n.hub.Trigger(noPatience, n.app, []string{channel}, e, protocol.SocketID{}); err != nil {
		m.t.Fatal(err)
	}
}

func TestTriggerWaitsForTheCachesOfAllNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMesh(t, 2, nil)
		done := make(chan struct{})
		go func() {
			m.nodes[0].trigger("cache-c", "e", "x")
			close(done)
		}()
		synctest.Wait()
		select {
		case <-done:
			t.Error("Trigger has returned before the other node has the event")
		default:
		}
		m.settle()
		<-done
		if _, ok := m.nodes[1].hub.Cached(m.nodes[1].app, "cache-c"); !ok {
			t.Error("the other node does not remember the event")
		}
	})
}

func TestCachedEventsAreShared(t *testing.T) {
	m := newMesh(t, 3, nil)
	m.remember(0, "cache-c", "old")
	m.settle()
	// At once on two nodes: whatever comes last where, all remember the same.
	m.remember(0, "cache-c", "one")
	m.remember(1, "cache-c", "two")
	m.settle()
	var got []string
	for _, n := range m.nodes {
		c := n.connect()
		c.subscribe("cache-c")
		m.settle()
		got = append(got, c.read()[1])
	}
	if got[0] != got[1] || got[1] != got[2] {
		t.Errorf("the nodes remember different events: %q", got)
	}
	late := newTestNode(t, nil)
	m.nodes = append(m.nodes, late)
	m.join(3, 0)
	m.settle()
	c := late.connect()
	c.subscribe("cache-c")
	m.settle()
	c.expect(succeeded("cache-c"), got[0])
}

func TestCountsOfAllNodes(t *testing.T) {
	m := newMesh(t, 2, counting)
	a := m.nodes[0].connect()
	a.subscribe("news")
	m.settle()
	a.read()
	b := m.nodes[1].connect()
	b.subscribe("news")
	m.settle()
	a.expect(count("news", 2))
	m.nodes[1].connect().subscribe("news")
	m.settle()
	a.expect(count("news", 3))
	m.wires[[2]int{1, 0}].gap = true // and it resyncs, which is no change
	m.settle()
	a.expect()
	m.part(0, 1)
	m.settle()
	a.expect(count("news", 1))
}

func TestConnectionQuotaOfAllNodes(t *testing.T) {
	m := newMesh(t, 2, func(app *apps.App) { app.Limits.Connections = 3 })
	gone := m.nodes[0].connect()
	m.nodes[0].connect()
	m.nodes[1].connect()
	m.settle()
	for i, n := range m.nodes {
		if _, refused := n.dial(request("key")); refused == nil {
			t.Errorf("node %d takes a connection beyond the quota", i)
		}
	}
	gone.session.End(Ending{})
	m.settle()
	if _, refused := m.nodes[1].dial(request("key")); refused != nil {
		t.Errorf("a connection is refused although another has ended: %v", refused)
	}
}

func TestAppThatPeersKnowFirst(t *testing.T) {
	m := newMesh(t, 2, nil)
	late := testApp()
	late.ID, late.Keys = "2", []apps.Key{{Key: "late", Secret: "secret"}}
	put := func(n *testNode) {
		if err := n.hub.cfg.Apps.Put(late); err != nil {
			t.Fatal(err)
		}
	}
	put(m.nodes[0])
	m.nodes[0].connectTo("late").subscribe("news")
	m.settle()
	put(m.nodes[1])
	m.settle()
	if got := m.nodes[1].hub.Channel(late, "news"); got.Subscriptions != 1 {
		t.Errorf("the channel has %d subscriptions, want 1", got.Subscriptions)
	}
}

// A node that sends its clients elsewhere holds on to what they held until its
// peers let go of it.
func TestDrainingIsNoChange(t *testing.T) {
	m := newMesh(t, 2, nil)
	for _, n := range m.nodes {
		n.hub.cfg.Broker = noBroker{}
	}
	watcher, other := m.nodes[0].connect(), m.nodes[1].connect()
	moving, lost := m.nodes[1].connect(), m.nodes[1].connect()
	watcher.join("presence-c", `{"user_id":"w"}`)
	other.join("presence-c", `{"user_id":"o"}`)
	moving.join("presence-c", `{"user_id":"m"}`)
	lost.join("presence-c", `{"user_id":"l"}`)
	m.settle()
	watcher.read()
	other.read()
	m.nodes[1].hub.Drain()
	moving.session.End(Ending{})
	lost.session.End(Ending{})
	m.settle()
	watcher.expect()
	other.expect()
	again := m.nodes[0].connect()
	again.join("presence-c", `{"user_id":"m"}`)
	m.wires[[2]int{1, 0}].gap = true // what lingers is held also by what is said again
	m.settle()
	watcher.expect()
	m.part(0, 1)
	m.settle()
	if got := watcher.read(); len(got) != 2 || !slices.Contains(got, removed("presence-c", "o")) || !slices.Contains(got, removed("presence-c", "l")) {
		t.Errorf("the client got %q, want that o and l are removed", got)
	}
}

// noBroker is a broker in name only: the mesh does its work.
type noBroker struct{}

func (noBroker) Start(broker.Receiver) error { return nil }
func (noBroker) Leave(context.Context)       {}
func (noBroker) Close(context.Context) error { return nil }

// A onlooker is a client that holds what it is told against itself.
type onlooker struct {
	*client
	where int
	user  string
	on    bool // subscribed
	list  map[string]bool
}

const viewed = "presence-c"

func (v *onlooker) look() {
	for _, f := range v.read() {
		event, rest, _ := strings.Cut(f, " @"+viewed+" ")
		switch event {
		case "pusher_internal:subscription_succeeded":
			v.list = make(map[string]bool)
			_, all, _ := strings.Cut(rest, `"ids":[`)
			all, _, _ = strings.Cut(all, "]")
			for _, id := range strings.Split(all, ",") {
				v.list[strings.Trim(id, `"`)] = true
			}
		case "pusher_internal:member_added", "pusher_internal:member_removed":
			_, id, _ := strings.Cut(rest, `"user_id":"`)
			id, _, _ = strings.Cut(id, `"`)
			if is := event == "pusher_internal:member_added"; v.list[id] == is {
				v.node.t.Fatalf("%s: %s twice in a row", id, event)
			} else if is {
				v.list[id] = true
			} else {
				delete(v.list, id)
			}
		}
	}
}

// Whatever is lost, late or parted on the way, members are added and removed
// in turn for every client, and once everything has come all nodes and clients
// agree with the sockets.
func TestPresenceAgreesInTheEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMesh(t, 3, nil)
		var onlookers []*onlooker
		some := func(what string) *onlooker {
			if len(onlookers) == 0 {
				t.Skip("nobody is there")
			}
			return onlookers[rapid.IntRange(0, len(onlookers)-1).Draw(t, what)]
		}
		pair := rapid.Custom(func(t *rapid.T) [2]int {
			a := rapid.IntRange(0, 2).Draw(t, "from")
			return [2]int{a, (a + rapid.IntRange(1, 2).Draw(t, "to")) % 3}
		})
		t.Repeat(map[string]func(*rapid.T){
			"connect": func(t *rapid.T) {
				at := rapid.IntRange(0, 2).Draw(t, "node")
				v := &onlooker{client: m.nodes[at].connect(), where: at, user: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "user")}
				onlookers = append(onlookers, v)
			},
			"toggle": func(t *rapid.T) {
				v := some("client")
				if v.on {
					v.receive(`{"event":"pusher:unsubscribe","data":{"channel":%q}}`, viewed)
				} else {
					v.join(viewed, fmt.Sprintf(`{"user_id":%q}`, v.user))
				}
				v.on = !v.on
			},
			"end": func(t *rapid.T) {
				v := some("client")
				v.session.End(Ending{})
				onlookers = slices.DeleteFunc(onlookers, func(o *onlooker) bool { return o == v })
			},
			"deliver": func(t *rapid.T) {
				if w := m.wires[pair.Draw(t, "wire")]; w != nil {
					for range rapid.IntRange(1, 5).Draw(t, "messages") {
						w.deliver()
					}
				}
			},
			"lose": func(t *rapid.T) {
				if w := m.wires[pair.Draw(t, "wire")]; w != nil && len(w.queue) > 0 {
					if done := w.queue[0].done; done != nil {
						done() // it is not waited for long
					}
					w.queue, w.gap = w.queue[1:], true
				}
			},
			"work": func(*rapid.T) { m.work() },
			"part": func(t *rapid.T) {
				if p := pair.Draw(t, "nodes"); m.wires[p] != nil {
					m.part(p[0], p[1])
				} else {
					m.join(p[0], p[1])
				}
			},
			"": func(*rapid.T) {
				for _, v := range onlookers {
					v.look()
				}
			},
		})
		for _, p := range [][2]int{{0, 1}, {0, 2}, {1, 2}} {
			if m.wires[p] == nil {
				m.join(p[0], p[1])
			}
		}
		m.settle()
		m.agree(t, onlookers)
		for _, v := range onlookers {
			v.session.End(Ending{})
		}
		m.settle()
		for _, n := range m.nodes {
			n.expectNothing()
		}
	})
}

// agree complains of nodes and clients that do not see what the sockets are.
func (m *mesh) agree(t rapid.TB, onlookers []*onlooker) {
	t.Helper()
	truth, subscriptions := make(map[string]bool), 0
	for _, v := range onlookers {
		if v.on {
			truth[v.user] = true
			subscriptions++
		}
	}
	same := func(list map[string]bool) bool {
		return len(list) == len(truth) && !slices.ContainsFunc(keys(list), func(id string) bool { return !truth[id] })
	}
	for i, n := range m.nodes {
		list := make(map[string]bool)
		for _, id := range n.hub.Users(n.app, viewed) {
			list[id] = true
		}
		state := n.hub.Channel(n.app, viewed)
		if !same(list) || state.Subscriptions != subscriptions || state.Occupied != (subscriptions > 0) {
			t.Fatalf("node %d sees %v and %+v, want %v and %d subscriptions", i, list, state, truth, subscriptions)
		}
	}
	for _, v := range onlookers {
		v.look()
		if v.on && !same(v.list) {
			t.Fatalf("a client on node %d was told %v, want %v", v.where, v.list, truth)
		}
	}
}

func keys(m map[string]bool) []string {
	var list []string
	for k := range m {
		list = append(list, k)
	}
	return list
}

// A node that has too much to do drops the events of peers, and says so; it
// goes on hearing what they hold.
func TestEventsOfPeersWhileOverloaded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMesh(t, 2, nil)
		c := m.nodes[1].connect()
		c.subscribe("news")
		m.settle()
		c.read()
		m.nodes[1].loops.full = true
		began := time.Now()
		for range 10 {
			m.nodes[0].trigger("news", "e", "x")
		}
		m.nodes[0].connect().subscribe("else")
		m.settle()
		c.expect()
		if waited := time.Since(began); waited > peerPatience {
			t.Errorf("the receiver was held up for %v, want at most %v", waited, peerPatience)
		}
		if got := total(m.nodes[1].hub.metrics.peerEventsDropped); got != 10 {
			t.Errorf("%v events are counted as dropped, want 10", got)
		}
		if !m.nodes[1].hub.Channel(m.nodes[1].app, "else").Occupied {
			t.Error("what the peer holds was not heard")
		}
		m.nodes[1].loops.full = false
		m.nodes[0].trigger("news", "e", "y")
		m.settle()
		c.expect("e @news y")
	})
}
