package cluster

import (
	"context"
	"fmt"
	"slices"
	"strconv"
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
	for _, m := range []struct {
		channel string
		client  *Client
	}{{"near-only", near}, {"far-only", far}, {"both", near}, {"both", far}} {
		var times []time.Duration
		for i := range events {
			times = append(times, c.Nodes[0].latency(m.client, m.channel, strconv.Itoa(i)))
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
	before := make(map[string]float64)
	for _, n := range c.Nodes {
		before[n.Name] = n.received()
	}
	for range events {
		if _, err := c.Nodes[0].Trigger("elsewhere"); err != nil {
			t.Fatal(err)
		}
	}
	c.Settle()
	spent := make(map[string]float64)
	for _, n := range c.Nodes {
		spent[n.Name] = n.received() - before[n.Name]
	}
	t.Logf("messages that nodes got for %d events: %v", events, spent)
	if spent["n2"] < events {
		t.Errorf("the node with a subscriber got %v messages, want %d at least", spent["n2"], events)
	}
	if spent["n3"] > events/10 {
		t.Errorf("the node without a subscriber got %v messages, want next to none", spent["n3"])
	}
}

// receivedMetric counts the messages that a node gets from others.
const receivedMetric = "belfry_broker_received_total"

// received is how many messages the node has got from others.
func (n *Node) received() float64 {
	n.c.t.Helper()
	sum, found := 0.0, false
	for _, line := range lines("\n"+n.metrics(), receivedMetric) {
		var value float64
		if line[0] == '#' {
			continue
		}
		if _, err := fmt.Sscan(line[len(line)-len(lastWord(line)):], &value); err == nil {
			sum, found = sum+value, true
		}
	}
	if !found {
		n.c.t.Fatalf("%s has no metric %s", n.Name, receivedMetric)
	}
	return sum
}

// lastWord is what stands behind the last space.
func lastWord(line string) string {
	for i := len(line) - 1; i >= 0; i-- {
		if line[i] == ' ' {
			return line[i+1:]
		}
	}
	return line
}
