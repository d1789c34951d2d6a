package relay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfryhq/belfry/internal/cluster/node"
)

// Config is what a relay needs. Conn, ID and Peers are required.
type Config struct {
	// Conn joins the nodes. The relay does not close it.
	Conn *nats.Conn
	// ID is how peers address this node, as long as the relay lives.
	ID node.ID
	// Cluster is a part of the subjects: letters, digits, - and _. Empty
	// means DefaultCluster.
	Cluster string
	// Peers returns the other nodes that are there and have relays. It is
	// asked often, of any goroutine.
	Peers func() []node.ID
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
	DefaultCluster     = "belfry"
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
	// the client is connected to sends its clients away; it supports
	// http.Flusher, and deadlines for writing. Of the client's request there
	// are method, path, query, content type and body.
	Handler http.Handler
}

// A Relay is a node's part in passing requests on. Its methods are safe for
// concurrent use.
type Relay struct {
	cfg     Config
	log     *slog.Logger
	metrics *metrics
	publish func(subject string, data []byte) error // of the connection
	host    Host                                    // immutable after Start

	finds    finds
	streams  atomic.Uint64 // id of the last one that began here
	asking   atomic.Int64  // requests that are passed on
	serving  atomic.Int64  // requests that are answered for others
	draining atomic.Bool

	mu     sync.Mutex
	links  map[node.ID]*link
	closed bool
	subs   []*nats.Subscription

	base context.Context // of requests that are answered, whose callers are other nodes
	stop context.CancelFunc
	wg   sync.WaitGroup // of subscriptions, requests and the beat
}

// New returns a relay that is not known to its peers before Start.
func New(cfg Config) (*Relay, error) {
	cfg.Cluster = cmp.Or(cfg.Cluster, DefaultCluster)
	cfg.MaxRequests = cmp.Or(cfg.MaxRequests, DefaultMaxRequests)
	cfg.FindWait = cmp.Or(cfg.FindWait, DefaultFindWait)
	if !cfg.ID.Valid() {
		return nil, fmt.Errorf("relay: %q is not the id of a node", cfg.ID)
	}
	if !validCluster(cfg.Cluster) {
		return nil, fmt.Errorf("relay: %q can not be the name of a cluster", cfg.Cluster)
	}
	r := &Relay{
		cfg: cfg, log: cfg.Log,
		links: make(map[node.ID]*link),
		finds: newFinds(),
	}
	r.metrics = newMetrics(cfg.Registerer, r)
	if cfg.Conn != nil {
		r.publish = cfg.Conn.Publish
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	r.base, r.stop = context.WithCancel(context.Background())
	return r, nil
}

func validCluster(name string) bool {
	for _, c := range name {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return len(name) <= 64
}

// subject is one of the relay's. What is for one node has its id at the end.
func (r *Relay) subject(what string, to node.ID) string {
	s := "belfry." + r.cfg.Cluster + ".relay." + what
	if to != "" {
		s += "." + string(to)
	}
	return s
}

// pending is how many bytes of frames may wait for this node to look at them.
// What is more is lost, which ends the streams it belonged to.
const pending = 256 << 20

const startTimeout = 10 * time.Second

// Start makes this node answer its peers. It is called once, before Find and
// Forward.
func (r *Relay) Start(h Host) error {
	r.host = h
	for subject, receive := range map[string]nats.MsgHandler{
		r.subject("find", ""):          func(m *nats.Msg) { r.asked(m.Data) },
		r.subject("found", r.cfg.ID):   func(m *nats.Msg) { r.told(m.Data) },
		r.subject("streams", r.cfg.ID): func(m *nats.Msg) { r.receive(m.Data) },
	} {
		sub, err := r.cfg.Conn.Subscribe(subject, receive)
		if err == nil {
			r.wg.Add(1)
			sub.SetClosedHandler(func(string) { r.wg.Done() })
			r.subs = append(r.subs, sub)
			err = sub.SetPendingLimits(-1, pending)
		}
		if err != nil {
			return errors.Join(fmt.Errorf("relay: %w", err), r.Close(context.Background()))
		}
	}
	// Whoever hears of this node from here on can ask it.
	ctx, cancel := context.WithTimeout(r.base, startTimeout)
	defer cancel()
	if err := r.cfg.Conn.FlushWithContext(ctx); err != nil {
		return errors.Join(fmt.Errorf("relay: %w", err), r.Close(context.Background()))
	}
	r.wg.Go(r.beat)
	return nil
}

// beat looks after the links.
func (r *Relay) beat() {
	t := time.NewTicker(beatEvery)
	defer t.Stop()
	for {
		select {
		case <-r.base.Done():
			return
		case now := <-t.C:
			r.forget(now)
			for _, l := range r.allLinks() {
				l.tick(now)
			}
		}
	}
}

// forget forgets the links that nobody uses.
func (r *Relay) forget(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for peer, l := range r.links {
		if l.forget(now) {
			delete(r.links, peer)
		}
	}
}

func (r *Relay) allLinks() []*link {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]*link, 0, len(r.links))
	for _, l := range r.links {
		list = append(list, l)
	}
	return list
}

// link returns the link to a peer, or nil if there are too many or the relay
// is closed.
func (r *Relay) link(peer node.ID) *link {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.linkLocked(peer)
}

// linkLocked is link; r.mu is held.
func (r *Relay) linkLocked(peer node.ID) *link {
	l := r.links[peer]
	if r.closed {
		return nil
	}
	if l != nil || len(r.links) >= maxLinks {
		return l
	}
	now := time.Now()
	l = &link{relay: r, peer: peer, subject: r.subject("streams", peer), streams: make(map[key]*stream), heard: now, idle: now}
	r.links[peer] = l
	return l
}

// receive takes a frame.
func (r *Relay) receive(b []byte) {
	f, err := parseFrame(b)
	if err != nil {
		r.metrics.bad.Inc()
		return
	}
	if f.from == r.cfg.ID {
		return
	}
	r.finds.heard(f.from)
	if l := r.link(f.from); l != nil {
		l.receive(f)
	}
}

// drainPoll is how often a relay that drains looks what is left, and
// drainAgain when a request is told to leave that came meanwhile.
const (
	drainPoll  = 100 * time.Millisecond
	drainAgain = time.Second
)

// Drain asks the peers to end the requests that are passed on to them, because
// this node is about to end; their handlers know how. It spreads that over
// some time, and returns when none is left, or ctx ends. Answers that begin
// meanwhile tell the clients to connect anew.
func (r *Relay) Drain(ctx context.Context, over time.Duration) {
	r.draining.Store(true)
	t := time.NewTicker(drainPoll)
	defer t.Stop()
	for first := true; ; first = false {
		now, left := time.Now(), 0
		for _, l := range r.allLinks() {
			for _, s := range l.all() {
				if !s.asked {
					continue
				}
				left++
				switch {
				case s.leaveAt.IsZero() && first:
					s.leaveAt = now.Add(rand.N(over + 1))
				case s.leaveAt.IsZero():
					s.leaveAt = now.Add(drainAgain)
				}
				if !s.told && !now.Before(s.leaveAt) {
					s.told = true
					_ = s.send(leave, 0, nil, nil)
				}
			}
		}
		if left == 0 {
			return
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
	}
}

// Close ends all requests that are passed on, and those that are answered for
// others; it returns when their handlers have, or ctx ends.
func (r *Relay) Close(ctx context.Context) error {
	r.mu.Lock()
	already := r.closed
	r.closed = true
	r.mu.Unlock()
	if already {
		return nil
	}
	for _, l := range r.allLinks() {
		for _, s := range l.all() {
			s.abort(failed)
		}
	}
	r.stop()
	for _, sub := range r.subs {
		_ = sub.Unsubscribe() // of a connection that is closed it is over anyway
	}
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
