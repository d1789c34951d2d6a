package cluster

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/belfryhq/belfry/e2e/cluster/history"
	"github.com/belfryhq/belfry/e2e/service"
)

// A household is clients of a node that is about to die, and those elsewhere
// who watch them.
type household struct {
	c       *Cluster
	doomed  *Node
	watches []*watch // of room, one on each other node
	gone    []*Client
}

// Channels of a household. In the room are the watchers; gone, who never comes
// back; back, who comes back at once; and twice, who is also elsewhere. The
// others have only gone, or only back.
const (
	room     = "presence-room"
	goneHome = "gone-home"
	backHome = "back-home"
	goneRoom = "presence-gone"
)

// newHousehold fills the cluster and settles it.
func newHousehold(c *Cluster, doomed *Node) *household {
	c.t.Helper()
	h := &household{c: c, doomed: doomed}
	var watchers []*Client
	for _, n := range c.others(doomed) {
		w := c.Dial(ClientOptions{Name: "watcher-" + n.Name, Node: n})
		w.Subscribe(room)
		watchers = append(watchers, w)
	}
	elsewhere := c.Dial(ClientOptions{Name: "twice-elsewhere", User: "twice", Node: c.others(doomed)[0]})
	elsewhere.Subscribe(room)
	twice := c.Dial(ClientOptions{Name: "twice", Node: doomed, Once: true})
	twice.Subscribe(room)
	gone := c.Dial(ClientOptions{Name: "gone", Node: doomed, Once: true})
	gone.Subscribe(room, goneHome, goneRoom)
	h.gone = []*Client{twice, gone}
	back := c.Dial(ClientOptions{Name: "back", Node: doomed})
	back.Subscribe(room, backHome)
	c.Flow(room, backHome)
	c.Settle()
	for _, w := range watchers {
		h.watches = append(h.watches, w.watch(room))
	}
	return h
}

// untilTold waits until everybody has been told of the death, once, and of nothing
// else. It begins right after the death.
func (h *household) untilTold() {
	h.c.t.Helper()
	for _, cl := range h.gone {
		cl.gone()
	}
	start := time.Now()
	for _, w := range h.watches {
		w.await(map[string]string{"gone": "-"})
	}
	h.c.noted("member_removed on sockets after the death of a node", time.Since(start), Lease+Grace)
	h.c.AwaitHooks(goneHome, history.Occupied, history.Vacated)
	h.c.AwaitHooks(goneRoom, history.Occupied, history.Added+" gone", history.Removed+" gone", history.Vacated)
	h.c.noted("webhooks after the death of a node", time.Since(start), Lease+Grace+WebhookGrace)
	h.c.Settle()
	h.checkBack()
}

// checkBack sees that nobody was told of those who came back in time.
func (h *household) checkBack() {
	h.c.t.Helper()
	for _, w := range h.watches {
		w.expect(map[string]string{"gone": "-"})
	}
	if got, want := h.c.History.Hooks(backHome), []string{history.Occupied}; !slices.Equal(got, want) {
		h.c.t.Errorf("the backend was told %q of %s, want %q", got, backHome, want)
	}
	for _, hook := range h.c.History.Hooks(room) {
		if hook == history.Removed+" back" || hook == history.Removed+" twice" {
			h.c.t.Errorf("the backend was told %q, who was never gone", hook)
		}
	}
}

// revive starts the dead node again, which is no news to anybody.
func (h *household) revive() {
	h.c.t.Helper()
	h.doomed.Restart()
	late := h.c.Dial(ClientOptions{Name: "late", Node: h.doomed})
	late.Subscribe(room, goneHome)
	h.c.Settle()
	h.c.Flow(room, backHome)
	for _, w := range h.watches {
		w.expect(map[string]string{"gone": "-", "late": "+"})
	}
	h.c.AwaitHooks(goneHome, history.Occupied, history.Vacated, history.Occupied)
}

func TestKillOfANode(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Nodes: 3})
	h := newHousehold(c, c.Nodes[1])
	load := c.StartLoad(100, room, backHome)
	h.doomed.Kill()
	h.untilTold()
	h.revive()
	load.Stop()
	c.Settle()
}

// TestKillWithAWitness: one of two nodes dies, and the other serves as if
// nothing was, because the witness is there too.
func TestKillWithAWitness(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Nodes: 2, Witness: true})
	h := newHousehold(c, c.Nodes[1])
	survivor := c.Nodes[0]
	h.doomed.Kill()
	serving := c.serve(survivor)
	h.untilTold()
	serving()
	h.revive()
}

// TestKillOfTheWitness: two nodes do without it.
func TestKillOfTheWitness(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Nodes: 2, Witness: true})
	h := newHousehold(c, c.Nodes[1])
	witness := c.Nodes[2]
	witness.Kill()
	visitor := c.Dial(ClientOptions{Name: "visitor", Node: h.doomed, Once: true})
	visitor.Subscribe(room, "visited")
	c.Settle()
	visitor.Close()
	c.AwaitHooks("visited", history.Occupied, history.Vacated)
	c.Settle()
	witness.Restart()
	c.Settle()
	h.watches[0].expect(map[string]string{"visitor": "+-"})
}

// TestTwoNodesWithoutAWitness: they say at their start what they lose when one
// dies; the survivor goes on without decisions, which are made when the other
// is back.
func TestTwoNodesWithoutAWitness(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Nodes: 2})
	survivor := c.Nodes[0]
	c.await(service.Patience, survivor.Name+" does not say what two nodes without a witness lose", func() string {
		if len(lines(survivor.Log(), "the cluster has two nodes")) == 0 {
			return "its log has no such line"
		}
		return ""
	})
	h := newHousehold(c, c.Nodes[1])
	h.doomed.Kill()
	serving := c.serve(survivor)
	for _, w := range h.watches {
		w.await(map[string]string{"gone": "-"})
	}
	serving()
	h.doomed.Restart()
	c.AwaitHooks(goneHome, history.Occupied, history.Vacated)
	c.Settle()
	h.checkBack()
}

// serve triggers events on a node and has their arrival there awaited, one by
// one, until the returned function is called.
func (c *Cluster) serve(n *Node) (stop func()) {
	c.t.Helper()
	reader := c.Dial(ClientOptions{Name: "reader-" + n.Name, Node: n})
	channel := "served-by-" + n.Name
	reader.Subscribe(channel)
	c.flow(n, channel)
	ended, done := make(chan struct{}), make(chan struct{})
	count, slowest := 0, time.Duration(0)
	go func() {
		defer close(done)
		for ; ; count++ {
			select {
			case <-ended:
				return
			default:
			}
			took, err := c.deliver(n, channel)
			if err != nil {
				c.t.Errorf("%s does not serve: %v", n.Name, err)
				return
			}
			slowest = max(slowest, took)
		}
	}()
	return func() {
		c.t.Helper()
		close(ended)
		<-done
		c.t.Logf("%s served %d events meanwhile, the slowest within %v", n.Name, count, slowest.Round(time.Millisecond))
		if slowest > uninterrupted {
			c.t.Errorf("the slowest event took %v, want less than %v", slowest, uninterrupted)
		}
	}
}

// uninterrupted is the longest that an event may take on a busy machine. An
// event that waits for a new leader takes longer.
const uninterrupted = 3 * time.Second

// deliver triggers an event and waits until all subscribers have it.
func (c *Cluster) deliver(n *Node, channel string) (took time.Duration, err error) {
	start := time.Now()
	number, err := n.Trigger(channel)
	if err != nil {
		return 0, err
	}
	for missing := ""; ; time.Sleep(time.Millisecond) {
		if missing = c.misses(history.Stream{Node: n.Name, Channel: channel}, number); missing == "" {
			return time.Since(start), nil
		}
		if time.Since(start) > service.Patience {
			return 0, &undelivered{number, missing}
		}
	}
}

// TestKillOfTheLogsLeader: nobody who is not on it notices, but for decisions,
// which wait for another leader.
func TestKillOfTheLogsLeader(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Nodes: 3})
	h := newHousehold(c, c.Leader())
	a, b := c.others(h.doomed)[0], c.others(h.doomed)[1]
	far := c.Dial(ClientOptions{Name: "far", Node: b})
	far.Subscribe("between-survivors")
	c.flow(a, "between-survivors")
	h.doomed.Kill()
	start := time.Now()

	late := c.Dial(ClientOptions{Name: "late", Node: a})
	late.Join(room, "late")
	count, slowest := 0, time.Duration(0)
	for len(c.History.Hooks("late")) == 0 {
		took, err := c.deliver(a, "between-survivors")
		if err != nil {
			t.Fatal(err)
		}
		count, slowest = count+1, max(slowest, took)
		if time.Since(start) > 2*service.Patience {
			t.Fatal("the log has not caught up")
		}
	}
	c.noted("decisions after the death of the log's leader", time.Since(start), 10*time.Second)
	t.Logf("%d events between survivors meanwhile, the slowest within %v", count, slowest.Round(time.Millisecond))
	if slowest > uninterrupted {
		t.Errorf("the slowest event between survivors took %v, want less than %v", slowest, uninterrupted)
	}
	for _, w := range h.watches {
		w.await(map[string]string{"gone": "-", "late": "+"})
	}
	c.AwaitHooks(goneRoom, history.Occupied, history.Added+" gone", history.Removed+" gone", history.Vacated)
	c.Settle()
	h.doomed.Restart()
	c.Settle()
	for _, w := range h.watches {
		w.expect(map[string]string{"gone": "-", "late": "+"})
	}
}

// TestKillOfTwoOfThree: the one that is left goes on without decisions; when
// the others are back everything is as it should be.
func TestKillOfTwoOfThree(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Nodes: 3})
	h := newHousehold(c, c.Nodes[1])
	left, second := c.Nodes[0], c.Nodes[2]
	alone := c.Dial(ClientOptions{Name: "alone", Node: second, Once: true})
	alone.Subscribe(room, "alone")
	c.Settle()
	h.doomed.Kill()
	second.Kill()
	alone.gone()
	serving := c.serve(left)

	w := h.watches[0] // that of the node that is left
	late := c.Dial(ClientOptions{Name: "late", Node: left})
	late.Join(room)
	leaver := c.Dial(ClientOptions{Name: "leaver", Node: left})
	leaver.Join(room)
	want := map[string]string{"alone": "+-", "gone": "-", "late": "+", "leaver": "+"}
	w.await(want)
	leaver.Leave(room)
	want["leaver"] = "+-"
	w.await(want)
	serving()

	for _, n := range []*Node{h.doomed, second} {
		n.start()
	}
	for _, n := range []*Node{h.doomed, second} {
		n.awaitReady()
	}
	c.AwaitTogether()
	c.Settle()
	c.Flow(room, backHome)
	c.AwaitHooks(goneHome, history.Occupied, history.Vacated)
	c.AwaitHooks("alone", history.Occupied, history.Vacated)
	if got := w.byUser(); !maps.Equal(got, want) {
		t.Errorf("the client on the node that was left was told %v, want %v", got, want)
	}
}

// TestQueuedWebhooksOutliveTheirNode: a node dies that has webhooks to deliver,
// and others deliver them.
func TestQueuedWebhooksOutliveTheirNode(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Nodes: 3})
	c.Hooks.Refuse(true)
	channels := channelNames("queued-", 30)
	for i, n := range c.Nodes {
		cl := c.Dial(ClientOptions{Name: "client-" + n.Name, Node: n})
		cl.Subscribe(channels[10*i : 10*i+10]...)
	}
	c.await(service.Patience, "no webhook was tried", func() string {
		if c.Hooks.Refused() < 3 {
			return "the receiver got fewer than 3 requests"
		}
		return ""
	})
	c.Nodes[1].Kill()
	c.Hooks.Refuse(false)
	for _, channel := range channels {
		c.AwaitHooks(channel, history.Occupied)
	}
	c.Settle()
	c.Nodes[1].Restart()
	c.Settle()
}

// undelivered is why an event did not arrive.
type undelivered struct {
	number int
	where  string
}

func (e *undelivered) Error() string { return "an event has not arrived at " + e.where }
