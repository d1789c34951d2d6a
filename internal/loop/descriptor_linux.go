package loop

import (
	"io"
	"syscall"
	"unsafe"

	"github.com/belfryhq/belfry/internal/frame"
	"golang.org/x/sys/unix"
)

// maxIovecs is how many frames one system call writes.
const maxIovecs = 256

// A descriptor is the link of a plain TCP connection that the loop polls: no
// goroutine, and no memory but this while nothing happens.
type descriptor struct {
	socket  *Socket
	poller  *poller
	fd      int
	slot    int32 // in the poller; -1 before it is there
	blocked bool  // the peer takes no more; waiting to be told that it does
	paused  bool  // nothing is read
	offset  int   // bytes of the first frame that the peer has
}

func (d *descriptor) number() int { return d.fd }

func (d *descriptor) base() *descriptor { return d }

func (d *descriptor) Start() {
	if err := d.poller.add(d); err != nil {
		d.socket.Lost(err)
	}
}

// read reads once; what is left is announced again in the next turn, so that
// no peer can keep the loop for itself.
func (d *descriptor) read() {
	s := d.socket
	if s.dropped || s.unread {
		d.rest()
		return
	}
	if s.hold(nil) {
		return
	}
	n, errno := rawRead(d.fd, d.poller.buf)
	switch {
	case waits(errno):
	case errno != 0:
		s.Lost(errno)
	case n == 0:
		s.Lost(io.EOF)
	default:
		s.Receive(d.poller.buf[:n])
	}
}

// rest is called when the peer of a socket that is not to be read has sent
// something. One that waits for its handler in the next turn is not worth a
// system call.
func (d *descriptor) rest() {
	if s := d.socket; s.paused && !s.dropped && !d.paused {
		d.pause()
	}
}

// pause leaves alone what the peer sends.
func (d *descriptor) pause() {
	d.paused = true
	d.watch()
}

// Resume makes what was not read be announced again, if it was not all the
// time.
func (d *descriptor) Resume() {
	if d.paused {
		d.paused = false
		d.watch()
	}
}

// watch tells the poller what to announce from now on. It asks for it when it is
// given the descriptor, if that is still to come.
func (d *descriptor) watch() {
	if d.slot < 0 {
		return
	}
	if err := d.poller.control(unix.EPOLL_CTL_MOD, d, d.events()); err != nil {
		d.socket.Lost(err)
	}
}

// events are what the poller announces. Of a socket that is paused nothing is
// to be read, so what can not be left out, that it has ended, is announced once
// and not in every turn.
func (d *descriptor) events() uint32 {
	events := uint32(unix.EPOLLIN)
	if d.paused {
		events = unix.EPOLLET
	}
	if d.blocked {
		events |= unix.EPOLLOUT
	}
	return events
}

// Flush writes all that the peer takes, many frames in one call.
func (d *descriptor) Flush() {
	s := d.socket
	for len(s.outbox) > 0 && !d.blocked && !s.dropped {
		batch := s.outbox[:min(len(s.outbox), maxIovecs)]
		n, errno := d.write(batch)
		switch errno {
		case 0:
			d.took(n, batch)
		case unix.EAGAIN:
			d.block()
		case unix.EINTR:
		default:
			s.Lost(errno)
		}
	}
}

// took accounts for n bytes that the connection has taken of the batch.
func (d *descriptor) took(n int, batch []*frame.Frame) {
	part := n + d.offset
	whole := 0
	for whole < len(batch) && part >= batch[whole].Size() {
		part -= batch[whole].Size()
		whole++
	}
	d.offset = part
	d.socket.Took(whole)
}

func (d *descriptor) write(batch []*frame.Frame) (int, syscall.Errno) {
	if len(batch) == 1 {
		return rawWrite(d.fd, batch[0].Wire()[d.offset:])
	}
	iovecs := d.poller.iovecs[:0]
	for i, f := range batch {
		b := f.Wire()
		if i == 0 {
			b = b[d.offset:]
		}
		v := unix.Iovec{Base: unsafe.SliceData(b)}
		v.SetLen(len(b))
		iovecs = append(iovecs, v)
	}
	n, errno := rawWritev(d.fd, iovecs)
	clear(iovecs) // the frames may go
	return n, errno
}

// block waits until the peer takes more.
func (d *descriptor) block() {
	d.blocked = true
	d.poller.loop.stuck.watch(d)
	d.watch()
}

func (d *descriptor) unblock() {
	if !d.blocked {
		return
	}
	d.blocked = false
	d.poller.loop.stuck.forget(d)
	d.watch()
	d.socket.Wake()
}

// taken implements taker: what is blocked waits in the system's buffer alone.
func (d *descriptor) taken() int64 { return -int64(unsentOf(d.fd)) }

func (d *descriptor) lost(err error) { d.socket.Lost(err) }

// Busy reports whether the peer takes no more.
func (d *descriptor) Busy() bool { return d.blocked }

// Partial reports whether the peer has the beginning of the first frame.
func (d *descriptor) Partial() bool { return d.offset > 0 }

func (d *descriptor) Close() {
	d.poller.remove(d)
	unix.Close(d.fd) // which takes it out of the epoll set
}

// waits reports whether a call did nothing, and would have waited if it could.
func waits(errno syscall.Errno) bool { return errno == unix.EAGAIN || errno == unix.EINTR }

// The sockets are non-blocking, so these calls are short: they do not tell the
// scheduler that they may take long, which costs more than many of them do.

func rawRead(fd int, b []byte) (int, syscall.Errno) {
	n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	return int(n), errno
}

func rawWrite(fd int, b []byte) (int, syscall.Errno) {
	n, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	return int(n), errno
}

func rawWritev(fd int, v []unix.Iovec) (int, syscall.Errno) {
	n, _, errno := unix.RawSyscall(unix.SYS_WRITEV, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(v))), uintptr(len(v)))
	return int(n), errno
}
