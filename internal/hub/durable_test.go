package hub

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/history"
	"github.com/belfryhq/belfry/protocol"
)

// An engineRoom is what an engine keeps of one app, by publisher.
type engineRoom struct {
	refuses bool // it takes nothing
	formers map[node.ID]*history.Former
}

// A keeper is a [Durable] of one node, over an engine that several have.
type keeper struct {
	room *engineRoom
	node node.ID
}

func (k *keeper) former() *history.Former {
	f := k.room.formers[k.node]
	if f == nil {
		f = &history.Former{Publisher: k.node, Channels: make(map[string]history.Past)}
		k.room.formers[k.node] = f
	}
	return f
}

func (k *keeper) Ready(string) error {
	if k.room.refuses {
		return errors.New("refused")
	}
	return nil
}

func (k *keeper) Begin(_ string, base uint64) {
	f := k.former()
	f.Whole, f.Base, f.Highest, f.Channels = true, base, base, make(map[string]history.Past)
}

func (k *keeper) Forget(string) { k.room.formers = make(map[node.ID]*history.Former) }

func (k *keeper) Add(_ string, r history.Record, _ time.Duration) uint64 {
	if k.room.refuses {
		return math.MaxUint64
	}
	f := k.former()
	past := f.Channels[r.Channel]
	past.Add(r)
	f.Channels[r.Channel] = past
	f.Highest = max(f.Highest, r.Number)
	return 1
}

func (k *keeper) Mark(string, string, uint64, time.Duration) {}

func (k *keeper) Await(_ context.Context, _ string, ticket uint64) error {
	if ticket == math.MaxUint64 {
		return errors.New("lost")
	}
	return nil
}

func (k *keeper) Read(_ context.Context, _ string, _ time.Duration, skip func(node.ID) bool) (list []history.Former, err error) {
	for id, f := range k.room.formers {
		if !skip(id) {
			list = append(list, *f)
		}
	}
	return list, nil
}

func newEngineRoom() *engineRoom { return &engineRoom{formers: make(map[node.ID]*history.Former)} }

// durableNode is a node whose app has a durable history there.
func (e *engineRoom) durableNode(t rapid.TB) *testNode {
	app := testApp()
	keeping(app)
	app.History.Durable = true
	id := node.NewID()
	return newNodeWith(t, Config{Node: id, Durable: &keeper{e, id}}, app)
}

// think lets the hub's goroutines and the loops do what they have to.
func (n *testNode) think() {
	for range 3 {
		n.loops.run()
		synctest.Wait()
	}
	n.loops.run()
}

// A client that comes back to a service that was started anew gets what it has missed,
// before the start and since, also on a channel on which nothing was.
func TestDurableHistoryOutlivesItsNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngineRoom()
		n := e.durableNode(t)
		r, quiet := newReturner(n, "news"), newReturner(n, "quiet")
		r.ask(`{}`)
		quiet.ask(`{}`)
		n.think()
		r.verdicts, quiet.verdicts = nil, nil
		n.triggerNumbers("news", 1, 2)
		r.expectMessages("1", "2")
		r.session.End(Ending{})
		quiet.session.End(Ending{})
		n.triggerNumbers("news", 3, 4)
		for start := range 3 {
			time.Sleep(time.Second)
			n = e.durableNode(t)
			n.triggerNumbers("news", 5+start, 5+start)
			again := newReturner(n, "news")
			again.position, again.sockets = maps.Clone(r.position), r.sockets
			again.resume()
			n.think()
			again.expectVerdicts(fmt.Sprint("recovered ", 3+start))
			if want := numbers(3, 5+start); !slices.Equal(again.messages, want) {
				t.Errorf("start %d: the events are %q, want %q", start+1, again.messages, want)
			}
			other := newReturner(n, "quiet")
			other.position = maps.Clone(quiet.position)
			other.resume()
			n.think()
			other.expectVerdicts("recovered 0")
			back := newReturner(n, "news")
			back.ask(`{"rewind":2}`)
			n.think()
			back.expectVerdicts("replayed 2")
			if page, reason, err := n.hub.History(context.Background(), n.app, "news", history.Query{Limit: 10}); err != nil || reason != history.Complete || len(page.Events) != 5+start {
				t.Errorf("a page has %d events, %q, %v, want all", len(page.Events), reason, err)
			}
		}
	})
}

// What the engine has not got, nobody says is there.
func TestDurableHistoryWithAGap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngineRoom()
		n := e.durableNode(t)
		r := newReturner(n, "news")
		r.ask(`{}`)
		n.think()
		n.triggerNumbers("news", 1, 1)
		r.expectMessages("1")
		r.session.End(Ending{})
		delete(e.formers[n.hub.cfg.Node].Channels, "news") // as if it had been too old
		e.formers[n.hub.cfg.Node].Whole = false
		n.triggerNumbers("news", 2, 2)
		n = e.durableNode(t)
		r.verdicts = nil
		r.connect(n)
		r.ask(`{"position":"` + string(r.client.session.tenant.hub.cfg.Node) + `-000000000000"}`)
		n.think()
		r.expectVerdicts("expired 0")
	})
}

// While the engine takes nothing, backends are refused before anything is delivered.
// What was under way is not said to be kept.
func TestEngineThatTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngineRoom()
		n := e.durableNode(t)
		c := n.connect()
		c.subscribe("news")
		c.read()
		trigger := func(channel string) error {
			_, err := n.hub.Trigger(context.Background(), n.app, []string{channel}, Event{"e", []byte(`"1"`)}, protocol.SocketID{})
			return err
		}
		e.refuses = true
		if err := trigger("news"); !errors.Is(err, ErrNotWritable) {
			t.Errorf("Trigger = %v, want %v", err, ErrNotWritable)
		}
		c.expect()
		b := batch{tenant: n.hub.tenant(n.app)}
		b.trigger("news", Event{"e", []byte(`"1"`)}, protocol.SocketID{})
		if err := b.finish(context.Background(), 1, 1); !errors.Is(err, ErrNotKept) {
			t.Errorf("finish = %v, want %v", err, ErrNotKept)
		}
		c.expect("e @news 1")
		n.change(func(app *apps.App) { app.History.Prefixes = []string{"chat-"} })
		if err := trigger("news"); err != nil {
			t.Errorf("Trigger on a channel without a history = %v", err)
		}
		c.expect("e @news 1")
	})
}

// Clients of a node that is gone get from the engine what no other node has.
func TestDurableHistoryOfANodeThatHasDied(t *testing.T) {
	for name, known := range map[string]bool{"dead": true, "silent": false} {
		synctest.Test(t, func(t *testing.T) {
			e := newEngineRoom()
			m := meshOf(t, e.durableNode(t), e.durableNode(t), e.durableNode(t))
			for i, n := range m.nodes { // as peers know them
				delete(e.formers, n.hub.cfg.Node)
				n.hub.cfg.Node = node.ID(fmt.Sprint("node", i))
				n.hub.cfg.Durable.(*keeper).node = n.hub.cfg.Node
			}
			r := newReturner(m.nodes[0], "news")
			r.ask(`{}`)
			m.settle()
			synctest.Wait()
			m.settle()
			m.nodes[0].trigger("news", "e", "1")
			m.settle()
			r.messages, r.verdicts = nil, nil
			r.session.End(Ending{})
			m.settle()
			m.nodes[0].triggerNumbers("news", 2, 3) // nobody else is there to hear it
			m.settle()
			if known {
				m.part(0, 1)
				m.part(0, 2)
			} else {
				m.silence(0)
			}
			m.settle()
			r.connect(m.nodes[2])
			r.resume()
			for range 10 {
				time.Sleep(500 * time.Millisecond)
				synctest.Wait()
				m.settle()
			}
			if len(r.verdicts) != 1 || r.verdicts[0].String() != "recovered 2" || !slices.Equal(r.messages, []string{"2", "3"}) {
				t.Errorf("%s: the verdicts are %v after %q, want recovered 2", name, r.verdicts, r.messages)
			}
		})
	}
}
