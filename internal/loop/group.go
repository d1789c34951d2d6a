package loop

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// MaxLoops is the most loops that a group has; a set of loops fits in one
// machine word.
const MaxLoops = 64

// ErrStopped is why a socket ended when its loop was stopped.
var ErrStopped = errors.New("loop: stopped")

// Config says how a group of loops works. The zero value is usable.
type Config struct {
	// Loops is how many there are. Zero means one per processor that Go may
	// use; at most MaxLoops.
	Loops int
	// MailboxWeight is how much work may wait in one loop's mailbox before
	// [Group.Admit] makes new work wait: see [Group.Post]. Zero means
	// DefaultMailboxWeight.
	MailboxWeight int
	// SendBuffer is how much may wait for one socket that does not take it
	// before its handler is told, by the cost of the frames. Zero means
	// DefaultSendBuffer.
	SendBuffer int
	// Portable makes the loops use a reading goroutine per socket where they
	// could poll descriptors themselves.
	Portable bool
	// WriteTimeout is how long a peer for which something waits may take
	// nothing of it. It is looked at by the second. Zero means
	// DefaultWriteTimeout.
	WriteTimeout time.Duration
	// Registerer is given the metrics. It may be nil.
	Registerer prometheus.Registerer
}

// The defaults of Config.
const (
	DefaultMailboxWeight = 1 << 20
	DefaultSendBuffer    = 1 << 20
	DefaultWriteTimeout  = 10 * time.Second
)

// BytesPerWeight is how much memory one piece of queued work may hold for each
// unit of its weight, so that a full mailbox holds a known amount.
const BytesPerWeight = 128

// A Group is the loops of one node. Its methods are safe for concurrent use.
type Group struct {
	cfg   Config
	gate  gate
	holds holds
	loops []*Loop
	next  atomic.Uint64
}

// NewGroup starts the loops. They run until [Group.Stop].
func NewGroup(cfg Config) *Group {
	if cfg.Loops <= 0 {
		cfg.Loops = runtime.GOMAXPROCS(0)
	}
	cfg.Loops = min(cfg.Loops, MaxLoops)
	if cfg.MailboxWeight <= 0 {
		cfg.MailboxWeight = DefaultMailboxWeight
	}
	if cfg.SendBuffer <= 0 {
		cfg.SendBuffer = DefaultSendBuffer
	}
	if cfg.WriteTimeout <= 0 {
		cfg.WriteTimeout = DefaultWriteTimeout
	}
	g := &Group{cfg: cfg}
	for i := range cfg.Loops {
		l := newLoop(i, g)
		g.loops = append(g.loops, l)
		go l.run()
	}
	g.register(cfg.Registerer)
	return g
}

// Len is the number of loops.
func (g *Group) Len() int { return len(g.loops) }

// Sockets is the number of open sockets.
func (g *Group) Sockets() int {
	n := 0
	for _, l := range g.loops {
		n += int(l.open.Load())
	}
	return n
}

// Post queues work for a loop, behind all that was posted to it before. It
// never blocks and never refuses, so that state and deliveries cannot part;
// whoever brings new work into the node calls [Group.Admit] first. Weight is
// about how many sockets the work concerns, and one more for each
// [BytesPerWeight] that it holds; at least 1. Work posted after [Group.Stop] may
// never run.
func (g *Group) Post(loop int, run func(loop int), weight int) {
	g.loops[loop].Post(run, weight)
}

// Admit waits while some loop has more work queued than it may have, and
// returns the context's error if that does not change in time.
func (g *Group) Admit(ctx context.Context) error { return g.gate.wait(ctx) }

// Hold makes Admit wait as if a mailbox was full, until Release is called as
// often: for queues beside the mailboxes that must not grow without an end.
func (g *Group) Hold() { g.gate.close() }

// Release takes back one Hold.
func (g *Group) Release() { g.gate.open() }

// Attach hands conn over to a loop, which calls open on its goroutine to get
// the socket's handler. Early holds bytes that were read from conn already.
// From here on the loop owns conn and closes it.
func (g *Group) Attach(conn net.Conn, early []byte, open func(*Socket) Handler) {
	g.following().Attach(conn, early, open)
}

// Attach is [Group.Attach] for one loop.
func (l *Loop) Attach(conn net.Conn, early []byte, open func(*Socket) Handler) {
	boundUnread(conn)
	link := func(s *Socket) Link { return newLink(s, conn) }
	if !l.post(func(int) { l.attach(link, early, open) }, 1) {
		conn.Close()
	}
}

// unread is about how much the system may hold of what a peer has sent and we
// have not read. The default is megabytes, which is work that outlives its peer.
const unread = 128 << 10

// boundUnread makes that true for conn, where it can be.
func boundUnread(conn net.Conn) {
	if c, ok := beneath(conn).(interface{ SetReadBuffer(bytes int) error }); ok {
		_ = c.SetReadBuffer(unread / 2) // of which Linux makes the double
	}
}

// beneath is the connection of the system that conn stands on.
func beneath(conn net.Conn) net.Conn {
	for {
		c, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			return conn
		}
		conn = c.NetConn()
	}
}

// Open makes a socket with a link of the caller's own, on a loop, which calls
// link and then open on its goroutine. Neither may be nil, and neither is
// called after [Group.Stop].
func (g *Group) Open(link func(*Socket) Link, open func(*Socket) Handler) {
	l := g.following()
	l.post(func(int) { l.attach(link, nil, open) }, 1)
}

// Next is the loop whose turn it is to get a socket.
func (g *Group) Next() *Loop { return g.following() }

// following is the loop whose turn it is to get a socket.
func (g *Group) following() *Loop { return g.loops[g.next.Add(1)%uint64(len(g.loops))] }

// Each runs do for every open socket, on the socket's loop, soon.
func (g *Group) Each(do func(*Socket)) {
	for _, l := range g.loops {
		l.Post(func(int) { l.each(do) }, 1)
	}
}

// ComeRound waits until every loop has done what was posted to it before, and
// returns which has not when ctx ends.
func (g *Group) ComeRound(ctx context.Context) error {
	round := make([]chan struct{}, len(g.loops))
	for i, l := range g.loops {
		round[i] = make(chan struct{})
		l.Post(func(int) { close(round[i]) }, 1)
	}
	for i := range g.loops {
		select {
		case <-round[i]:
		case <-ctx.Done():
			return fmt.Errorf("loop %d has not come round: %w", i, context.Cause(ctx))
		}
	}
	return nil
}

// Stop drops every socket and waits until all goroutines of the group have
// ended, or ctx has.
func (g *Group) Stop(ctx context.Context) error {
	g.gate.lift()
	for _, l := range g.loops {
		l.Post(l.stop, 1)
	}
	for _, l := range g.loops {
		if err := l.wait(ctx); err != nil {
			return err
		}
	}
	return nil
}
