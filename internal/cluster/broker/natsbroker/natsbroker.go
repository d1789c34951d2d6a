// Package natsbroker carries messages between nodes over plain subjects of
// NATS, without waiting for any agreement of servers.
//
// Each incarnation hears what is for it on belfry.<cluster>.bus.<id>, and what
// is for all on belfry.<cluster>.beat. What the nodes say there is the
// business of package mesh; everything that comes is checked as if a stranger
// had sent it. The package takes no locks.
package natsbroker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfryhq/belfry/internal/cluster/broker"
	"github.com/belfryhq/belfry/internal/cluster/broker/mesh"
	"github.com/belfryhq/belfry/internal/cluster/node"
)

// DefaultCluster is the cluster of nodes that were not told another.
const DefaultCluster = "belfry"

// maxArrived is how many packets the client library may have handed over and
// the mesh not yet taken, which it does without doing anything else.
const maxArrived = 8192

// Config says who the node is and what it stands on. Conn, ID and Name must be
// set.
type Config struct {
	// Conn is the connection. It stays its owner's, who closes it after the
	// broker.
	Conn *nats.Conn
	// ID is the incarnation, and Name what operators call the node.
	ID   node.ID
	Name string
	// Cluster keeps clusters apart that use the same servers: letters,
	// digits, - and _. Empty means DefaultCluster.
	Cluster string
	// Info is what peers are told about the node, and Alike what of it all
	// should have in common; see [mesh.Config].
	Info  map[string]string
	Alike []string

	// Lease and Grace are how patient the node is, and MaxPending bounds the
	// bytes that wait for one peer. Zero means the defaults of package mesh.
	Lease, Grace time.Duration
	MaxPending   int64

	// Suspended is told for how long this process did not run, if that was
	// longer than the lease: peers may have given it up. It must not block.
	// It may be nil.
	Suspended func(d time.Duration)

	// Registerer is where metrics are registered. Nil means nowhere.
	Registerer prometheus.Registerer
	// Log may be nil.
	Log *slog.Logger
}

// PeerStatus is what is known of a peer, for operators.
type PeerStatus = mesh.PeerStatus

// A Broker is a [broker.Broker] over NATS. Peers says who is there.
type Broker struct {
	*mesh.Mesh
	wire    *wire
	subs    []*nats.Subscription
	status  chan nats.Status
	arrived chan *nats.Msg

	slow atomic.Uint64 // packets that the client library dropped

	stop    chan struct{}
	running sync.WaitGroup
	closed  sync.Once
}

var _ broker.Broker = (*Broker)(nil)

// New returns a broker that is not started.
func New(cfg Config) (*Broker, error) {
	cfg.Cluster = cmp.Or(cfg.Cluster, DefaultCluster)
	if strings.ContainsFunc(cfg.Cluster, notInToken) {
		return nil, fmt.Errorf("natsbroker: the name %.100q of the cluster has more than letters, digits, - and _", cfg.Cluster)
	}
	if cfg.Conn == nil {
		return nil, errors.New("natsbroker: no connection")
	}
	prefix := "belfry." + cfg.Cluster
	b := &Broker{
		wire:    &wire{conn: cfg.Conn, bus: prefix + ".bus.", beats: prefix + ".beat"},
		arrived: make(chan *nats.Msg, maxArrived),
		stop:    make(chan struct{}),
	}
	var err error
	b.Mesh, err = mesh.New(mesh.Config{
		ID: cfg.ID, Name: cfg.Name, Info: cfg.Info, Alike: cfg.Alike,
		Lease: cfg.Lease, Grace: cfg.Grace, MaxPending: cfg.MaxPending,
		Suspended: cfg.Suspended, Registerer: cfg.Registerer, Log: cfg.Log,
	}, b.wire)
	if err != nil {
		return nil, fmt.Errorf("natsbroker: %w", err)
	}
	return b, b.register(cfg.Registerer)
}

// register makes visible what the client library dropped.
func (b *Broker) register(reg prometheus.Registerer) error {
	if reg == nil {
		return nil
	}
	err := reg.Register(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "belfry_cluster_slow_consumer_total",
		Help: "Packets of other nodes that the NATS client dropped because nobody took them.",
	}, func() float64 { return float64(b.Slow()) }))
	if err != nil {
		return fmt.Errorf("natsbroker: %w", err)
	}
	return nil
}

// Slow returns how many packets the client library dropped up to now.
func (b *Broker) Slow() uint64 { return b.slow.Load() }

func notInToken(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_')
}

// Start implements [broker.Broker].
func (b *Broker) Start(r broker.Receiver) error {
	// One channel for both, so that what a node sends stays in order.
	for _, subject := range []string{b.wire.bus + string(b.ID()), b.wire.beats} {
		sub, err := b.wire.conn.ChanSubscribe(subject, b.arrived)
		if err != nil {
			return fmt.Errorf("natsbroker: subscribe: %w", err)
		}
		b.subs = append(b.subs, sub)
	}
	b.status = b.wire.conn.StatusChanged(nats.CONNECTED)
	b.running.Go(b.pump)
	return b.Mesh.Start(r)
}

// pump takes packets from the client library at once, so that it need not drop
// any: how many may wait is for the mesh to say, which counts bytes.
func (b *Broker) pump() {
	for {
		select {
		case m := <-b.arrived:
			b.Deliver(m.Data)
			if len(b.arrived) > maxArrived/2 {
				b.countSlow()
			}
		case _, ok := <-b.status:
			if !ok { // the connection was closed
				b.status = nil
			}
			b.Resume()
		case <-b.stop:
			return
		}
	}
}

// countSlow asks the client library what it has dropped up to now.
func (b *Broker) countSlow() {
	dropped := 0
	for _, sub := range b.subs {
		if n, err := sub.Dropped(); err == nil {
			dropped += n
		}
	}
	b.slow.Store(uint64(dropped))
}

// Leave implements [broker.Broker]. It returns when the server has heard it.
func (b *Broker) Leave(ctx context.Context) {
	b.Mesh.Leave(ctx)
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, flushTimeout)
		defer cancel()
	}
	b.wire.conn.FlushWithContext(ctx) // if that fails, the node dies instead
}

// flushTimeout is for contexts without a deadline, which the client library
// does not take.
const flushTimeout = 10 * time.Second

// Close implements [broker.Broker].
func (b *Broker) Close(ctx context.Context) error {
	var errs []error
	b.closed.Do(func() {
		for _, sub := range b.subs {
			if err := sub.Unsubscribe(); err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
				errs = append(errs, fmt.Errorf("natsbroker: unsubscribe: %w", err))
			}
		}
		close(b.stop)
		b.running.Wait() // it never waits for anything but this
		if b.status != nil {
			b.wire.conn.RemoveStatusListener(b.status)
		}
	})
	return errors.Join(append(errs, b.Mesh.Close(ctx))...)
}

// A wire carries packets over a connection.
type wire struct {
	conn       *nats.Conn
	bus, beats string // subjects; the first lacks the id
}

func (w *wire) Up() bool { return w.conn.IsConnected() }

// MaxPacket is what the server takes, or what servers take that were not told
// otherwise while there is none.
func (w *wire) MaxPacket() int { return int(cmp.Or(w.conn.MaxPayload(), natsDefault)) }

const natsDefault = 1 << 20

func (w *wire) Send(to node.ID, packet []byte) error {
	if to == "" {
		return w.conn.Publish(w.beats, packet)
	}
	return w.conn.Publish(w.bus+string(to), packet)
}
