package bench

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// newNetwork returns a network that reads with epoll, which costs the least, or
// where it can not (with TLS), one with a goroutine for every connection.
func newNetwork(f *fleet, portable bool) (network, error) {
	if portable || f.endpoint.tls != nil {
		return newStreams(f), nil
	}
	n := &polled{fleet: f, remote: sockaddr(f.endpoint.addr)}
	for _, h := range f.rec.shards {
		p, err := newPoller(n, h)
		if err != nil {
			n.close()
			return nil, err
		}
		n.pollers = append(n.pollers, p)
		n.readers.Go(p.run)
	}
	return n, nil
}

func sockaddr(addr netip.AddrPort) unix.Sockaddr {
	if addr.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(addr.Port()), Addr: addr.Addr().As16(), ZoneId: zone(addr.Addr().Zone())}
}

func zone(name string) uint32 {
	if i, err := net.InterfaceByName(name); err == nil {
		return uint32(i.Index)
	}
	return 0
}

// A polled network has a poller for every shard of the recorder.
type polled struct {
	fleet   *fleet
	remote  unix.Sockaddr
	pollers []*poller
	readers sync.WaitGroup
}

func (n *polled) open(s *session) {
	p := n.pollers[s.id%len(n.pollers)]
	k, err := connect(n.remote)
	if err != nil {
		s.ended(err)
		return
	}
	k.poller, k.session, s.wire = p, s, k
	p.sockets[s.id/len(n.pollers)].Store(k)
	if err := k.begin(); err != nil {
		k.shut()
		s.ended(err)
	}
}

func (n *polled) close() {
	for _, p := range n.pollers {
		p.file.Close()
	}
	n.readers.Wait()
	for _, p := range n.pollers {
		for i := range p.sockets {
			if k := p.sockets[i].Load(); k != nil {
				k.shut()
			}
		}
	}
}

// connect begins a connection. The descriptor never meets Go's own poller.
func connect(remote unix.Sockaddr) (*socket, error) {
	family := unix.AF_INET
	if _, six := remote.(*unix.SockaddrInet6); six {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	err = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	if err == nil {
		err = unix.Connect(fd, remote)
	}
	if err != nil && err != unix.EINPROGRESS {
		unix.Close(fd)
		return nil, os.NewSyscallError("connect", err)
	}
	return &socket{fd: fd}, nil
}

// A poller reads its sockets in one goroutine. The goroutine does not block
// in epoll_wait, which would hold on to a processor that publishers need: the
// epoll set is itself watched by Go's poller.
type poller struct {
	fleet   *fleet
	file    *os.File // the epoll set
	raw     syscall.RawConn
	sockets []atomic.Pointer[socket] // by the number that an event carries
	events  [256]unix.EpollEvent     // owned by run
	buf     []byte                   // owned by run
}

func newPoller(n *polled, h *shard) (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, err
	}
	shards := len(n.fleet.rec.shards)
	p := &poller{
		fleet:   n.fleet,
		file:    os.NewFile(uintptr(fd), "epoll"),
		sockets: make([]atomic.Pointer[socket], len(n.fleet.sessions)/shards+1),
		buf:     make([]byte, 64<<10),
	}
	if p.raw, err = p.file.SyscallConn(); err != nil {
		p.file.Close()
		return nil, err
	}
	return p, nil
}

// run reads until the epoll set is closed.
func (p *poller) run() {
	for {
		ready := 0
		err := p.raw.Read(func(fd uintptr) bool {
			n, err := unix.EpollWait(int(fd), p.events[:], 0)
			ready = max(n, 0)
			return ready > 0 || err != nil && err != unix.EINTR
		})
		if err != nil {
			return
		}
		for _, e := range p.events[:ready] {
			if k := p.sockets[e.Fd].Load(); k != nil {
				k.serve(e.Events)
			}
		}
		runtime.Gosched() // publishers have waited for the length of a turn
	}
}

// A socket is the wire of one session.
type socket struct {
	poller  *poller
	session *session

	connected bool // owned by the poller
	over      bool // owned by the poller

	mu      sync.Mutex
	fd      int    // -1 when closed; guarded by mu
	pending []byte // what the kernel did not take yet; guarded by mu
}

// errBacklog is a connection whose service takes nothing more.
var errBacklog = errors.New("the service does not read what clients send")

// maxPending is how much may wait for a service that does not read.
const maxPending = 1 << 20

// watch registers what the socket waits for.
func (k *socket) watch(op int, events uint32) error {
	index := k.session.id / len(k.poller.fleet.rec.shards)
	var err error
	controlled := k.poller.raw.Control(func(epoll uintptr) {
		err = unix.EpollCtl(int(epoll), op, k.fd, &unix.EpollEvent{Events: events, Fd: int32(index)})
	})
	return errors.Join(controlled, os.NewSyscallError("epoll_ctl", err))
}

// begin hands the socket to its poller.
func (k *socket) begin() error {
	k.mu.Lock() // the poller may end it before we return
	defer k.mu.Unlock()
	return k.watch(unix.EPOLL_CTL_ADD, unix.EPOLLOUT)
}

// serve handles what epoll says of the socket.
func (k *socket) serve(events uint32) {
	if k.over {
		return
	}
	if !k.connected {
		if err := k.connect(); err != nil {
			k.end(err)
		}
		return
	}
	if events&unix.EPOLLOUT != 0 {
		if err := k.flush(); err != nil {
			k.end(err)
			return
		}
	}
	if events&^unix.EPOLLOUT != 0 {
		if err := k.read(); err != nil {
			k.end(err)
		}
	}
}

// connect finishes the connection and asks for the upgrade.
func (k *socket) connect() error {
	code, err := unix.GetsockoptInt(k.fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && code != 0 {
		err = syscall.Errno(code)
	}
	if err != nil {
		return os.NewSyscallError("connect", err)
	}
	k.connected = true
	if err := k.watch(unix.EPOLL_CTL_MOD, unix.EPOLLIN|unix.EPOLLRDHUP); err != nil {
		return err
	}
	return k.send(k.session.request())
}

// read reads once; if there is more, epoll says so again.
func (k *socket) read() error {
	if k.session.deaf() { // no reading, so only the end can be the news
		return errHungUp
	}
	n, err := unix.Read(k.fd, k.poller.buf)
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return nil
	case err != nil:
		return os.NewSyscallError("read", err)
	case n == 0:
		return errHungUp
	}
	out, err := k.session.receive(k.poller.buf[:n], k.poller.fleet.rec.clock.now(), nil)
	if err == nil && len(out) > 0 {
		err = k.send(out)
	}
	if err == nil && k.session.deaf() {
		err = k.watch(unix.EPOLL_CTL_MOD, unix.EPOLLRDHUP)
	}
	return err
}

func (k *socket) send(b []byte) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.fd < 0:
		return net.ErrClosed
	case len(k.pending) == 0:
	case len(k.pending)+len(b) > maxPending:
		return errBacklog
	default:
		k.pending = append(k.pending, b...)
		return nil
	}
	n, err := unix.Write(k.fd, b)
	if err != nil && err != unix.EAGAIN {
		return os.NewSyscallError("write", err)
	}
	if n = max(n, 0); n == len(b) {
		return nil
	}
	k.pending = append(k.pending, b[n:]...)
	return k.watch(unix.EPOLL_CTL_MOD, unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLOUT)
}

// flush writes what is pending.
func (k *socket) flush() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	n, err := unix.Write(k.fd, k.pending)
	if err != nil && err != unix.EAGAIN {
		return os.NewSyscallError("write", err)
	}
	k.pending = k.pending[max(n, 0):]
	if len(k.pending) > 0 {
		return nil
	}
	k.pending = nil
	return k.watch(unix.EPOLL_CTL_MOD, unix.EPOLLIN|unix.EPOLLRDHUP)
}

// end is the end of the connection, as its reader notices it.
func (k *socket) end(err error) {
	k.over = true
	k.shut()
	k.session.ended(err)
}

// shut closes the descriptor. Nobody reads it any more.
func (k *socket) shut() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fd >= 0 {
		unix.Close(k.fd)
		k.fd = -1
	}
}
