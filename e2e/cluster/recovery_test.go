package cluster

import (
	"fmt"
	"testing"
	"time"

	"github.com/belfryhq/belfry/e2e/service"
)

// Clients that ask for what they have missed, of which some lose their node. The
// history judges: each gets every event once and in order, or is told that it has not.

// returners are such clients, and the events that come meanwhile.
type returners struct {
	c        *Cluster
	channels []string
	load     *Load
}

func startReturners(c *Cluster) *returners {
	c.t.Helper()
	clients, channels, perSecond := 120, 30, 100
	if full() {
		clients, channels, perSecond = 10_000, 1000, 500
	}
	r := &returners{c: c, channels: channelNames("news-", channels)}
	for i := range clients {
		cl := c.dial(ClientOptions{Name: fmt.Sprintf("returner%d", i), Node: c.Nodes[i%len(c.Nodes)], Resumes: true})
		cl.Join(r.channels[i/len(c.Nodes)%channels]) // each channel has some on every node
	}
	c.rejoined()
	c.Settle()
	r.load = c.StartLoad(perSecond, r.channels...)
	r.events(perSecond)
	return r
}

// events waits until so many more events were triggered.
func (r *returners) events(n int) {
	r.c.t.Helper()
	before, _ := r.c.History.Accepted()
	r.c.await(2*service.Patience, "too few events", func() string {
		if now, _ := r.c.History.Accepted(); now-before < n {
			return fmt.Sprintf("%d of %d", now-before, n)
		}
		return ""
	})
}

// end ends the load, and lets everybody hear of everything.
func (r *returners) end() map[string]int {
	r.c.t.Helper()
	r.load.Stop()
	r.c.Flow(r.channels...) // an event behind those that may be lost: without one nobody knows
	r.c.Settle()
	verdicts := r.c.History.Verdicts()
	r.c.t.Logf("clients that came back were told: %v", verdicts)
	if verdicts["recovered"] == 0 {
		r.c.t.Error("nobody has recovered")
	}
	return verdicts
}

// historyOn is a setting of an app.
const historyOn = "history: {enabled: true}"

// TestRecoveryAfterAKill: the clients of a node that was killed get from others what
// those know, or hear that it can not be known.
func TestRecoveryAfterAKill(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Nodes: 3, NoHooks: true, App: historyOn})
	r := startReturners(c)
	n := c.Nodes[c.Rand.IntN(3)]
	n.Kill()
	r.events(100)
	c.rejoined()
	n.Restart()
	r.events(100)
	r.end()
}

// durableOn is a setting of an app.
const durableOn = "history: {enabled: true, durable: true}"

// TestDurableRecovery: what was accepted is there when the node that has accepted it was
// killed, and when all were. Nobody is told anything else.
func TestDurableRecovery(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Nodes: 3, NoHooks: true, App: durableOn, Durable: true})
	r := startReturners(c)
	n := c.Nodes[c.Rand.IntN(3)]
	n.Kill()
	r.events(100)
	c.rejoined()
	n.Restart()
	r.events(100)
	r.load.Stop()
	for _, n := range c.Nodes {
		n.Kill()
	}
	for _, n := range c.Nodes {
		n.start()
	}
	for _, n := range c.Nodes {
		n.awaitReady()
	}
	c.rejoined()
	r.load = c.StartLoad(100, r.channels...)
	r.events(100)
	r.end()
}

// TestRecoveryDuringARollingReplacement: a node that is stopped hands over what it has
// kept, so all clients recover.
func TestRecoveryDuringARollingReplacement(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Nodes: 3, NoHooks: true, App: historyOn, DrainTimeout: time.Second})
	r := startReturners(c)
	for _, n := range c.Nodes {
		n.Terminate()
		n.Restart()
		c.rejoined()
	}
	verdicts := r.end()
	for what, n := range verdicts {
		if what != "recovered" {
			t.Errorf("%d clients were told %s, want all recovered", n, what)
		}
	}
}

// TestRecoveryAcrossAPartition: clients of both sides miss what was published on the
// other one. Whoever comes back during the cut or afterwards is told the truth.
func TestRecoveryAcrossAPartition(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Nodes: 3, NoHooks: true, App: historyOn})
	c.RequireNamespaces()
	r := startReturners(c)
	lonely := c.Nodes[2]
	lonely.Cut()
	cut := time.Now()
	r.events(100)
	r.reconnect(0)
	for time.Since(cut) < longOr(30*time.Second, Lease+2*time.Second) {
		r.events(20)
	}
	r.reconnect(1)
	lonely.Heal()
	r.reconnect(2)
	r.events(100)
	r.end()
}

// reconnect ends the connections of every third client; they come back to other nodes.
func (r *returners) reconnect(which int) {
	r.c.t.Helper()
	for i, cl := range r.c.allClients() {
		if i/3%3 == which {
			cl.mu.Lock()
			if cl.conn != nil {
				cl.conn.Close()
			}
			cl.mu.Unlock()
		}
	}
	r.c.rejoined()
}
