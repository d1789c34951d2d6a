//go:build unix

package accept

import (
	"errors"
	"math"
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// Limit returns how many descriptors the process may have now, and whether
// there is a limit. Go has raised it as far as it may be raised.
func Limit() (d Descriptors, ok bool) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil || uint64(limit.Cur) > math.MaxInt32 {
		return d, false
	}
	return Descriptors{int(limit.Cur)}, true
}

// outOfDescriptors reports whether that is why a connection was not accepted.
func outOfDescriptors(err error) bool {
	return errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE)
}

// descriptors returns the numbers of the descriptor of a connection and of the
// one that is opened next beside it, or -1. The system gives the lowest one that
// is free. The first says too little: that of a WebSocket is duplicated, and the
// one that it had at first is free again and again. So does the second: while
// many come and go, one far below may just have become free.
func descriptors(nc net.Conn) (own, next int) {
	own, next = -1, -1
	control(nc, func(fd uintptr) {
		own = int(fd)
		next = nextTo(own)
	})
	return own, next
}

// nextTo returns the number of the descriptor that is opened next beside one.
func nextTo(fd int) int {
	n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	switch {
	case err == nil:
		unix.Close(n)
		return n
	case outOfDescriptors(err):
		return math.MaxInt
	}
	return -1
}

// silent reports whether the peer has sent nothing that this process has not
// read yet.
func silent(nc net.Conn) bool {
	waits := false
	control(nc, func(fd uintptr) {
		var b [1]byte
		n, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		waits = err == nil && n > 0
	})
	return !waits
}

// control runs do with the descriptor of a connection that is not closed yet.
func control(nc net.Conn, do func(fd uintptr)) {
	if sc, ok := nc.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			_ = raw.Control(do) // of a closed one there is none
		}
	}
}
