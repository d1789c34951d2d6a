package cluster

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/belfryhq/belfry/backend"
	"github.com/belfryhq/belfry/e2e/cluster/history"
	"github.com/belfryhq/belfry/e2e/service"
	"github.com/belfryhq/belfry/protocol"
)

// TestAcrossNodes is everything that one node does, with those who take part on
// different nodes.
func TestAcrossNodes(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Nodes: 3})
	for name, test := range map[string]func(t *testing.T, c *Cluster){
		"events":             acrossEvents,
		"batches":            acrossBatches,
		"newcomers":          acrossNewcomers,
		"presence":           acrossPresence,
		"counts":             acrossCounts,
		"cache channels":     acrossCache,
		"users":              acrossUsers,
		"termination":        acrossTermination,
		"watchlists":         acrossWatchlists,
		"client events":      acrossClientEvents,
		"fallback streaming": acrossStreaming,
		"fallback polling":   acrossPolling,
	} {
		t.Run(name, func(t *testing.T) { c.during(t, test) })
	}
	c.Settle()
}

// during runs a part of the test, which fails in its own name.
func (c *Cluster) during(t *testing.T, part func(t *testing.T, c *Cluster)) {
	defer func(whole testing.TB) { c.t = whole }(c.t)
	c.t = t
	part(t, c)
}

// on connects a client of a user to a node.
func (c *Cluster) on(n *Node, user string) *Client {
	c.t.Helper()
	return c.Dial(ClientOptions{Name: user + "-" + n.Name, User: user, Node: n})
}

// trigger triggers an event that is not counted, by way of a node.
func (n *Node) trigger(channel, event string, data any, options ...backend.TriggerOption) {
	n.c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), service.Patience)
	defer cancel()
	if _, err := n.backend.Trigger(ctx, channel, event, data, options...); err != nil {
		n.c.t.Fatalf("trigger on %s by %s: %v", channel, n.Name, err)
	}
}

func acrossEvents(t *testing.T, c *Cluster) {
	channels := []string{"orders", "private-orders", "presence-orders", "cache-orders"}
	var all []*Client
	for i, n := range c.Nodes {
		cl := c.on(n, fmt.Sprintf("orderer%d", i))
		cl.Subscribe(channels...)
		all = append(all, cl)
	}
	for _, channel := range channels {
		for i, n := range c.Nodes {
			event := "paid-" + n.Name
			n.trigger(channel, event, map[string]any{"price": 12.5}, backend.ExcludeSocket(all[i].SocketID()))
			n.trigger(channel, "after-"+n.Name, "x")
			for j, cl := range all {
				if i != j {
					if f := cl.AwaitFrame(event, channel); f.Data != `{"price":12.5}` {
						t.Errorf("the data is %s", f.Data)
					}
				}
				cl.AwaitFrame("after-"+n.Name, channel)
				if got, want := cl.Frames(event, channel), min(1, max(i-j, j-i)); got != want {
					t.Errorf("%s got the event of %s on %s %d times, want %d", cl.options.Name, n.Name, channel, got, want)
				}
			}
		}
	}
}

func acrossBatches(t *testing.T, c *Cluster) {
	first, second := c.on(c.Nodes[1], "batcher"), c.on(c.Nodes[2], "batcher")
	first.Subscribe("batch-a")
	second.Subscribe("batch-b", "batch-a")
	ctx, cancel := context.WithTimeout(context.Background(), service.Patience)
	defer cancel()
	_, err := c.Nodes[0].backend.TriggerBatch(ctx, []backend.Event{
		{Channel: "batch-a", Name: "one", Data: "1"}, {Channel: "batch-b", Name: "two", Data: "2"}, {Channel: "batch-a", Name: "three", Data: "3"},
	})
	if err != nil {
		t.Fatal(err)
	}
	first.AwaitFrame("one", "batch-a")
	first.AwaitFrame("three", "batch-a")
	second.AwaitFrame("one", "batch-a")
	second.AwaitFrame("two", "batch-b")
	second.AwaitFrame("three", "batch-a")
}

// acrossNewcomers: what is triggered after a subscription has succeeded comes,
// wherever it is triggered.
func acrossNewcomers(t *testing.T, c *Cluster) {
	cl := c.on(c.Nodes[1], "newcomer")
	for i := range 50 {
		channel := fmt.Sprintf("new-%d", i)
		cl.Subscribe(channel)
		c.Nodes[2*(i%2)].trigger(channel, "welcome", i)
		cl.AwaitFrame("welcome", channel)
	}
}

func acrossPresence(t *testing.T, c *Cluster) {
	const ch = "presence-across"
	ann := c.on(c.Nodes[0], "ann")
	ann.Subscribe(ch)
	bob := c.on(c.Nodes[1], "bob")
	bob.Subscribe(ch)
	ann.AwaitChanges(ch, "+bob")
	bobToo := c.on(c.Nodes[2], "bob")
	bobToo.Subscribe(ch)
	if got, want := bobToo.Socket().Members(ch), []string{"ann", "bob"}; !slices.Equal(got, want) {
		t.Errorf("members = %q, want %q", got, want)
	}
	c.Settle()
	bob.Close()
	c.Settle()
	eve := c.on(c.Nodes[1], "eve")
	eve.Subscribe(ch)
	ann.AwaitChanges(ch, "+bob", "+eve")
	bobToo.Leave(ch)
	ann.AwaitChanges(ch, "+bob", "+eve", "-bob")
	eve.AwaitChanges(ch, "-bob")
	c.Settle()
	c.AwaitHooks(ch, history.Occupied, history.Added+" ann", history.Added+" bob", history.Added+" eve", history.Removed+" bob")
}

func acrossCounts(t *testing.T, c *Cluster) {
	const ch = "crowd"
	first := c.on(c.Nodes[0], "counter")
	first.Subscribe(ch)
	var others []*Client
	for i := range 9 {
		cl := c.on(c.Nodes[i%3], "counted")
		cl.Subscribe(ch)
		others = append(others, cl)
	}
	first.Await("told the count of 10", func() bool { return first.socket.Count(ch) == 10 })
	c.Settle()
	for _, cl := range others {
		cl.Close()
	}
	first.Await("told the count of 1", func() bool { return first.socket.Count(ch) == 1 })
	c.Settle()
}

func acrossCache(t *testing.T, c *Cluster) {
	const full, empty = "cache-across", "private-cache-empty"
	c.Nodes[0].trigger(full, "price", "17")
	for _, n := range c.Nodes {
		cl := c.on(n, "customer")
		cl.Subscribe(full)
		if f := cl.AwaitFrame("price", full); f.Data != "17" {
			t.Errorf("the cached event on %s is %s, want 17", n.Name, f.Data)
		}
		cl.Subscribe(empty)
		cl.AwaitFrame(protocol.EventCacheMiss, empty)
	}
	c.Nodes[2].trigger(full, "price", "18")
	c.await(service.Patience, "the newer event is not what a newcomer gets", func() string {
		for _, n := range c.Nodes {
			ctx, cancel := context.WithTimeout(context.Background(), service.Patience)
			info, err := n.backend.Channel(ctx, full, backend.CachedEvent)
			cancel()
			if err != nil {
				return err.Error()
			}
			if info.Cache == nil || !strings.Contains(string(info.Cache.Data), "18") {
				return n.Name + " has another one"
			}
		}
		return ""
	})
}

func acrossUsers(t *testing.T, c *Cluster) {
	one, two, other := c.on(c.Nodes[1], "una"), c.on(c.Nodes[2], "una"), c.on(c.Nodes[2], "otto")
	for _, cl := range []*Client{one, two, other} {
		cl.SignIn()
	}
	send := func(user, event string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), service.Patience)
		defer cancel()
		if err := c.Nodes[0].backend.SendToUser(ctx, user, event, "hello"); err != nil {
			t.Fatal(err)
		}
	}
	send("una", "invited")
	send("otto", "after")
	one.AwaitFrame("invited", protocol.UserChannel("una"))
	two.AwaitFrame("invited", protocol.UserChannel("una"))
	other.AwaitFrame("after", protocol.UserChannel("otto"))
	if n := other.Frames("invited", protocol.UserChannel("una")); n != 0 {
		t.Errorf("somebody else got %d events of a user", n)
	}
}

func acrossTermination(t *testing.T, c *Cluster) {
	var troll []*Client
	for _, n := range c.Nodes {
		cl := c.on(n, "troll")
		cl.SignIn()
		cl.Subscribe("presence-bridge")
		troll = append(troll, cl)
	}
	goat := c.on(c.Nodes[0], "goat")
	goat.SignIn()
	goat.Subscribe("presence-bridge")
	ctx, cancel := context.WithTimeout(context.Background(), service.Patience)
	defer cancel()
	if err := c.Nodes[0].backend.TerminateUserConnections(ctx, "troll"); err != nil {
		t.Fatal(err)
	}
	for _, cl := range troll {
		cl.gone()
		if got := cl.Closes(); !slices.Equal(got, []int{4009}) {
			t.Errorf("a terminated connection ended with %v, want 4009", got)
		}
	}
	goat.AwaitChanges("presence-bridge", "-troll")
}

func acrossWatchlists(t *testing.T, c *Cluster) {
	watcher := c.on(c.Nodes[0], "watcher")
	early := c.on(c.Nodes[1], "early")
	early.SignIn()
	c.await(service.Patience, "early is not online for a watcher elsewhere", func() string {
		probe := c.on(c.Nodes[0], "prober")
		defer probe.Close()
		probe.SignIn("early")
		if f := probe.AwaitFrame(protocol.EventWatchlist, ""); !strings.Contains(f.Data, "online") {
			return f.Data
		}
		return ""
	})
	watcher.SignIn("early", "late")
	first := watcher.AwaitFrame(protocol.EventWatchlist, "").Data
	for _, want := range []string{`"online","user_ids":["early"]`, `"offline","user_ids":["late"]`} {
		if !strings.Contains(first, want) {
			t.Errorf("the first news of a watchlist is %s, want %s in it", first, want)
		}
	}
	expect := func(name, user string) {
		t.Helper()
		got := watcher.AwaitFrame(protocol.EventWatchlist, "").Data
		if want := fmt.Sprintf(`"%s","user_ids":["%s"]`, name, user); !strings.Contains(got, want) || strings.Count(got, "user_ids") != 1 {
			t.Errorf("the news of a watchlist is %s, want %s", got, want)
		}
	}
	late, lateToo := c.on(c.Nodes[1], "late"), c.on(c.Nodes[2], "late")
	late.SignIn()
	expect("online", "late")
	lateToo.SignIn()
	early.Close()
	expect("offline", "early")
	late.Close()
	lateToo.Close()
	expect("offline", "late")
}

func acrossClientEvents(t *testing.T, c *Cluster) {
	var all []*Client
	for i, n := range c.Nodes {
		cl := c.on(n, fmt.Sprintf("typist%d", i))
		cl.Subscribe("presence-typing", "private-typing")
		all = append(all, cl)
	}
	for i, sender := range all {
		event := fmt.Sprintf("client-typing%d", i)
		for _, channel := range []string{"presence-typing", "private-typing"} {
			sender.Send(event, channel, map[string]int{"n": i})
			for j, cl := range all {
				if i == j {
					continue
				}
				f := cl.AwaitFrame(event, channel)
				user := ""
				if strings.HasPrefix(channel, "presence-") {
					user = sender.options.User
				}
				if f.UserID != user {
					t.Errorf("the client event on %s is of the user %q, want %q", channel, f.UserID, user)
				}
			}
			sender.Ping()
			if n := sender.Frames(event, channel); n != 0 {
				t.Errorf("the sender got %d of its own events", n)
			}
		}
	}
}

// TestOrderAcrossNodes: many backends at once, by way of all nodes; every
// socket gets all of it in the order of each node.
func TestOrderAcrossNodes(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Nodes: 3, NoHooks: true})
	channels := channelNames("ordered-", 4)
	for i := range 9 {
		c.Dial(ClientOptions{Name: fmt.Sprintf("reader%d", i), Node: c.Nodes[i%3]}).Subscribe(channels...)
	}
	c.Flow(channels...)
	var backends sync.WaitGroup
	for _, n := range c.Nodes {
		for _, channel := range channels {
			backends.Go(func() {
				for range 200 {
					if _, err := n.Trigger(channel); err != nil {
						t.Errorf("trigger by %s: %v", n.Name, err)
						return
					}
				}
			})
		}
	}
	backends.Wait()
	c.Settle()
	for _, s := range c.History.Sockets() {
		if got := s.Received(); got < 3*4*200 {
			t.Errorf("%v got %d events, want %d at least", s, got, 3*4*200)
		}
	}
}
