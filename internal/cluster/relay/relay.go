package relay

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfryhq/belfry/internal/cluster/broker"
	"github.com/belfryhq/belfry/internal/cluster/node"
)

// Config is what a relay needs. The zero value works.
type Config struct {
	// MaxRequests is how many requests are passed on at a time, and how many
	// of others are answered. Zero means DefaultMaxRequests.
	MaxRequests int
	// FindWait is how long peers have to say whether they have a session.
	// Zero means DefaultFindWait.
	FindWait   time.Duration
	Log        *slog.Logger          // may be nil
	Registerer prometheus.Registerer // nil: no metrics are registered
}

// The defaults of Config.
const (
	DefaultMaxRequests = 1 << 17
	DefaultFindWait    = 500 * time.Millisecond
)

// A Host is what a relay makes known to the peers.
type Host struct {
	// Has reports whether the session lives on this node. It does not block.
	Has func(session string) bool
	// Handler answers requests that peers have passed on. With status 421 it
	// says that the session is not there. A ResponseWriter that it gets has
	// a method Leaving() <-chan struct{}, which is closed when the node that
	// the client is connected to sends its clients away; flushes and deadlines
	// are for a http.ResponseController. Of the client's request there are
	// method, path, query, content type and body.
	Handler http.Handler
	// Peer answers what peers ask with Ask. Nil means that nothing is known.
	Peer http.Handler
}

// A Relay is a node's part in passing requests on. Its methods are safe for
// concurrent use.
type Relay struct {
	cfg       Config
	log       *slog.Logger
	metrics   *metrics
	host      Host // immutable after Start
	listener  *listener
	server    *http.Server
	transport *http.Transport
	maxUses   int // of a connection

	finds    finds
	passing  atomic.Int64 // requests that are passed on
	serving  atomic.Int64 // requests that are answered for others
	asking   atomic.Int64 // questions of this node
	asked    atomic.Int64 // questions of peers
	draining atomic.Bool

	mu        sync.Mutex
	peers     map[node.ID]*peer
	closed    bool
	leaveOver time.Duration // over how long this node sends its clients away

	wg sync.WaitGroup // of the server and of requests that are answered
}

// New returns a relay that is not known to its peers before Start.
func New(cfg Config) *Relay {
	cfg.MaxRequests = cmp.Or(cfg.MaxRequests, DefaultMaxRequests)
	cfg.FindWait = cmp.Or(cfg.FindWait, DefaultFindWait)
	r := &Relay{
		cfg: cfg, log: cfg.Log, maxUses: maxUses,
		peers:    make(map[node.ID]*peer),
		listener: newListener(),
		finds:    newFinds(),
	}
	r.metrics = newMetrics(cfg.Registerer, r)
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	r.server, r.transport = r.newServer(), r.newTransport()
	return r
}

// Start makes this node answer its peers. It is called once, before the broker
// starts.
func (r *Relay) Start(h Host) {
	r.host = h
	r.wg.Go(func() { _ = r.server.Serve(r.listener) }) // until Close
}

// Receiver returns what stands between the broker and another receiver: it
// takes what relays tell each other, and hands on all the rest.
func (r *Relay) Receiver(next broker.Receiver) broker.Receiver { return &receiver{r, next} }

// A receiver is a [broker.Receiver].
type receiver struct {
	relay *Relay
	next  broker.Receiver
}

var _ broker.Suspecter = (*receiver)(nil)

func (r *receiver) Joined(l broker.Link) {
	r.relay.joined(l)
	r.next.Joined(l)
}

func (r *receiver) Receive(l broker.Link, m *broker.Message) {
	if m.Kind != broker.Relay {
		r.next.Receive(l, m)
		return
	}
	if p := r.relay.peer(l.ID()); p != nil {
		p.receive(m)
	}
}

func (r *receiver) Lost(l broker.Link) {
	if p := r.relay.peer(l.ID()); p != nil {
		p.breakOff(errLost)
	}
	r.next.Lost(l)
}

func (r *receiver) Suspected(l broker.Link, silent bool) {
	if p := r.relay.peer(l.ID()); p != nil {
		p.suspect.Store(silent)
		if silent {
			p.breakOff(errSilent)
			r.relay.finds.forget(l.ID())
		}
	}
	if next, ok := r.next.(broker.Suspecter); ok {
		next.Suspected(l, silent)
	}
}

func (r *receiver) Left(l broker.Link) {
	r.relay.left(l)
	r.next.Left(l)
}

// peer returns a node that is there, or nil.
func (r *Relay) peer(id node.ID) *peer {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.peers[id]
}

// allPeers are those that are there, in no order.
func (r *Relay) allPeers() []*peer {
	r.mu.Lock()
	defer r.mu.Unlock()
	peers := make([]*peer, 0, len(r.peers))
	for _, p := range r.peers {
		peers = append(peers, p)
	}
	return peers
}

// reachable are the peers that are not suspected.
func (r *Relay) reachable() []*peer {
	return slices.DeleteFunc(r.allPeers(), func(p *peer) bool { return p.suspect.Load() })
}

func (r *Relay) joined(l broker.Link) {
	p := newPeer(r, l)
	r.mu.Lock()
	r.peers[l.ID()] = p
	over := r.leaveOver
	r.mu.Unlock()
	if r.draining.Load() {
		p.sendLeave(over)
	}
}

func (r *Relay) left(l broker.Link) {
	r.mu.Lock()
	p := r.peers[l.ID()]
	delete(r.peers, l.ID())
	r.mu.Unlock()
	if p != nil {
		p.breakOff(errGone)
	}
	r.finds.forget(l.ID())
}

// drainPoll is how often a relay that drains looks what is left.
const drainPoll = 100 * time.Millisecond

// Drain asks the peers to end the requests that are passed on to them, because
// this node is about to end; their handlers know how. They spread that over
// some time. Drain returns when none is left, or ctx ends. Answers that begin
// meanwhile tell the clients to connect anew.
func (r *Relay) Drain(ctx context.Context, over time.Duration) {
	r.mu.Lock()
	r.leaveOver = over
	r.mu.Unlock()
	r.draining.Store(true)
	for _, p := range r.allPeers() {
		p.sendLeave(over)
	}
	t := time.NewTicker(drainPoll)
	defer t.Stop()
	for r.passing.Load() > 0 {
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
	}
}

// begin counts a request that is answered for a peer, unless the relay is closed.
func (r *Relay) begin() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	r.wg.Add(1)
	return true
}

// isClosed reports whether Close was called.
func (r *Relay) isClosed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.closed
}

// Close ends all requests that are passed on, and those that are answered for
// others; it returns when their handlers have, or ctx ends. It is called before
// the broker leaves.
func (r *Relay) Close(ctx context.Context) error {
	r.mu.Lock()
	already := r.closed
	r.closed = true
	r.mu.Unlock()
	if already {
		return nil
	}
	for _, p := range r.allPeers() {
		p.breakOff(errClosed)
	}
	_ = r.server.Close() // closes what is closed already
	done := make(chan struct{})
	go func() {
		r.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("relay: stop: %w", context.Cause(ctx))
	}
}
