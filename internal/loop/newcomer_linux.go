package loop

import (
	"errors"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// Polls reports whether the loops poll descriptors themselves.
func (g *Group) Polls() bool {
	for _, l := range g.loops {
		if _, ok := l.waiter.(*poller); !ok {
			return false
		}
	}
	return true
}

// AttachDescriptor makes a newcomer of the descriptor of a TCP connection that
// does not block, on a loop that polls. The loop owns it from here on, unless it
// returns false: then the loop has ended. Open is called as by [Loop.Attach].
func (l *Loop) AttachDescriptor(fd int, open func(*Socket) Handler) bool {
	link := func(s *Socket) Link {
		s.newcomer = true
		return &descriptor{socket: s, poller: l.waiter.(*poller), fd: fd, slot: -1}
	}
	return l.post(func(int) { l.attach(link, nil, open) }, 1)
}

// AttachNewcomer is [Loop.Attach] for a newcomer. If the loop has ended, ended is
// called instead of open.
func (l *Loop) AttachNewcomer(conn net.Conn, open func(*Socket) Handler, ended func()) {
	link := func(s *Socket) Link {
		s.newcomer = true
		return newLink(s, conn)
	}
	if !l.post(func(int) { l.attach(link, nil, open) }, 1) {
		conn.Close()
		ended()
	}
}

// boundUnread bounds what the system holds of what the peer sends.
func (d *descriptor) boundUnread() {
	_ = unix.SetsockoptInt(d.fd, unix.SOL_SOCKET, unix.SO_RCVBUF, unread/2) // of which Linux makes the double
}

func (d *descriptor) release() (conn net.Conn, ok bool, err error) {
	conn, err = d.detach()
	return conn, true, err
}

func (e *encrypted) release() (conn net.Conn, ok bool, err error) {
	if len(e.left) > 0 {
		return nil, false, nil
	}
	tcp, err := e.detach()
	if err != nil {
		return nil, true, err
	}
	e.conn.NetConn().(switcher).Switch(tcp)
	return e.conn, true, nil
}

// detach takes the descriptor out of the poller and returns a connection of
// package net for it.
func (d *descriptor) detach() (net.Conn, error) {
	gone := d.poller.control(unix.EPOLL_CTL_DEL, d, 0) // it would stay with its duplicate
	d.poller.remove(d)
	file := os.NewFile(uintptr(d.fd), "tcp")
	conn, err := net.FileConn(file)
	return conn, errors.Join(gone, err, file.Close())
}
