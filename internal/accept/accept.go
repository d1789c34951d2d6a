// Package accept takes connections in, and bounds those that owe a request.
//
// A connection is pending while no request of it is complete. It has sent
// nothing yet, or its TLS handshake, its header or its body has not ended, or
// it is kept alive and idle. Nobody has shown who he is by then. So there is a
// limit to pending connections in all and by address, and to the bytes of
// their headers. The oldest one that is silent goes first. From its complete
// request on, a connection is bounded by whoever answers it, and [Release]
// forgets it.
//
// TLS handshakes take turns ([Pending.Handshakes]), so that many of them leave
// processors to others.
//
// The package also looks at how many descriptors the process has left. Before
// the last are taken, clients are told so by whoever answers them ([Full]);
// the rest is for the listener of operators, the engine, and other nodes.
//
// Who serves a connection, net/http or somebody else, is its [Owner], and has a
// [Place] for it.
//
// # Locks
//
// Under Pending.mu owners are asked whether a connection is silent, and told that
// it has to go. Neither blocks. What they post to a loop's mailbox takes that
// lock, and no other is taken.
package accept

import (
	"cmp"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfryhq/belfry/internal/admission"
	"github.com/belfryhq/belfry/internal/forwarded"
)

// Config says how much may be pending. The zero value is usable.
type Config struct {
	// Name tells the connections of some listeners from those of others, in
	// metrics and in the log.
	Name string
	// Max is how many connections may be pending. Zero means DefaultMax. It is
	// less where the process has few descriptors.
	Max int
	// MaxPerAddress is how many of them may be of one address, or of one
	// IPv6 network of 64 bits. Loopback and TrustedProxies have no such limit,
	// because they stand for others. Zero means DefaultMaxPerAddress.
	MaxPerAddress  int
	TrustedProxies forwarded.Proxies
	// Reserved lets the listeners have the descriptors that are kept back from
	// others.
	Reserved bool
	Log      *slog.Logger // nil: no log
	// Metrics may be shared. Nil means that none are kept.
	Metrics *Metrics
}

// The defaults of Config.
const (
	DefaultMax           = 4096
	DefaultMaxPerAddress = 1024
)

const (
	// patience is how long a connection may be pending before it can be closed
	// to make room: as long as a handshake takes on a bad network.
	patience = time.Second
	// look is how many connections are looked at for one that is silent. Those
	// that are not wait for this process, which is no reason to close them.
	look = 64
	// retry is how long accepting pauses when there is no room.
	retry = 5 * time.Millisecond

	// freeHeader is what a header may have before its bytes are counted, and
	// maxHeaders how many counted bytes all pending connections may have. In
	// memory a header can be thirteen times as large as on the wire.
	freeHeader = 4 << 10
	maxHeaders = 8 << 20
)

// Pending is the pending connections of some listeners. It is safe for
// concurrent use.
type Pending struct {
	cfg      Config
	max      int
	patience time.Duration
	log      *slog.Logger
	closed   [len(reasons)]prometheus.Counter
	shaken   [len(shakes)]prometheus.Counter
	turns    chan struct{} // of handshakes, with room for those at once
	waiting  atomic.Int32  // handshakes that have no turn yet
	said     atomic.Int64  // when a lack of descriptors was logged last, in Unix seconds

	mu      sync.Mutex
	all     list
	byPeer  map[netip.Addr]*list // of addresses with a limit
	long    list                 // those with counted bytes, in the order in which they got them
	headers int                  // counted bytes
}

// New returns a set without listeners.
func New(cfg Config) *Pending {
	p := &Pending{
		cfg:      cfg,
		max:      cmp.Or(cfg.Max, DefaultMax),
		patience: patience,
		log:      cfg.Log,
		all:      list{which: inAll},
		long:     list{which: inLong},
		byPeer:   make(map[netip.Addr]*list),
		turns:    make(chan struct{}, runtime.GOMAXPROCS(0)),
	}
	p.cfg.MaxPerAddress = cmp.Or(cfg.MaxPerAddress, DefaultMaxPerAddress)
	if d, ok := Limit(); ok {
		p.max = min(p.max, d.pending(cfg.Reserved))
	}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	p.closed, p.shaken = cfg.Metrics.register(p)
	return p
}

// Len is the number of pending connections.
func (p *Pending) Len() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.all.n
}

// Listen returns a listener whose connections are those of l, as far as there
// is room for them. It owns l.
func (p *Pending) Listen(l net.Listener) net.Listener {
	return &listener{Listener: l, pending: p}
}

// ListenTLS is [Pending.Listen] for connections that begin with a handshake. It
// accepts none while many of them wait for their turn.
func (p *Pending) ListenTLS(l net.Listener) net.Listener {
	return &listener{Listener: l, pending: p, encrypted: true}
}

// A listener is one whose connections are pending at first.
type listener struct {
	net.Listener
	pending   *Pending
	encrypted bool
	over      atomic.Bool // closed
}

func (l *listener) Close() error {
	l.over.Store(true)
	return l.Listener.Close()
}

// Accept returns the next connection that there is room for. A lack of
// descriptors is no error of the listener: others end, and it goes on.
func (l *listener) Accept() (net.Conn, error) {
	for {
		l.pace()
		nc, err := l.Listener.Accept()
		switch {
		case err == nil:
			if c := l.admit(nc); c != nil {
				return c, nil
			}
		case outOfDescriptors(err):
			l.pending.starve(err)
			time.Sleep(retry)
		default:
			return nil, err
		}
	}
}

// admit makes a connection pending, or closes it and returns nil. While too
// many are pending and none of them can be closed, it waits, and further ones
// wait in the backlog of the system.
func (l *listener) admit(nc net.Conn) *Conn {
	own, next := -1, -1
	if !l.pending.cfg.Reserved {
		own, next = descriptors(nc)
	}
	var from netip.Addr
	if tcp, ok := nc.RemoteAddr().(*net.TCPAddr); ok {
		from = tcp.AddrPort().Addr()
	}
	e := l.enter(&entry{owner: served{nc}}, from, own, next)
	if e == nil {
		nc.Close()
		return nil
	}
	c := &Conn{Conn: nc}
	c.entry.Store(e)
	return c
}

// enter makes what is known of a connection pending, and returns nil if there is
// no room. It waits as admit does.
func (l *listener) enter(e *entry, from netip.Addr, own, next int) *entry {
	p := l.pending
	e.pending, e.peer = p, p.limited(from)
	if !p.cfg.Reserved {
		room := roomAt(own, next)
		if room != ample {
			p.starve(nil)
		}
		if room == none {
			return nil
		}
		e.full = room == scarce
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.all.n >= p.max {
		if p.evictLocked(&p.all, tooMany, p.patience) {
			continue
		}
		p.mu.Unlock()
		time.Sleep(retry)
		p.mu.Lock()
		if l.over.Load() {
			return nil
		}
	}
	p.addLocked(e)
	return e
}

// limited returns the address by which a connection is counted, or the zero
// one if there is no limit to its own.
func (p *Pending) limited(a netip.Addr) netip.Addr {
	a = a.Unmap()
	if !a.IsValid() || a.IsLoopback() || p.cfg.TrustedProxies.Has(a) {
		return netip.Addr{}
	}
	return admission.Network(a)
}

const (
	// starveLog is how often a lack of descriptors is logged.
	starveLog = 10 // seconds
	// starveEvictions is how many connections are closed at once for it.
	starveEvictions = 16
)

// starve makes room for others when descriptors are scarce. Err is that of the
// system if there are none at all.
func (p *Pending) starve(err error) {
	least := p.patience
	if err != nil {
		least = 0 // nobody can come in before somebody goes
	}
	p.mu.Lock()
	for i := 0; i < starveEvictions && p.evictLocked(&p.all, noDescriptors, least); i++ {
	}
	p.mu.Unlock()
	now := time.Now().Unix()
	if last := p.said.Load(); now-last < starveLog || !p.said.CompareAndSwap(last, now) {
		return
	}
	limit, _ := Limit()
	p.log.Warn("too many open files: new clients are refused until others go; raise the limit (ulimit -n, LimitNOFILE)",
		"listeners", p.cfg.Name, "limit", limit.Max, "kept_back", limit.kept(), "err", err)
}

// evictLocked closes the oldest connection of a list that is silent, and pending for
// that long at least. It reports whether there was one. The lock is held.
func (p *Pending) evictLocked(l *list, why reason, least time.Duration) bool {
	before := time.Now().Add(-least)
	e := l.oldest
	for range look {
		if e == nil || e.since.After(before) {
			return false
		}
		if e.owner.Silent() {
			p.dropLocked(e, why)
			return true
		}
		e = e.links[l.which].younger
	}
	return false
}

// dropLocked closes a pending connection. The lock is held.
func (p *Pending) dropLocked(e *entry, why reason) {
	p.forgetLocked(e)
	e.owner.Evict()
	p.closed[why].Inc()
}

// addLocked makes a connection the youngest of the pending ones, and closes those
// that are too many now. The lock is held.
func (p *Pending) addLocked(e *entry) {
	e.listed, e.since = true, time.Now()
	p.all.push(e)
	if e.peer.IsValid() {
		peers := p.byPeer[e.peer]
		if peers == nil {
			peers = &list{which: inPeer}
			p.byPeer[e.peer] = peers
		}
		peers.push(e)
		for peers.n > p.cfg.MaxPerAddress && p.evictLocked(peers, tooManyOfAddress, p.patience) {
		}
	}
	for p.all.n > p.max && p.evictLocked(&p.all, tooMany, p.patience) {
	}
}

// forgetLocked is for a connection that ends, or that somebody else owns from here
// on. The lock is held.
func (p *Pending) forgetLocked(e *entry) {
	e.gone = true
	p.removeLocked(e)
	p.countLocked(e, func() { e.header, e.held = 0, 0 })
}

// removeLocked is for a connection that is pending no more. The lock is held.
func (p *Pending) removeLocked(e *entry) {
	if !e.listed {
		return
	}
	e.listed = false
	p.all.remove(e)
	if peers := p.byPeer[e.peer]; peers != nil {
		peers.remove(e)
		if peers.n == 0 {
			delete(p.byPeer, e.peer)
		}
	}
}

// countHeader counts what was read of a header.
func (p *Pending) countHeader(e *entry, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e.listed && e.bodies == 0 {
		p.countLocked(e, func() { e.header += n })
		p.closeLongLocked()
	}
}

// countLocked changes what is counted of the headers of a connection. The lock is
// held.
func (p *Pending) countLocked(e *entry, change func()) {
	before := e.counted()
	change()
	after := e.counted()
	p.headers += after - before
	switch {
	case before == 0 && after > 0:
		p.long.push(e)
	case before > 0 && after == 0:
		p.long.remove(e)
	}
}

// closeLongLocked closes the oldest of those with long headers while they are too much
// together. The lock is held.
func (p *Pending) closeLongLocked() {
	for p.headers > maxHeaders && p.long.oldest != nil {
		p.dropLocked(p.long.oldest, tooMuchHeader)
	}
}
