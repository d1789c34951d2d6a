package cluster

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/belfryhq/belfry/e2e/cluster/history"
	"github.com/belfryhq/belfry/e2e/service"
)

// The sizes of TestRollingReplacement.
type rollingSize struct {
	sockets, channels, rooms, events int // events a second
	drain                            time.Duration
}

func sizeOfRolling() rollingSize {
	if service.Race {
		return rollingSize{sockets: 300, channels: 30, rooms: 5, events: 60, drain: 5 * time.Second}
	}
	return rollingSize{sockets: 2000, channels: 100, rooms: 10, events: 500, drain: 10 * time.Second}
}

// TestRollingReplacement stops and starts one node after the other, as a
// deploy does, under load. Nobody is told anything but events.
func TestRollingReplacement(t *testing.T) {
	size := sizeOfRolling()
	c := Start(t, Options{Nodes: 3, DrainTimeout: size.drain})
	channels, rooms := channelNames("news-", size.channels), channelNames("presence-hall-", size.rooms)
	for i := range size.sockets {
		cl := c.dial(ClientOptions{Name: fmt.Sprintf("page%d", i), Node: c.Nodes[i%3]})
		cl.Join(channels[i%len(channels)])
		if i%4 == 0 {
			cl.Join(rooms[i/4%len(rooms)])
		}
	}
	c.Settle()
	told := c.History.AllHooks()
	transitions := c.History.Transitions()

	load := c.StartLoad(size.events, channels...)
	visits := c.startVisits()
	for _, n := range slices.Clone(c.Nodes) {
		sockets := c.socketsOf(n)
		n.Terminate()
		c.checkSpread(n, sockets, size.drain)
		n.Restart()
		c.rejoined()
	}
	visited := visits()
	load.Stop()
	c.Settle()
	c.Flow(channels[0])

	if now := c.History.Transitions(); now != transitions {
		t.Errorf("sockets were told of %d members who came or went", now-transitions)
	}
	for _, channel := range visited {
		c.AwaitHooks(channel, history.Occupied, history.Vacated)
	}
	all := c.History.AllHooks()
	if got, want := len(all)-len(told), 2*len(visited); got != want {
		t.Errorf("the backend was told %d events meanwhile, want the %d of visits: %v", got, want, all[len(told):min(len(all), len(told)+20)])
	}
	t.Logf("%d visits, %d webhooks", len(visited), len(all))
}

// socketsOf are the open sockets of a node.
func (c *Cluster) socketsOf(n *Node) []*history.Socket {
	return slices.DeleteFunc(c.History.Sockets(), func(s *history.Socket) bool { return s.Node != n.Name })
}

// rejoined waits until everybody is connected and subscribed again.
func (c *Cluster) rejoined() {
	c.t.Helper()
	c.await(2*service.Patience, "not connected again", func() string {
		for _, cl := range c.allClients() {
			s := cl.Socket()
			if s == nil {
				return cl.options.Name + " has no connection"
			}
			if channel := s.Pending(); channel != "" {
				return cl.options.Name + " is not subscribed to " + channel
			}
		}
		return ""
	})
}

// drainEach is the longest that a node takes for each client that it sends
// elsewhere.
const drainEach = 10 * time.Millisecond

// checkSpread sees that the node sent its clients elsewhere little by little.
func (c *Cluster) checkSpread(n *Node, sockets []*history.Socket, drain time.Duration) {
	c.t.Helper()
	var ends []history.Moment
	for _, s := range sockets {
		at, ended := s.Ended()
		if !ended {
			c.t.Errorf("%s has ended, and the connection %v has not", n.Name, s)
			continue
		}
		ends = append(ends, at)
	}
	slices.Sort(ends)
	if len(ends) < 10 {
		c.t.Fatalf("%s had %d connections, want many", n.Name, len(ends))
	}
	// Without the first and the last tenth: some may be told late.
	spread := time.Duration(ends[len(ends)*9/10] - ends[len(ends)/10])
	c.t.Logf("%s sent %d clients elsewhere, eight of ten of them within %v", n.Name, len(ends), spread.Round(time.Millisecond))
	asked := min(drain, drainEach*time.Duration(len(ends)))
	if spread < asked/3 {
		c.t.Errorf("%s sent its clients elsewhere within %v, want %v", n.Name, spread, asked)
	}
	fours := 0
	for _, cl := range c.allClients() {
		if codes := cl.Closes(); len(codes) > 0 && codes[len(codes)-1] == 4200 {
			fours++
		}
	}
	if fours < len(ends)*9/10 {
		c.t.Errorf("%d of %d clients were told 4200", fours, len(ends))
	}
}

// startVisits has clients come to channels of their own and leave them, one
// after the other, until the returned function is called, which returns the
// channels.
func (c *Cluster) startVisits() (stop func() []string) {
	cl := c.Dial(ClientOptions{Name: "visitor", Node: c.Nodes[0]})
	ended := make(chan struct{})
	var worker sync.WaitGroup
	var visited []string
	worker.Go(func() {
		for i := 0; ; i++ {
			channel := fmt.Sprintf("visit-%d", i)
			cl.Subscribe(channel)
			visited = append(visited, channel)
			if missing := c.told(channel, history.Occupied); missing != "" {
				c.t.Error(missing)
				return
			}
			cl.Leave(channel)
			select {
			case <-ended:
				return
			case <-time.After(10 * poll):
			}
		}
	})
	return func() []string {
		close(ended)
		worker.Wait()
		return visited
	}
}

// told waits until the backend was told something of a channel, or says that
// it was not. It may be called by any goroutine.
func (c *Cluster) told(channel, what string) string {
	deadline := time.Now().Add(2 * service.Patience)
	for !slices.Contains(c.History.Hooks(channel), what) {
		if time.Now().After(deadline) {
			return fmt.Sprintf("the backend was not told %s of %s", what, channel)
		}
		time.Sleep(poll)
	}
	return ""
}

// TestDrain: a node that is asked to drain wants no new clients before it
// sends the others elsewhere, and nobody is told of members who come and go.
func TestDrain(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Nodes: 3, DrainTimeout: 3 * time.Second, Settings: "drain_delay: 2s"})
	n := c.Nodes[1]
	watcher := c.Dial(ClientOptions{Name: "watcher", Node: c.Nodes[0]})
	watcher.Subscribe(room)
	guest := c.Dial(ClientOptions{Name: "guest", Node: n})
	guest.Subscribe(room, "guest")
	c.Settle()
	w := watcher.watch(room)
	socket := guest.Socket()
	if out, err := n.run("drain", "--no-wait"); err != nil {
		t.Fatalf("drain: %v: %s", err, out)
	}
	c.await(service.Patience, "the node is still ready", func() string {
		if n.Ready() {
			return "readyz is 200"
		}
		return ""
	})
	if _, ended := socket.Ended(); ended {
		t.Error("the client was sent elsewhere before the node said that it is not ready")
	}
	guest.Await("moved", func() bool { return guest.socket != nil && guest.socket != socket })
	if got := guest.Closes(); got[0] != 4200 {
		t.Errorf("the client was sent elsewhere with %v, want 4200", got)
	}
	n.Terminate()
	c.Settle()
	n.Restart()
	c.Settle()
	w.expect(map[string]string{})
	c.AwaitHooks("guest", history.Occupied)
}
