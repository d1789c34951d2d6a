// Package mesh is how brokers speak to each other over anything that carries
// packets at most once. It finds peers, keeps messages in order, sends again
// what was lost on the way, and tells who is gone. It knows no network; see
// [Wire].
//
// Messages for a peer gather in its link's outbox, and one goroutine sends for
// all links. What waits for a peer leaves as one packet. So packets grow with
// the load by themselves, and an idle node sends at once. Packets of a link
// have numbers, and are kept until the receiver has confirmed them; it asks
// for one that is missing. What finds no room is lost, and the receiver hears
// of it. No more than a window is on its way to it, so that a slow node fills
// the outboxes of the others and not the network. DESIGN.md has the reasons.
//
// # Goroutines
//
// The clock ticks; the writer sends; the dispatcher calls the receiver, and
// alone changes who is a peer. Whatever carries packets calls Deliver.
//
// # Locks
//
// link.mu guards one link, inbox.mu what has come and was not dispatched.
// Neither is held while the other is taken, or while the wire or the receiver
// is called.
package mesh

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
	"unicode"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfryhq/belfry/internal/cluster/broker"
	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/wakeup"
)

// A Wire carries packets: at most once, those from one node to another in the
// order in which they were sent. It hands them to the Deliver of the mesh at
// the other end.
type Wire interface {
	// Send puts a packet on its way to one node, or to all, this one
	// included or not, if the id is the zero ID. It is called by one
	// goroutine, may block while the way is full, and does not keep packet.
	// After an error it is sent again when the other node misses it.
	Send(to node.ID, packet []byte) error
	// Up reports whether packets go anywhere at present. While they do not,
	// they are kept; when they do again, the wire calls Resume.
	Up() bool
	// MaxPacket is how many bytes a packet may have. It may change.
	MaxPacket() int
}

// The defaults of Config.
const (
	DefaultLease      = 5 * time.Second
	DefaultGrace      = 5 * time.Second
	DefaultMaxPending = 64 << 20
)

const (
	minInterval = 200 * time.Millisecond
	maxBatch    = 512 << 10 // bytes of a packet with several messages
	maxWindow   = 8 << 20   // bytes that are on their way to a peer
	maxInbox    = 128 << 20 // bytes that were received and not dispatched
	maxRoom     = 4 << 20   // bytes up to which there is room on a link
)

// Config says who the node is and how patient it is.
type Config struct {
	ID   node.ID
	Name string // what operators call the node; up to 255 bytes
	// Info is what peers are told about the node, such as its version. Keys
	// and values are short texts, up to 4 KiB together.
	Info map[string]string
	// Alike are the keys of Info whose values all nodes should have in common.
	// The log says of who has others.
	Alike []string

	// Lease is how long a peer may be silent without being suspected, and
	// Grace how long it then has to be heard again. Zero means the defaults.
	// All nodes have the same.
	Lease, Grace time.Duration
	// MaxPending bounds the memory of what one peer has not confirmed. Zero
	// means DefaultMaxPending.
	MaxPending int64

	// Suspended is told for how long this process did not run, if that was
	// longer than the lease: peers may have given it up. It must not block.
	// It may be nil.
	Suspended func(d time.Duration)

	// Registerer is where metrics are registered. Nil means nowhere.
	Registerer prometheus.Registerer
	// Log may be nil.
	Log *slog.Logger
}

// A Mesh is a [broker.Broker] over a [Wire].
type Mesh struct {
	cfg        Config
	wire       Wire
	log        *slog.Logger
	interval   time.Duration // between beats
	leaseTicks int
	graceTicks int
	window     int
	room       int
	counts     *counts
	complaints complaints
	foreigners foreigners
	beat       []byte // as it is sent; the writer marks it when the node leaves

	receiver broker.Receiver
	suspects broker.Suspecter // the receiver, if it wants to know; else nil
	inbox    inbox
	epoch    uint64                  // of the last link; the dispatcher's
	links    map[node.ID]*link       // the dispatcher's
	givenUp  givenUp                 // the dispatcher's
	list     atomic.Pointer[[]*link] // the same for everybody; immutable
	batches  sync.Pool               // of *batch
	started  time.Time               // what stamps count from
	maxBytes atomic.Int64            // of a packet
	bell     wakeup.Signal           // the writer has something to do
	waiting  wakeup.Signal           // somebody waits for a confirmation
	beatDue  atomic.Bool
	tickDue  atomic.Bool // for the writer: beats and pulses are due

	leaving atomic.Bool
	hurry   atomic.Bool   // leave without waiting for the outboxes
	left    chan struct{} // closed when peers were told

	stop     chan struct{}
	stopOnce sync.Once
	running  sync.WaitGroup
}

var _ broker.Broker = (*Mesh)(nil)

// New returns a mesh that is not started. The wire is not used before Start,
// but for MaxPacket.
func New(cfg Config, wire Wire) (*Mesh, error) {
	cfg.Lease = cmp.Or(cfg.Lease, DefaultLease)
	cfg.Grace = cmp.Or(cfg.Grace, DefaultGrace)
	cfg.MaxPending = cmp.Or(cfg.MaxPending, DefaultMaxPending)
	if err := cfg.check(); err != nil {
		return nil, err
	}
	m := &Mesh{
		cfg:      cfg,
		wire:     wire,
		log:      cfg.Log,
		interval: max(cfg.Lease/5, minInterval),
		window:   int(min(cfg.MaxPending, maxWindow)),
		room:     int(min(cfg.MaxPending/2, maxRoom)),
		counts:   newCounts(),
		beat:     appendBeat(nil, &beat{id: cfg.ID, name: cfg.Name, info: cfg.Info}),
		links:    make(map[node.ID]*link),
		started:  time.Now(),
		bell:     wakeup.New(),
		waiting:  wakeup.New(),
		left:     make(chan struct{}),
		stop:     make(chan struct{}),
	}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	m.leaseTicks = int((cfg.Lease + m.interval - 1) / m.interval)
	m.graceTicks = int((cfg.Grace + m.interval - 1) / m.interval)
	m.batches.New = func() any { return &batch{buf: make([]byte, headerLen, smallBatch)} }
	m.list.Store(new([]*link))
	m.inbox.init()
	m.maxBytes.Store(int64(wire.MaxPacket()))
	return m, m.register(cfg.Registerer)
}

func (c *Config) check() error {
	var errs []error
	refuse := func(format string, args ...any) { errs = append(errs, fmt.Errorf("mesh: "+format, args...)) }
	if !c.ID.Valid() {
		refuse("%q is not the id of a node", c.ID)
	}
	if !validText(c.Name, maxName) || c.Name == "" {
		refuse("the node's name %.300q is not a short text", c.Name)
	}
	if c.Lease < 0 || c.Grace < 0 || c.MaxPending < 0 {
		refuse("negative settings")
	}
	size := 0
	for key, value := range c.Info {
		if size += len(key) + len(value); !validText(key, maxName) || !validText(value, maxInfo) || size > maxInfo || len(c.Info) > maxPairs {
			refuse("too much info, or %.100q is not text", key)
			break
		}
	}
	return errors.Join(errs...)
}

// validText reports whether s is fit for people: UTF-8 without control
// characters, and no longer than limit.
func validText(s string, limit int) bool {
	return len(s) <= limit && utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// ID is the incarnation as which peers know this node.
func (m *Mesh) ID() node.ID { return m.cfg.ID }

// Start implements [broker.Broker].
func (m *Mesh) Start(r broker.Receiver) error {
	m.receiver = r
	m.suspects, _ = r.(broker.Suspecter)
	m.running.Go(m.tick)
	m.running.Go(m.write)
	m.running.Go(m.dispatch)
	m.beatDue.Store(true)
	m.ring()
	return nil
}

// Leave implements [broker.Broker]. It waits until those peers that are heard
// have what was sent before, and ctx has not ended.
func (m *Mesh) Leave(ctx context.Context) {
	m.leaving.Store(true)
	for _, l := range *m.list.Load() {
		l.hurry()
	}
	m.ring()
	select {
	case <-m.left:
	case <-m.stop:
	case <-ctx.Done():
		m.hurry.Store(true)
		m.ring()
	}
}

// Close implements [broker.Broker].
func (m *Mesh) Close(ctx context.Context) error {
	m.stopOnce.Do(func() { close(m.stop) })
	stopped := make(chan struct{})
	go func() {
		m.running.Wait()
		close(stopped)
	}()
	select {
	case <-stopped:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("mesh: close: %w", context.Cause(ctx))
	}
}

func (m *Mesh) stopped() bool {
	select {
	case <-m.stop:
		return true
	default:
		return false
	}
}

// tick is the clock's goroutine. It does nothing but watch the time, so that
// nothing which takes long looks like time that has passed.
func (m *Mesh) tick() {
	defer m.dieAll()
	ticker := time.NewTicker(m.interval)
	defer ticker.Stop()
	expiry, armed := time.NewTimer(broker.SyncTimeout), true // of waiters
	defer expiry.Stop()
	last := time.Now()
	for {
		select {
		case <-m.stop:
			return
		case <-ticker.C:
			last = m.ticked(last)
		case <-m.waiting:
			if !armed {
				expiry.Reset(broker.SyncTimeout)
				armed = true
			}
		case <-expiry.C:
			next := m.expire()
			if armed = !next.IsZero(); armed {
				expiry.Reset(time.Until(next))
			}
		}
	}
}

// ticked tells the others that time has passed, and returns the time.
func (m *Mesh) ticked(last time.Time) time.Time {
	now := time.Now()
	if d := now.Sub(last); d >= m.cfg.Lease+m.interval {
		m.counts.suspensions.Inc()
		m.log.Warn("this process has not run for a while; peers may have given it up", "duration", d)
		if m.cfg.Suspended != nil {
			m.cfg.Suspended(d)
		}
	}
	m.tickDue.Store(true)
	m.ring()
	m.inbox.tick()
	return now
}
