// Package hub is the core of a node. It knows which sessions are subscribed to
// which channels of which app, and who is present and signed in. It knows what
// a cache channel remembers, and who receives what.
//
// A transport gives the hub a [Session] for each of its sockets and calls it
// with every message of the client; backends come in through [Hub.Trigger] and
// its neighbours. Frames go out to a [Socket]. The hub performs no I/O, starts
// no goroutine per socket or message, and knows no transport.
//
// # Who may touch what
//
// A session belongs to one loop, and only that loop's goroutine calls it. What
// sessions share is kept per channel and user, in shards of an app, each under
// the lock of its shard. If others must hear of a change, the frame is posted
// to the loops before the lock is released. So all loops see the deliveries of
// one channel in one order. Each delivery has a number, and a session gets
// those with a number above the one at which it joined.
//
// # Other nodes
//
// A hub holds what its own sessions are subscribed to and what its peers say of
// theirs, each peer of its own only; clients and backends are told the union.
// Package peers says how, share.go what peers are told, receive.go what is heard.
//
// # Locks
//
// A shard's lock is never held while another shard's is taken, nor while a
// [Socket] is called. Posting to [Loops] and sending to peers are allowed under
// it. The locks of [peers.Others], of a [peers.Sum] and of a list of channels are
// leaves.
package hub

import (
	"context"
	"errors"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/cluster/broker"
	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/cluster/peers"
	"github.com/belfryhq/belfry/internal/frame"
	"github.com/belfryhq/belfry/internal/history/recall"
	"github.com/belfryhq/belfry/internal/keyuse"
	"github.com/belfryhq/belfry/internal/visitor"
	"github.com/belfryhq/belfry/protocol"
)

// ErrOverloaded says that the node has so much work queued that new work was
// not accepted in time. Nothing was delivered.
var ErrOverloaded = errors.New("hub: overloaded")

// Loops are the goroutines that own the sessions. They are numbered from 0,
// and there are at most 64.
type Loops interface {
	Len() int
	// Post runs a function on a loop, after all that was posted to it before.
	// It never blocks. Weight is about how many sessions the work concerns, and
	// one more for each 128 bytes that it holds.
	Post(loop int, run func(loop int), weight int)
	// Admit waits while too much work is queued, and returns an error if that
	// is still so when ctx ends.
	Admit(ctx context.Context) error
}

// A Socket is where a session's frames go. Its methods are called on the
// session's loop, and never block.
type Socket interface {
	// Send puts f behind all frames sent before. It must not call the session.
	Send(f *frame.Frame)
	// Close tells the client why and ends the connection; the frames sent
	// before go out first if the client takes them. It calls [Session.End].
	Close(why *protocol.Error)
}

// Config is what a hub needs. Apps and Loops are required.
type Config struct {
	Apps  *apps.Registry
	Loops Loops
	// MaxConnections is how many sessions the node holds; more are refused
	// with 4100. Zero means no limit.
	MaxConnections int
	// AssumeProtocol is the protocol version of clients that name none.
	// Zero refuses them.
	AssumeProtocol int
	// HostedErrorsOnly leaves out the pusher:subscription_error frame, which
	// the hosted service does not send.
	HostedErrorsOnly bool
	// Observer hears what happens in channels. Nil means that nobody does.
	Observer Observer
	// Broker joins the hub to those of other nodes; it is started with
	// [Hub.Receiver]. Nil means that there are no others.
	Broker broker.Broker
	// Durable keeps the events of histories that are to survive this node. Nil means
	// that none does.
	Durable Durable
	// Node is under which name peers know this node. Events are called after it.
	Node node.ID
	// KeyUses counts the uses of keys by clients. Nil means that nobody does.
	KeyUses *keyuse.Table
	// Tracer returns who is told of everything that happens to the app with that
	// id. Nil means that nobody is.
	Tracer func(appID string) Tracer
	// Strangers is told of clients that were refused and ask for no app that there
	// is. Nil means that nobody is.
	Strangers Tracer
	// Spent hears what an app's backends have used of its rates on other
	// nodes; see [Hub.Spend]. Nil means that nobody does.
	Spent func(app *apps.App, r apps.Rate, n int)
	// Registerer is where the hub's metrics are registered. Nil means nowhere.
	Registerer prometheus.Registerer
}

// A Hub holds the state of one node. Its methods are safe for concurrent use.
type Hub struct {
	cfg         Config
	metrics     *metrics
	seed        maphash.Seed
	service     meter        // of frames that are no messages of an app
	tenants     sync.Map     // app id → *tenant
	capacity    atomic.Int64 // Config.MaxConnections, as it is now
	connections atomic.Int64
	draining    atomic.Bool
	removed     atomic.Bool // apps were, and others with their ids may come
	began       time.Time
	visitors    visitor.Table
	departures  []departures // by loop
	peers       *peers.Others
	clock       peers.Clock   // of cached events
	events      atomic.Uint64 // number of the last event that was triggered here
	asker       recall.Asker
	questions   *recall.Questions
	readings    readingList
	patience    time.Duration // of the receiver's goroutine
	cancel      context.CancelFunc
	running     sync.WaitGroup
}

// Drain makes the hub refuse new sessions with 4200. What is there stays.
func (h *Hub) Drain() { h.draining.Store(true) }

// Draining reports whether Drain was called.
func (h *Hub) Draining() bool { return h.draining.Load() }

// SetMaxConnections changes how many sessions the node holds. Those that are
// there stay.
func (h *Hub) SetMaxConnections(n int) { h.capacity.Store(int64(n)) }

// Loops is how many loops there are.
func (h *Hub) Loops() int { return h.cfg.Loops.Len() }

// Connections is the number of sessions.
func (h *Hub) Connections() int { return int(h.connections.Load()) }
