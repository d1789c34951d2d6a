package client_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// A pipe is one direction of a connection in memory. Its buffer is large
// unless a test makes it small, so that writes do not wait for the reader.
type pipe struct {
	mu   sync.Mutex
	cond *sync.Cond
	// Guarded by mu.
	buf       []byte
	room      int   // of buf
	chunk     int   // most bytes of one read; 0: any
	ended     error // what the reader gets when buf is empty
	broken    error // what the writer gets
	blackhole bool  // writes vanish
	readEnd   time.Time
	writeEnd  time.Time
}

func newPipe() *pipe {
	p := &pipe{room: 16 << 20}
	p.cond = sync.NewCond(&p.mu)
	return p
}

func (p *pipe) update(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
	p.cond.Broadcast()
}

// past reports whether a deadline is over.
func past(t time.Time) bool { return !t.IsZero() && !time.Now().Before(t) }

func (p *pipe) read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		switch {
		case past(p.readEnd):
			return 0, os.ErrDeadlineExceeded
		case len(p.buf) > 0:
			n := len(b)
			if p.chunk > 0 {
				n = min(n, p.chunk)
			}
			n = copy(b[:n], p.buf)
			p.buf = p.buf[n:]
			p.cond.Broadcast()
			return n, nil
		case p.ended != nil:
			return 0, p.ended
		}
		p.cond.Wait()
	}
}

func (p *pipe) write(b []byte) (n int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for n < len(b) {
		switch {
		case p.broken != nil:
			return n, p.broken
		case past(p.writeEnd):
			return n, os.ErrDeadlineExceeded
		case p.blackhole:
			return len(b), nil
		case len(p.buf) < p.room:
			part := min(len(b)-n, p.room-len(p.buf))
			p.buf = append(p.buf, b[n:n+part]...)
			n += part
			p.cond.Broadcast()
			continue
		}
		p.cond.Wait()
	}
	return n, nil
}

// A memConn is one end of a connection in memory.
type memConn struct {
	in, out *pipe
	name    string
}

// memPipe returns the two ends of a connection.
func memPipe() (a, b *memConn) {
	x, y := newPipe(), newPipe()
	return &memConn{in: x, out: y, name: "client"}, &memConn{in: y, out: x, name: "server"}
}

func (c *memConn) Read(b []byte) (int, error)  { return c.in.read(b) }
func (c *memConn) Write(b []byte) (int, error) { return c.out.write(b) }

// Close ends both directions: the peer reads what is left, and then the end.
func (c *memConn) Close() error {
	c.in.update(func() {
		c.in.buf, c.in.broken = nil, syscall.EPIPE
		if c.in.ended == nil {
			c.in.ended = net.ErrClosed
		}
	})
	c.out.update(func() {
		if c.out.ended == nil {
			c.out.ended = io.EOF
		}
		c.out.broken = net.ErrClosed
	})
	return nil
}

// reset breaks the connection as a RST does: what was not read is lost.
func (c *memConn) reset() {
	for _, p := range []*pipe{c.in, c.out} {
		p.update(func() { p.buf, p.ended, p.broken = nil, syscall.ECONNRESET, syscall.ECONNRESET })
	}
}

// vanish lets everything that is written disappear, in both directions.
func (c *memConn) vanish() {
	for _, p := range []*pipe{c.in, c.out} {
		p.update(func() { p.blackhole = true })
	}
}

func (c *memConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *memConn) SetReadDeadline(t time.Time) error {
	c.in.update(func() { c.in.readEnd = t })
	wake(c.in, t)
	return nil
}

func (c *memConn) SetWriteDeadline(t time.Time) error {
	c.out.update(func() { c.out.writeEnd = t })
	wake(c.out, t)
	return nil
}

// wake has a pipe look at its deadlines when they are over.
func wake(p *pipe, t time.Time) {
	if !t.IsZero() {
		time.AfterFunc(max(time.Until(t), 0), func() { p.update(func() {}) })
	}
}

func (c *memConn) LocalAddr() net.Addr  { return memAddr(c.name) }
func (c *memConn) RemoteAddr() net.Addr { return memAddr(c.name) }

type memAddr string

func (a memAddr) Network() string { return "memory" }
func (a memAddr) String() string  { return string(a) }

// A memListener hands out the server's ends of connections, for net/http.
type memListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func newMemListener() *memListener {
	return &memListener{conns: make(chan net.Conn), done: make(chan struct{})}
}

func (l *memListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *memListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *memListener) Addr() net.Addr { return memAddr("listener") }

// dial connects to the listener.
func (l *memListener) dial(ctx context.Context) (net.Conn, error) {
	mine, theirs := memPipe()
	select {
	case l.conns <- theirs:
		return mine, nil
	case <-l.done:
		return nil, syscall.ECONNREFUSED
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
