package cluster

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/belfryhq/belfry/e2e/cluster/history"
	"github.com/belfryhq/belfry/e2e/service"
)

// Sizes of TestJoinsAndLeaves.
const (
	stormUsers   = 24
	stormWorkers = 4 // on each node
	stormChanges = 10_000
)

// TestJoinsAndLeaves has the same users join and leave the same channels on
// all nodes at once.
func TestJoinsAndLeaves(t *testing.T) {
	c := Start(t, Options{Nodes: 3})
	rooms := []string{"presence-storm", "presence-tempest"}
	for _, n := range c.Nodes {
		c.Dial(ClientOptions{Name: "watcher-" + n.Name, Node: n}).Subscribe(rooms...)
	}
	var workers sync.WaitGroup
	start := time.Now()
	for i, n := range c.Nodes {
		for w := range stormWorkers {
			s := &storm{c: c, rooms: rooms, random: rand.New(rand.NewPCG(c.Seed, uint64(100*i+w)))}
			for u := w; u < stormUsers; u += stormWorkers {
				user := fmt.Sprintf("user%d", u)
				s.clients = append(s.clients, c.Dial(ClientOptions{Name: user + "-" + n.Name, User: user, Node: n}))
			}
			workers.Go(func() { s.blow(stormChanges / (3 * stormWorkers)) })
		}
	}
	workers.Wait()
	t.Logf("%d joins and leaves in %v; sockets were told of %d members who came or went",
		stormChanges, time.Since(start).Round(time.Millisecond), c.History.Transitions())
	settled := c.Settle()
	t.Logf("settled after %v; the backend was told %d events", settled.Round(time.Millisecond), len(c.History.AllHooks()))
	if c.History.Transitions() < stormUsers {
		t.Error("hardly anything happened")
	}
}

// A storm is one worker's clients, which join and leave at random.
type storm struct {
	c       *Cluster
	rooms   []string
	clients []*Client
	random  *rand.Rand
}

// blow makes so many changes.
func (s *storm) blow(changes int) {
	for range changes {
		cl := s.clients[s.random.IntN(len(s.clients))]
		channel := s.rooms[s.random.IntN(len(s.rooms))]
		switch socket := cl.Socket(); {
		case socket == nil:
			s.c.t.Errorf("%s has lost its connection", cl.options.Name)
			return
		case !socket.Wants(channel):
			cl.Join(channel)
		case s.joined(socket, channel):
			cl.Leave(channel)
		default:
			return // said by joined
		}
	}
}

// joined waits until a subscription has succeeded.
func (s *storm) joined(socket *history.Socket, channel string) bool {
	for deadline := time.Now().Add(service.Patience); !socket.Joined(channel); time.Sleep(time.Millisecond) {
		if _, ended := socket.Ended(); ended || time.Now().After(deadline) {
			s.c.t.Errorf("%v is not subscribed to %s (ended: %t)", socket, channel, ended)
			return false
		}
	}
	return true
}

// TestTwoFirstSubscribers has two nodes get their first subscriber of a
// channel at the same instant, and lose their last at the same instant; many
// times.
func TestTwoFirstSubscribers(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Nodes: 3})
	const rounds = 100
	public, presence := channelNames("first-", rounds), channelNames("presence-first-", rounds)
	var pair []*Client
	for _, n := range c.Nodes[:2] {
		pair = append(pair, c.Dial(ClientOptions{Name: "twin-" + n.Name, User: "twin", Node: n}))
	}
	atOnce(rounds, pair, func(cl *Client, i int) { cl.Join(public[i], presence[i]) })
	c.Settle()
	atOnce(rounds, pair, func(cl *Client, i int) { cl.Leave(public[i], presence[i]) })
	c.Settle()
	for i := range rounds {
		for channel, want := range map[string][]string{
			public[i]:   {history.Occupied, history.Vacated},
			presence[i]: {history.Occupied, history.Added + " twin", history.Removed + " twin", history.Vacated},
		} {
			if got := c.History.Hooks(channel); !slices.Equal(got, want) {
				t.Errorf("the backend was told %q of %s, want %q", got, channel, want)
			}
		}
	}
}

// atOnce has all clients do something at the same moment, round after round.
func atOnce(rounds int, clients []*Client, do func(cl *Client, round int)) {
	for i := range rounds {
		start := make(chan struct{})
		var all sync.WaitGroup
		for _, cl := range clients {
			all.Go(func() {
				<-start
				do(cl, i)
			})
		}
		close(start)
		all.Wait()
	}
}
