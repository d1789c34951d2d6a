// Package peers knows the other nodes, as one node sees them, and what they hold.
//
// A node says what its own sessions hold, and hears the same of its peers. What
// clients are told is the union. Each peer has a bit in the holders of a channel,
// a member or a user. While a peer resyncs it has a second one, which takes the
// place of the first when it has finished. What is only under the first bit is
// not held any more.
//
// [Others] are the peers that are there: who has which bit, how they are told
// something, and up to where they have heard it. [Subscribers], [Members] and a
// [Sum] are what is known of one thing. What it means to clients that somebody
// comes or goes, the hub knows.
//
// # Who may touch what
//
// Others are safe for concurrent use. Their lock is a leaf, and is not held while
// the hub is called. Subscribers and Members are guarded by the lock of the channel
// that they are of. Sending is allowed under every lock: a [broker.Link] never
// blocks.
package peers

import (
	"context"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/belfryhq/belfry/internal/cluster/broker"
	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/wakeup"
)

// maxPeers is how many other nodes there may be: each needs two bits at times.
const maxPeers = 31

// Config is what of the node is called.
type Config struct {
	// Receive applies a message of a peer, which holds things under these bits.
	Receive func(from node.ID, by Set, m *broker.Message)
	// Vacate takes away everything that is held under these bits. It may take long.
	Vacate func(by Set)
	// Resync tells a peer everything that is held here, and reports whether it was
	// all.
	Resync func(ctx context.Context, to broker.Link) bool
	// Share tells peers what need not be told at once.
	Share func()
}

// Others are the other nodes. Make them with [New].
type Others struct {
	cfg     Config
	live    atomic.Uint64 // bits of which one belongs to each peer: whom to send to
	links   [slotCount]atomic.Pointer[broker.Link]
	barrier barrier
	changes atomic.Uint64

	// Refused is how many peers were ignored because there are too many, and
	// Resyncs how often one has finished a resync.
	Refused, Resyncs atomic.Uint64

	mu       sync.Mutex
	standing map[broker.Link]*standing
	missed   map[string]bool // apps that peers have spoken of and that are not known here
	wake     wakeup.Signal   // somebody wants a resync, or it may be time to ask again
	wanted   []broker.Link   // whom to resync to
}

// standing is what is known of one peer. The receiver's goroutine changes it,
// under mu.
type standing struct {
	slot, next Set       // next is zero but between Begin and End
	synced     bool      // it has said everything at least once
	silent     bool      // for the lease: it may be dead
	asked      time.Time // for a resync that has not begun; zero: none
}

// bits are those that hold what the peer says now.
func (st *standing) bits() Set { return st.slot | st.next }

// New returns nobody. They come when a broker is started that has them as its
// receiver.
func New(cfg Config) *Others {
	return &Others{cfg: cfg, standing: make(map[broker.Link]*standing), missed: make(map[string]bool), wake: wakeup.New()}
}

// Alone reports whether there is nobody else to tell.
func (o *Others) Alone() bool { return o.live.Load() == 0 }

// Len is how many there are.
func (o *Others) Len() int { return Set(o.live.Load()).Len() }

// Present are those of the holders that count: each peer once.
func (o *Others) Present(by Set) Set { return by & Set(o.live.Load()) }

// Changes is how often a peer came or went, or messages from or to it were lost.
func (o *Others) Changes() uint64 { return o.changes.Load() }

// Send sends m to the peers among to. Whoever tells what holds here has the lock that
// guards it, so that what a peer hears last is true.
func (o *Others) Send(to Set, m *broker.Message) {
	for to = o.Present(to); to != 0; to &= to - 1 {
		if l := o.links[to.slot()].Load(); l != nil {
			(*l).Send(m)
		}
	}
}

// IDs are those of the peers under these bits.
func (o *Others) IDs(of Set) (list []node.ID) {
	for ; of != 0; of &= of - 1 {
		if l := o.links[of.slot()].Load(); l != nil {
			list = append(list, (*l).ID())
		}
	}
	return list
}

// All yields the links of all peers that are there.
func (o *Others) All() iter.Seq[broker.Link] {
	return func(yield func(broker.Link) bool) {
		for live := o.Present(All); live != 0; live &= live - 1 {
			if l := o.links[live.slot()].Load(); l != nil && !yield(*l) {
				return
			}
		}
	}
}

// Link returns that of a peer that is there, or nil.
func (o *Others) Link(id node.ID) broker.Link {
	for l := range o.All() {
		if l.ID() == id {
			return l
		}
	}
	return nil
}

// Of is the bit of the peer of that id, or zero.
func (o *Others) Of(id node.ID) Set {
	o.mu.Lock()
	defer o.mu.Unlock()
	for l, st := range o.standing {
		if l.ID() == id {
			return st.slot
		}
	}
	return 0
}

// Settled reports whether every peer that is there has said all that it holds.
func (o *Others) Settled() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, st := range o.standing {
		if !st.synced {
			return false
		}
	}
	return true
}

// freeLocked returns a bit that nobody has, or zero. o.mu is held.
func (o *Others) freeLocked() Set {
	taken := Lingering
	for _, st := range o.standing {
		taken |= st.bits()
	}
	return (^taken).lowest()
}

func (o *Others) setLink(slot Set, l *broker.Link) { o.links[slot.slot()].Store(l) }

// askLocked asks a peer for all that it holds. o.mu is held.
func (o *Others) askLocked(l broker.Link, st *standing) {
	st.asked = time.Now()
	l.Send(&broker.Message{Kind: broker.Resync})
}

const (
	// shareInterval is how often coarse facts are told to peers: numbers of
	// subscriptions, connections, and what backends have used of their rates.
	shareInterval = 250 * time.Millisecond
	// askAgain is how long a resync may take to begin.
	askAgain = 2 * time.Second
)

// Run tells peers what need not be told at once, until ctx ends.
func (o *Others) Run(ctx context.Context) {
	tick := time.NewTicker(shareInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			o.AskAgain(func(_ broker.Link, asked time.Time) bool { return time.Since(asked) > askAgain })
			if !o.Alone() {
				o.cfg.Share()
			}
		case <-o.wake:
			for ctx.Err() == nil && o.ResyncNext(ctx) {
			}
		case <-ctx.Done():
			return
		}
	}
}

// AskAgain repeats those requests for a resync that are due, because they may have
// been lost, and reports whether there were any.
func (o *Others) AskAgain(due func(l broker.Link, asked time.Time) bool) (any bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for l, st := range o.standing {
		if !st.asked.IsZero() && due(l, st.asked) {
			o.askLocked(l, st)
			any = true
		}
	}
	return any
}

// want queues a resync for a peer.
func (o *Others) want(l broker.Link) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !slices.Contains(o.wanted, l) {
		o.wanted = append(o.wanted, l)
	}
	o.wake.Set()
}

// ResyncNext resyncs to the peer that has asked first, and reports whether there was
// one.
func (o *Others) ResyncNext(ctx context.Context) bool {
	o.mu.Lock()
	if len(o.wanted) == 0 {
		o.mu.Unlock()
		return false
	}
	l := o.wanted[0]
	o.wanted = slices.Delete(o.wanted, 0, 1)
	o.mu.Unlock()
	if o.cfg.Resync(ctx, l) {
		o.changes.Add(1) // only now the peer knows for what it has to send events here
	}
	return true
}
