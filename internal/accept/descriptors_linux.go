package accept

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// keepAlive is how long a connection is silent before the system asks whether
// the other end is there, and between its questions. So it is for connections
// that package net has accepted.
const (
	keepAlive      = 15 // seconds
	keepAliveTries = 9
)

// An Acceptor accepts connections as descriptors, which Go's runtime does not
// know.
type Acceptor struct {
	listener
	file *os.File // the same socket, whose events are waited for
	raw  syscall.RawConn
}

// Poll returns an acceptor for the connections of l, which it owns. It has to be
// a listener of package net for TCP.
func (p *Pending) Poll(l net.Listener) (*Acceptor, error) {
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		return nil, fmt.Errorf("accept: descriptors of a %T: %w", l, errors.ErrUnsupported)
	}
	file, err := tcp.File() // the runtime lets nobody wait for the listener itself
	if err != nil {
		return nil, err
	}
	raw, err := file.SyscallConn()
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	// What is set on the listener is set on all that it accepts.
	var failed error
	set := func(fd uintptr, level, option, value int) {
		failed = errors.Join(failed, unix.SetsockoptInt(int(fd), level, option, value))
	}
	err = raw.Control(func(fd uintptr) {
		set(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		set(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
		set(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, keepAlive)
		set(fd, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, keepAlive)
		set(fd, unix.IPPROTO_TCP, unix.TCP_KEEPCNT, keepAliveTries)
	})
	if err := errors.Join(err, failed); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &Acceptor{listener: listener{Listener: l, pending: p}, file: file, raw: raw}, nil
}

// Close closes the listener.
func (a *Acceptor) Close() error {
	err := a.listener.Close()
	if ferr := a.file.Close(); !errors.Is(ferr, os.ErrClosed) {
		err = errors.Join(err, ferr)
	}
	return err
}

// Next returns the descriptor of the next connection, which does not block, and
// the address of its peer, or an error when the listener is closed. A lack of
// descriptors is no error: others end, and it goes on.
func (a *Acceptor) Next() (fd int, from netip.AddrPort, err error) {
	for {
		var peer unix.Sockaddr
		var failed error
		err := a.raw.Read(func(l uintptr) bool {
			fd, peer, failed = unix.Accept4(int(l), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
			return !errors.Is(failed, unix.EAGAIN)
		})
		switch {
		case err != nil && a.over.Load():
			return -1, netip.AddrPort{}, net.ErrClosed
		case err != nil:
			return -1, netip.AddrPort{}, fmt.Errorf("accept: %w", err)
		case failed == nil:
			return fd, addrPort(peer), nil
		case outOfDescriptors(failed):
			a.pending.starve(failed)
			time.Sleep(retry)
		case errors.Is(failed, unix.EINTR), errors.Is(failed, unix.ECONNABORTED):
		default:
			return -1, netip.AddrPort{}, fmt.Errorf("accept: %w", failed)
		}
	}
}

// Enter makes a descriptor that Next has returned pending, and reports whether
// there was room: if not, the caller closes it. It waits while too many are
// pending and none of them can be closed.
func (a *Acceptor) Enter(fd int, from netip.AddrPort, o Owner) (Place, bool) {
	next := fd
	if !a.pending.cfg.Reserved {
		next = nextTo(fd)
	}
	e := a.enter(&entry{owner: o}, from.Addr(), fd, next)
	return Place{e}, e != nil
}

func addrPort(peer unix.Sockaddr) netip.AddrPort {
	switch p := peer.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(p.Addr), uint16(p.Port))
	case *unix.SockaddrInet6:
		a := netip.AddrFrom16(p.Addr).Unmap()
		if p.ZoneId != 0 {
			if i, err := net.InterfaceByIndex(int(p.ZoneId)); err == nil {
				a = a.WithZone(i.Name)
			}
		}
		return netip.AddrPortFrom(a, uint16(p.Port))
	}
	return netip.AddrPort{}
}

// SilentDescriptor reports whether the peer of a connection has sent nothing
// that this process has not read yet.
func SilentDescriptor(fd int) bool {
	var b [1]byte
	n, _, err := unix.Recvfrom(fd, b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
	return err != nil || n <= 0
}
