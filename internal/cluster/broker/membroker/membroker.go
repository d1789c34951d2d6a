// Package membroker carries messages between nodes of one process, for tests.
// The brokers speak to each other as they do over a real network; what lies
// between them can be cut, and packets be lost. It works in the bubbles of
// testing/synctest: nothing takes time but what is said to.
package membroker

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/belfryhq/belfry/internal/cluster/broker"
	"github.com/belfryhq/belfry/internal/cluster/broker/mesh"
	"github.com/belfryhq/belfry/internal/cluster/node"
)

// Options say how patient the nodes of a network are. Zero values mean those
// of package mesh.
type Options struct {
	Lease, Grace time.Duration
	MaxPending   int64
	// MaxPacket is how many bytes a packet may have. Zero means 1 MiB.
	MaxPacket int
	// Log may be nil.
	Log *slog.Logger
}

const defaultMaxPacket = 1 << 20

// A Network is what lies between nodes. Its methods are safe for concurrent
// use.
type Network struct {
	opts Options

	mu    sync.Mutex
	nodes map[node.ID]*Broker
	cuts  map[way]bool
	drops map[way]int // how many packets are to be lost
}

// A way leads from one node to another.
type way struct{ from, to string }

// NewNetwork returns a network without nodes.
func NewNetwork(opts Options) *Network {
	if opts.MaxPacket == 0 {
		opts.MaxPacket = defaultMaxPacket
	}
	return &Network{
		opts:  opts,
		nodes: make(map[node.ID]*Broker),
		cuts:  make(map[way]bool),
		drops: make(map[way]int),
	}
}

// A Broker is a node's part in a network.
type Broker struct {
	*mesh.Mesh
	name string
	wire *wire
}

var _ broker.Broker = (*Broker)(nil)

// Join returns the broker of a new incarnation of the node of that name. It is
// there from its Start to its Close.
func (n *Network) Join(name string) *Broker {
	w := &wire{network: n, name: name}
	m, err := mesh.New(mesh.Config{
		ID: node.NewID(), Name: name, Lease: n.opts.Lease, Grace: n.opts.Grace,
		MaxPending: n.opts.MaxPending, Log: n.opts.Log,
	}, w)
	if err != nil {
		panic(fmt.Sprintf("membroker: %v", err)) // the test's own options
	}
	return &Broker{Mesh: m, name: name, wire: w}
}

// Start implements [broker.Broker].
func (b *Broker) Start(r broker.Receiver) error {
	n := b.wire.network
	n.mu.Lock()
	n.nodes[b.ID()] = b
	n.mu.Unlock()
	return b.Mesh.Start(r)
}

// Close implements [broker.Broker].
func (b *Broker) Close(ctx context.Context) error {
	n := b.wire.network
	n.mu.Lock()
	delete(n.nodes, b.ID())
	n.mu.Unlock()
	return b.Mesh.Close(ctx)
}

// Cut loses all packets between two nodes, in both directions, until they are
// healed.
func (n *Network) Cut(a, b string) { n.cut(a, b, true) }

// Heal ends what Cut has begun.
func (n *Network) Heal(a, b string) { n.cut(a, b, false) }

func (n *Network) cut(a, b string, cut bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cuts[way{a, b}], n.cuts[way{b, a}] = cut, cut
}

// Drop loses the next packets with messages, as many as that, from one node to
// the other. Messages that are sent one right after the other may travel in
// one packet.
func (n *Network) Drop(from, to string, packets int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.drops[way{from, to}] += packets
}

// Restore takes back what Drop has not lost yet.
func (n *Network) Restore(from, to string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.drops, way{from, to})
}

// reached are those whom a packet of one node reaches: the one it is for, or
// all.
func (n *Network) reached(from string, to node.ID, packet []byte) []*Broker {
	n.mu.Lock()
	defer n.mu.Unlock()
	var reached []*Broker
	for id, b := range n.nodes {
		w := way{from, b.name}
		switch {
		case to != "" && to != id, n.cuts[w]:
		case n.drops[w] > 0 && mesh.HasMessages(packet):
			n.drops[w]--
		default:
			reached = append(reached, b)
		}
	}
	return reached
}

// A wire is a node's way into the network.
type wire struct {
	network *Network
	name    string
}

func (w *wire) Up() bool       { return true }
func (w *wire) MaxPacket() int { return w.network.opts.MaxPacket }

func (w *wire) Send(to node.ID, packet []byte) error {
	for _, b := range w.network.reached(w.name, to, packet) {
		b.Deliver(slices.Clone(packet))
	}
	return nil
}
