package relay

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

const (
	// window is how many bytes of a connection may be on their way, which were
	// not taken at the other end. No more ever wait there.
	window = 512 << 10
	// maxPiece is how many of them a message has, so that those of the hub need
	// not wait long for one.
	maxPiece = 16 << 10
	// keptBuffer is how much memory a connection keeps while it is silent.
	keptBuffer = 4 << 10
)

// A conn is a stream of bytes over a link, for net/http.
type conn struct {
	peer *peer
	key  key
	ctx  context.Context // ends with the connection; a Writer is given none
	stop context.CancelFunc

	writing sync.Mutex // held by the one that writes

	mu       sync.Mutex
	readable sync.Cond
	writable sync.Cond
	in       []byte // what came and was not read
	at       int    // what was read of it
	taken    int    // bytes that were read since the peer was last told
	room     int    // how many bytes may be sent
	finished bool   // nothing comes any more
	err      error  // why the connection is over
}

var _ net.Conn = (*conn)(nil)

func newConn(p *peer, k key) *conn {
	c := &conn{peer: p, key: k, room: window}
	c.ctx, c.stop = context.WithCancel(context.Background())
	c.readable.L, c.writable.L = &c.mu, &c.mu
	return c
}

// put keeps what has come. It is called by the broker's goroutine.
func (c *conn) put(b []byte) {
	c.mu.Lock()
	full := len(c.in)-c.at+len(b) > window
	if !full && c.err == nil {
		c.in = append(c.in, b...)
		c.readable.Signal()
	}
	c.mu.Unlock()
	if full {
		c.end(errBroken)
	}
}

// refill is told that the other end has taken n bytes.
func (c *conn) refill(n int) {
	c.mu.Lock()
	c.room += n
	broken := c.room > window
	c.writable.Signal()
	c.mu.Unlock()
	if broken {
		c.end(errBroken)
	}
}

// finish is told that the other end is closed. What came before can be read.
func (c *conn) finish() {
	c.mu.Lock()
	c.finished = true
	c.readable.Broadcast()
	c.writable.Broadcast()
	c.mu.Unlock()
	c.stop()
	c.peer.remove(c)
}

// end makes the connection over at both ends. What came and was not read is
// forgotten.
func (c *conn) end(why error) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	c.err = why
	c.in, c.at = nil, 0
	if !c.finished {
		c.peer.send(c.key, messageEnd, nil)
	}
	c.readable.Broadcast()
	c.writable.Broadcast()
	c.mu.Unlock()
	c.stop()
	c.peer.remove(c)
}

// Read implements net.Conn.
func (c *conn) Read(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.in) == 0 && c.err == nil && !c.finished {
		c.readable.Wait()
	}
	if c.err != nil {
		return 0, c.err
	}
	if len(c.in) == 0 {
		return 0, io.EOF
	}
	n := copy(b, c.in[c.at:])
	if c.at += n; c.at == len(c.in) {
		if c.in, c.at = c.in[:0], 0; cap(c.in) > keptBuffer {
			c.in = nil
		}
	}
	if c.taken += n; c.taken >= window/2 && !c.finished {
		c.peer.send(c.key, messageCredit, binary.BigEndian.AppendUint32(nil, uint32(c.taken)))
		c.taken = 0
	}
	return n, nil
}

// Write implements net.Conn.
func (c *conn) Write(b []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	sent := 0
	for sent < len(b) {
		if err := c.peer.link.Room(c.ctx); err != nil {
			return sent, err
		}
		n, err := c.send(b[sent:min(len(b), sent+maxPiece)])
		if err != nil {
			return sent, err
		}
		sent += n
	}
	return sent, nil
}

// send sends the beginning of b for which there is room in the window.
func (c *conn) send(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.room == 0 && c.err == nil && !c.finished {
		c.writable.Wait()
	}
	switch {
	case c.err != nil:
		return 0, c.err
	case c.finished:
		return 0, io.ErrClosedPipe
	}
	n := min(len(b), c.room)
	c.room -= n
	c.peer.send(c.key, messageData, b[:n])
	return n, nil
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.end(net.ErrClosed)
	return nil
}

// An addr is the id of a node.
type addr string

// Network implements net.Addr.
func (addr) Network() string { return "relay" }

// String implements net.Addr.
func (a addr) String() string { return string(a) }

// LocalAddr implements net.Conn.
func (c *conn) LocalAddr() net.Addr { return addr("") }

// RemoteAddr implements net.Conn.
func (c *conn) RemoteAddr() net.Addr { return addr(c.peer.link.ID()) }

// SetDeadline implements net.Conn. There are none: the link tells when a peer is
// silent, and net/http gives each request its own time.
func (c *conn) SetDeadline(time.Time) error { return os.ErrNoDeadline }

// SetReadDeadline implements net.Conn.
func (c *conn) SetReadDeadline(time.Time) error { return os.ErrNoDeadline }

// SetWriteDeadline implements net.Conn.
func (c *conn) SetWriteDeadline(time.Time) error { return os.ErrNoDeadline }

// backlog is how many connections may wait for the server to take them.
const backlog = 64

// A listener hands connections of peers to the server.
type listener struct {
	conns  chan *conn
	closed chan struct{}
	once   sync.Once
}

func newListener() *listener {
	return &listener{conns: make(chan *conn, backlog), closed: make(chan struct{})}
}

// offer reports whether the server will take the connection. It does not block.
func (l *listener) offer(c *conn) bool {
	select {
	case l.conns <- c:
		return true
	default:
		return false
	}
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// Addr implements net.Listener.
func (l *listener) Addr() net.Addr { return addr("") }
