package loop

import (
	"io"
	"net"
	"time"
)

// A ciphertext is what all TLS connections of a loop read from and write to,
// one after the other: it reads from the descriptor of the one whose turn it
// is, and keeps what is written. It never blocks, and a write never fails: after
// a write that fails, crypto/tls makes no record any more.
type ciphertext struct {
	fd   int
	room int // how much is still read in this turn
	out  []byte
}

var _ net.Conn = (*ciphertext)(nil)

// errLater says that there is nothing to read now. Only after an error that is
// temporary in the sense of [net.Error] may a TLS connection be read again.
var errLater net.Error = later{}

type later struct{}

func (later) Error() string   { return "loop: there is nothing to read yet" }
func (later) Temporary() bool { return true }
func (later) Timeout() bool   { return false }

// begin makes it read from a descriptor, as much as one turn reads.
func (c *ciphertext) begin(fd int) { c.fd, c.room = fd, readBuffer }

// Read reads without waiting. What it leaves is announced again in the next
// turn.
func (c *ciphertext) Read(b []byte) (int, error) {
	if c.room == 0 {
		return 0, errLater
	}
	b = b[:min(len(b), c.room)]
	n, errno := rawRead(c.fd, b)
	switch {
	case waits(errno):
		c.room = 0
		return 0, errLater
	case errno != 0:
		return 0, errno
	case n == 0:
		return 0, io.EOF
	case n < len(b):
		c.room = 0 // that was all
	default:
		c.room -= n
	}
	return n, nil
}

func (c *ciphertext) Write(b []byte) (int, error) {
	c.out = append(c.out, b...)
	return len(b), nil
}

// take returns what was written. It is valid until the next write.
func (c *ciphertext) take() []byte {
	out := c.out
	c.out = c.out[:0]
	return out
}

// Close leaves the descriptor to its link.
func (c *ciphertext) Close() error { return nil }

// It has no addresses, and what never blocks needs no deadlines.

func (c *ciphertext) LocalAddr() net.Addr              { return nil }
func (c *ciphertext) RemoteAddr() net.Addr             { return nil }
func (c *ciphertext) SetDeadline(time.Time) error      { return nil }
func (c *ciphertext) SetReadDeadline(time.Time) error  { return nil }
func (c *ciphertext) SetWriteDeadline(time.Time) error { return nil }
