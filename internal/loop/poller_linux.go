package loop

import (
	"crypto/tls"
	"errors"
	"net"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// pollEvents is how many sockets one turn reads at most.
	pollEvents = 256
	// readBuffer is how much one turn reads of one socket at most.
	readBuffer = 64 << 10
	// recordBuffer is what that takes with TLS: bytes.Buffer moves what is left
	// in half of its memory to the front, and takes more otherwise.
	recordBuffer = 2 * readBuffer
)

// A poller is the waiter of a loop that polls the descriptors of its sockets.
//
// The loop's goroutine must not block in epoll_wait, which would hold on to a
// processor that others could use. So the epoll set is itself polled by Go's
// runtime: the goroutine sleeps like one that reads from a file, and asks the
// set without waiting when it is woken. To wake it, its read deadline is moved
// into the past, which costs no system call.
type poller struct {
	loop *Loop
	file *os.File // the epoll set
	raw  syscall.RawConn

	sleeping atomic.Bool // a wake must move the deadline

	// Owned by the loop.
	paused     bool // nothing is read in this turn
	events     [pollEvents]unix.EpollEvent
	ready      int          // of events
	slots      []polled     // by the number that an event carries
	free       []int32      // slots that are not used
	buf        []byte       // what is being read
	iovecs     []unix.Iovec // what is being written
	joined     []byte       // what is being encrypted
	records    []byte       // what is being decrypted
	ciphertext ciphertext   // of TLS connections
	ask        func(fd uintptr) bool
}

// A polled link is one of a descriptor that the poller watches.
type polled interface {
	base() *descriptor
	// read hands over what the peer has sent, or some of it.
	read()
}

// newWaiter returns a poller, or a bell where the system has no more
// descriptors for one.
func newWaiter(l *Loop) waiter {
	if l.group.cfg.Portable {
		return newBell()
	}
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return newBell()
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return newBell()
	}
	p := &poller{
		loop:    l,
		file:    os.NewFile(uintptr(fd), "epoll"),
		buf:     make([]byte, readBuffer),
		records: make([]byte, 0, recordBuffer),
		iovecs:  make([]unix.Iovec, 0, maxIovecs),
	}
	p.ask = p.poll
	if p.raw, err = p.file.SyscallConn(); err == nil {
		err = p.file.SetReadDeadline(time.Time{}) // fails where the runtime cannot poll it
	}
	if err != nil {
		p.file.Close()
		return newBell()
	}
	return p
}

// past is a deadline that has gone by.
var past = time.Unix(1, 0)

func (p *poller) wait(until time.Time) {
	p.ready = 0
	if p.paused = p.loop.group.gate.shut(); p.paused {
		p.pause(until)
		return
	}
	if !until.IsZero() && !until.After(p.loop.now) || !p.loop.mailbox.empty() {
		runtime.Gosched() // others have waited for the length of a turn
		p.raw.Control(func(fd uintptr) { p.poll(fd) })
	} else {
		p.sleep(until, p.ask)
		if !p.loop.mailbox.empty() {
			// Who woke us is probably not alone: let the others post as well,
			// so that one flush serves them all.
			runtime.Gosched()
		}
	}
}

func (p *poller) receive() {
	for i := range p.ready {
		p.serve(&p.events[i])
	}
}

// pause sleeps without reading.
func (p *poller) pause(until time.Time) {
	if len(p.loop.jobs) > 0 || !p.loop.mailbox.empty() {
		return
	}
	soon := time.Now().Add(admitPause)
	if until.IsZero() || until.After(soon) {
		until = soon
	}
	p.sleep(until, func(uintptr) bool { return false })
	p.raw.Control(func(fd uintptr) { p.poll(fd) }) // for those who can be written to
}

// sleep calls done whenever the epoll set may have changed, until it returns
// true, until the time, or until a wake.
func (p *poller) sleep(until time.Time, done func(fd uintptr) bool) {
	p.sleeping.Store(true)
	p.file.SetReadDeadline(until)
	// Whoever posted before this line was not asked to wake us; whoever
	// posts after it sees that we sleep, and moves the deadline after we did.
	if p.loop.mailbox.empty() {
		p.raw.Read(done) // the error says that the deadline has come
	} else {
		p.raw.Control(func(fd uintptr) { done(fd) })
	}
	p.sleeping.Store(false)
}

func (p *poller) wake() {
	if p.sleeping.CompareAndSwap(true, false) {
		p.file.SetReadDeadline(past)
	}
}

// poll asks the epoll set what is ready, and reports whether anything is.
func (p *poller) poll(fd uintptr) bool {
	for {
		n, err := unix.EpollWait(int(fd), p.events[:], 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		p.ready = max(n, 0)
		return n > 0
	}
}

// serve does what one event asks for.
func (p *poller) serve(e *unix.EpollEvent) {
	link := p.slots[e.Fd]
	if link == nil {
		return
	}
	d := link.base()
	if d.socket.at < 0 {
		return
	}
	if e.Events&unix.EPOLLOUT != 0 {
		d.unblock()
	}
	if (!p.paused || d.socket.newcomer) && e.Events&(unix.EPOLLIN|unix.EPOLLHUP|unix.EPOLLERR|unix.EPOLLRDHUP) != 0 {
		link.read()
	}
}

// add gives a link a slot and watches its descriptor.
func (p *poller) add(link polled) error {
	d := link.base()
	if n := len(p.free); n > 0 {
		d.slot = p.free[n-1]
		p.free = p.free[:n-1]
	} else {
		d.slot = int32(len(p.slots))
		p.slots = append(p.slots, nil)
	}
	p.slots[d.slot] = link
	return p.control(unix.EPOLL_CTL_ADD, d, d.events())
}

func (p *poller) control(op int, d *descriptor, events uint32) error {
	e := unix.EpollEvent{Events: events, Fd: d.slot}
	var err error
	cerr := p.raw.Control(func(fd uintptr) { err = unix.EpollCtl(int(fd), op, d.fd, &e) })
	return errors.Join(err, cerr)
}

// remove forgets d, whose descriptor is about to be closed. It may not have
// been added: a loop that stops starts no socket.
func (p *poller) remove(d *descriptor) {
	p.loop.stuck.forget(d)
	if d.slot < 0 {
		return
	}
	p.slots[d.slot] = nil
	p.free = append(p.free, d.slot)
}

func (p *poller) close() { p.file.Close() }

// newLink polls the descriptor of TCP, and leaves the rest to a stream.
func newLink(s *Socket, conn net.Conn) Link {
	p, ok := s.loop.waiter.(*poller)
	if !ok {
		return newStream(s, conn)
	}
	switch c := conn.(type) {
	case *net.TCPConn:
		if fd, err := detach(c); err == nil {
			return &descriptor{socket: s, poller: p, fd: fd, slot: -1}
		}
	case *tls.Conn:
		if link, ok := newEncrypted(s, p, c); ok {
			return link
		}
	}
	return newStream(s, conn)
}

// detach takes the descriptor of conn away from Go's runtime. If it fails,
// conn is as it was.
func detach(conn *net.TCPConn) (fd int, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return -1, err
	}
	cerr := raw.Control(func(old uintptr) { fd, err = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0) })
	if err := errors.Join(cerr, err); err != nil {
		return -1, err
	}
	conn.Close() // which leaves our duplicate open
	return fd, nil
}
