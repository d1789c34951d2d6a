package cluster

import (
	"os"
	"strings"
	"testing"
	"time"
)

// TestCutShorterThanTheLeaseLosesNoEvent cuts one of three nodes off for less
// than the lease, under load. Every event arrives, in order, and nobody is
// told that anybody was gone. $CLUSTER_CUTS are other durations, as in 1s,2s.
func TestCutShorterThanTheLeaseLosesNoEvent(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Nodes: 3})
	c.RequireNamespaces()
	channels := append(channelNames("cut", 7), room)
	for _, n := range c.Nodes {
		c.Dial(ClientOptions{Name: "client-" + n.Name, Node: n}).Subscribe(channels...)
	}
	c.Flow(channels...)
	c.Settle()
	var watches []*watch
	for _, cl := range c.allClients() {
		watches = append(watches, cl.watch(room))
	}
	for _, cut := range cuts(t) {
		n := c.Nodes[c.Rand.IntN(len(c.Nodes))]
		load := c.StartLoad(500, channels...)
		time.Sleep(cut / 4) // some load before the cut
		// Not Cut, which says that events may be lost.
		n.setCut(true, c.network.cut)
		time.Sleep(cut) // how long the cut lasts
		n.setCut(false, c.network.heal)
		healed := time.Now()
		c.AwaitTogether()
		t.Logf("%s was cut off for %v, and is together with the others again after %v", n.Name, cut, time.Since(healed).Round(time.Millisecond))
		time.Sleep(Lease / 2) // some load after it
		load.Stop()
		c.Flow(channels...)
		c.Settle()
		for _, w := range watches {
			w.expect(map[string]string{})
		}
	}
	for _, n := range c.Nodes {
		for line := range strings.Lines(n.metrics()) {
			if strings.HasPrefix(line, "belfry_cluster_packets_resent_total") || strings.HasPrefix(line, "belfry_cluster_gaps_total") {
				t.Logf("%s: %s", n.Name, strings.TrimSpace(line))
			}
		}
	}
}

// cuts are the durations for which a node is cut off.
func cuts(t *testing.T) []time.Duration {
	list := []time.Duration{3 * time.Second}
	if text := os.Getenv("CLUSTER_CUTS"); text != "" {
		list = nil
		for word := range strings.SplitSeq(text, ",") {
			d, err := time.ParseDuration(word)
			if err != nil {
				t.Fatalf("CLUSTER_CUTS: %v", err)
			}
			list = append(list, d)
		}
	}
	return list
}
