package cluster

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// TestRandomFaults lets everything happen, one fault after the other, while
// clients come and go; after each everything has to be as it should be.
func TestRandomFaults(t *testing.T) {
	long(t, "takes minutes")
	c := Start(t, Options{Nodes: 3})
	rooms := append(channelNames("presence-random-", 3), channelNames("random-", 3)...)
	crowd := c.newCrowd(30, rooms)
	load := c.StartLoad(60, rooms...)
	faults := []fault{
		{"kill", func(n *Node) { n.Kill() }, (*Node).Restart},
		{"replace", (*Node).Terminate, (*Node).Restart},
		{"pause", (*Node).Pause, (*Node).Resume},
	}
	if c.reason == "" {
		faults = append(faults, fault{"cut", (*Node).Cut, (*Node).Heal})
	}
	const rounds = 15
	for i := range rounds {
		n := c.Nodes[c.Rand.IntN(len(c.Nodes))]
		f := faults[c.Rand.IntN(len(faults))]
		lasts := time.Duration(c.Rand.IntN(int(2*(Lease+Grace)/time.Millisecond))) * time.Millisecond
		t.Logf("%v: round %d: %s of %s for %v", c.History.Now(), i+1, f.name, n.Name, lasts)
		f.begin(n)
		crowd.mingle(lasts)
		f.end(n)
		took := c.Settle()
		c.Flow(rooms...)
		t.Logf("%v: settled after %v", c.History.Now(), took.Round(time.Millisecond))
	}
	load.Stop()
	c.Settle()
}

// A fault is what can happen to a node, and how it ends.
type fault struct {
	name       string
	begin, end func(*Node)
}

// A crowd is clients that come and go.
type crowd struct {
	c       *Cluster
	clients []*Client
	rooms   []string
	random  *rand.Rand
}

func (c *Cluster) newCrowd(size int, rooms []string) *crowd {
	c.t.Helper()
	k := &crowd{c: c, rooms: rooms, random: rand.New(rand.NewPCG(c.Seed, 1))}
	for i := range size {
		n := c.Nodes[i%len(c.Nodes)]
		// Two clients of each user.
		k.clients = append(k.clients, c.Dial(ClientOptions{Name: fmt.Sprintf("client%d", i), User: fmt.Sprintf("user%d", i/2), Node: n}))
	}
	for i, channel := range rooms {
		k.clients[i].Subscribe(channel)
	}
	c.Settle()
	return k
}

// mingle has clients join and leave at random, for some time.
func (k *crowd) mingle(lasts time.Duration) {
	for end := time.Now().Add(lasts); time.Now().Before(end); time.Sleep(poll) {
		cl := k.clients[k.random.IntN(len(k.clients))]
		channel := k.rooms[k.random.IntN(len(k.rooms))]
		socket := cl.Socket()
		switch {
		case !cl.wanted(channel):
			cl.Join(channel)
		case socket != nil && socket.Joined(channel) && !slices.Contains(k.rooms[:1], channel):
			cl.Leave(channel)
		}
	}
}

// wanted reports whether the client wants to be on a channel.
func (cl *Client) wanted(channel string) bool {
	cl.mu.Lock()
	defer cl.mu.Unlock()
	return cl.wants[channel]
}
