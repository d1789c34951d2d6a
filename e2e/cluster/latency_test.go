package cluster

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/belfryhq/belfry/e2e/service"
)

// TestLatency measures what it costs to be on another node: the time from a
// backend's request to an event's arrival, by way of one node, at a socket of
// the same and of another. It sets no limit.
func TestLatency(t *testing.T) {
	c := Start(t, Options{Nodes: 3, NoHooks: true})
	near, far := c.on(c.Nodes[0], "near"), c.on(c.Nodes[1], "far")
	near.Subscribe("near-only", "both")
	far.Subscribe("far-only", "both")
	const events = 500
	for round, m := range []struct {
		channel string
		client  *Client
	}{{"near-only", near}, {"far-only", far}, {"both", near}, {"both", far}} {
		var times []time.Duration
		for i := range events {
			times = append(times, c.Nodes[0].latency(m.client, m.channel, fmt.Sprintf("%d/%d", round, i)))
		}
		slices.Sort(times)
		t.Logf("%-9s from n1 to %s: p50 %v, p99 %v", m.channel, m.client.Socket().Node,
			times[events/2].Round(time.Microsecond), times[events*99/100].Round(time.Microsecond))
	}
}

// latency triggers one event and returns after what time the client got it.
func (n *Node) latency(cl *Client, channel, data string) time.Duration {
	n.c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), service.Patience)
	defer cancel()
	start := n.c.History.Now()
	if _, err := n.backend.Trigger(ctx, channel, "timed", data); err != nil {
		n.c.t.Fatal(err)
	}
	for {
		if f := cl.AwaitFrame("timed", channel); f.Data == data {
			return time.Duration(f.At - start)
		}
	}
}

// TestNodesWithoutSubscribers: a node spends nothing on events of channels that
// nobody on it has.
func TestNodesWithoutSubscribers(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Nodes: 3, NoHooks: true})
	c.on(c.Nodes[1], "reader").Subscribe("elsewhere")
	c.on(c.Nodes[2], "idler").Subscribe("something-else")
	const events = 2000
	c.flow(c.Nodes[0], "elsewhere")
	before := c.received()
	for range events {
		if _, err := c.deliver(c.Nodes[0], "elsewhere"); err != nil { // one by one, or they share packets
			t.Fatal(err)
		}
	}
	spent := c.received()
	for name := range spent {
		spent[name] -= before[name]
	}
	t.Logf("packets that nodes got from n1 for %d events: %v", events, spent)
	if spent["n2"] < events {
		t.Errorf("the node with a subscriber got %d packets, want %d at least", spent["n2"], events)
	}
	if spent["n3"] > events/10 {
		t.Errorf("the node without a subscriber got %d packets, want next to none", spent["n3"])
	}
}

// received is how many packets each node has got from the first.
func (c *Cluster) received() map[string]int {
	c.t.Helper()
	counts := make(map[string]int)
	for _, n := range c.Nodes[1:] {
		s, err := n.Status()
		if err != nil {
			c.t.Fatal(err)
		}
		for _, from := range s.Nodes {
			if from.Name == c.Nodes[0].Name {
				counts[n.Name] = from.Received
			}
		}
	}
	return counts
}
