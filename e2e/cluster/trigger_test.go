package cluster

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/belfryhq/belfry/e2e/cluster/history"
	"github.com/belfryhq/belfry/e2e/service"
)

// lock is held while an event of a stream is triggered.
func (c *Cluster) lock(s history.Stream) *sync.Mutex {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.streams[s] == nil {
		c.streams[s] = new(sync.Mutex)
	}
	return c.streams[s]
}

// Trigger triggers the next counted event on a channel by way of this node, and
// returns its number.
func (n *Node) Trigger(channel string) (number int, err error) {
	stream := history.Stream{Node: n.Name, Channel: channel}
	lock := n.c.lock(stream)
	lock.Lock()
	defer lock.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), 2*service.Patience)
	defer cancel()
	number, data := n.c.History.Trigger(stream)
	_, err = n.backend.Trigger(ctx, channel, history.Event, data)
	n.c.History.Triggered(stream, err == nil)
	return number, err
}

// patienceForEvents is how long an event may take before another one is
// triggered: a node learns of new subscriptions at others a moment later.
const patienceForEvents = 2 * time.Second

// Flow triggers an event on each channel by way of each node that serves, until
// all subscribers have got one of each of them. From then on none may be
// missed.
func (c *Cluster) Flow(channels ...string) {
	c.t.Helper()
	for _, channel := range channels {
		for _, n := range c.Serving() {
			c.flow(n, channel)
		}
	}
}

func (c *Cluster) flow(n *Node, channel string) {
	c.t.Helper()
	deadline := time.Now().Add(service.Patience)
	for {
		number, err := n.Trigger(channel)
		if err != nil {
			c.t.Logf("trigger on %s by %s: %v", channel, n.Name, err)
		}
		missing := ""
		for again := time.Now().Add(patienceForEvents); time.Now().Before(again); time.Sleep(poll / 4) {
			if missing = c.misses(history.Stream{Node: n.Name, Channel: channel}, number); missing == "" {
				return
			}
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("events on %s by %s do not reach %s", channel, n.Name, missing)
		}
	}
}

// misses names a socket on the channel that has not got an event.
func (c *Cluster) misses(s history.Stream, number int) string {
	for _, socket := range c.History.Sockets() {
		if socket.Wants(s.Channel) && socket.Seen(s) < number {
			return socket.String()
		}
	}
	return ""
}

// A Load triggers events on channels by way of all nodes that serve, until it
// is stopped.
type Load struct {
	c       *Cluster
	ended   chan struct{}
	workers sync.WaitGroup

	mu     sync.Mutex
	failed map[string]int // by node and error
}

// loadWorkers is how many requests a load makes at once for each node.
const loadWorkers = 4

// StartLoad starts a load of so many events a second over all nodes.
func (c *Cluster) StartLoad(perSecond int, channels ...string) *Load {
	l := &Load{c: c, ended: make(chan struct{}), failed: make(map[string]int)}
	workers := loadWorkers * c.options.Nodes
	pause := time.Second * time.Duration(workers) / time.Duration(perSecond)
	for _, n := range c.Nodes {
		if n.Witness {
			continue
		}
		for w := range loadWorkers {
			var some []string // a stream belongs to one worker
			for i := w; i < len(channels); i += loadWorkers {
				some = append(some, channels[i])
			}
			if len(some) > 0 {
				l.workers.Go(func() { l.run(n, some, pause) })
			}
		}
	}
	return l
}

func (l *Load) run(n *Node, channels []string, pause time.Duration) {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-l.ended:
			return
		case <-tick.C:
		}
		if !n.Serves() {
			continue
		}
		if _, err := n.Trigger(channels[i%len(channels)]); err != nil {
			l.mu.Lock()
			l.failed[n.Name+": "+err.Error()]++
			l.mu.Unlock()
		}
	}
}

// Stop ends the load, waits for its last requests, and says what it was.
func (l *Load) Stop() {
	l.c.t.Helper()
	close(l.ended)
	l.workers.Wait()
	ok, not := l.c.History.Accepted()
	l.c.t.Logf("%d events were accepted, %d were not: %v", ok, not, l.failed)
}

// channelNames returns names with numbers.
func channelNames(prefix string, count int) []string {
	names := make([]string, count)
	for i := range names {
		names[i] = fmt.Sprintf("%s%d", prefix, i)
	}
	return names
}
