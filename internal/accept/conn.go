package accept

import (
	"net"
	"net/netip"
	"sync/atomic"
	"time"
)

// A Conn is a connection that was accepted. Whoever hijacks it from net/http
// calls [Release].
type Conn struct {
	net.Conn
	early []byte                        // what Read returns first
	entry atomic.Pointer[entry]         // nil once it is released, or while somebody else than net/http serves it
	turns atomic.Pointer[chan struct{}] // that it has one of; nil: none
}

// Read reads, and counts what belongs to headers.
func (c *Conn) Read(b []byte) (int, error) {
	var n int
	var err error
	if len(c.early) > 0 {
		n = copy(b, c.early)
		if c.early = c.early[n:]; len(c.early) == 0 {
			c.early = nil
		}
	} else {
		n, err = c.Conn.Read(b)
	}
	if e := c.entry.Load(); e != nil && n > 0 {
		e.pending.countHeader(e, n)
	}
	return n, err
}

// NetConn is the connection that was accepted.
func (c *Conn) NetConn() net.Conn { return c.Conn }

// Switch makes what stands on the connection go on over another one. It is for
// whoever has taken a TLS connection over from net/http and is the only one who
// uses it.
func (c *Conn) Switch(to net.Conn) { c.Conn = to }

// Close closes the connection.
func (c *Conn) Close() error {
	c.endTurn()
	c.release()
	return c.Conn.Close()
}

func (c *Conn) release() {
	e := c.entry.Swap(nil)
	if e == nil {
		return
	}
	e.pending.mu.Lock()
	defer e.pending.mu.Unlock()
	e.pending.forgetLocked(e)
}

// Release forgets a connection that somebody has taken over from net/http, and
// returns the one to go on with. Connections that were not accepted by a
// listener of this package are returned as they are.
func Release(nc net.Conn) net.Conn {
	switch c := nc.(type) {
	case *Conn:
		c.release()
		if len(c.early) > 0 {
			return c
		}
		return c.Conn
	case interface{ NetConn() net.Conn }: // TLS, which stays around it
		if c, ok := c.NetConn().(*Conn); ok {
			c.release()
		}
		if e, ok := nc.(interface{ Bare() net.Conn }); ok {
			return e.Bare()
		}
	}
	return nc
}

// An entry is what is known of a connection that is not released. All but the
// first fields are guarded by the lock of pending.
type entry struct {
	owner   Owner // guarded too
	pending *Pending
	peer    netip.Addr // not valid: there is no limit to its connections
	full    bool       // it has one of the last descriptors

	listed   bool // it is in the lists of pending ones
	gone     bool // it will not be in any list again
	since    time.Time
	complete int  // requests of it that are complete and not answered yet
	header   int  // bytes of a header that has not ended
	bodies   int  // requests whose header has ended, and whose body has not
	held     int  // bytes of their headers
	unread   bool // the one among them was answered, and net/http reads its rest
	links    [lists]links
}

// counted are the bytes of headers that count.
func (e *entry) counted() int { return max(0, e.header+e.held-freeHeader) }

// begin is called when a request without a body is complete.
func (e *entry) begin() {
	e.pending.mu.Lock()
	defer e.pending.mu.Unlock()
	e.complete++
	e.pending.removeLocked(e)
	e.pending.countLocked(e, func() { e.header = 0 })
}

// end is called when a complete request has been answered.
func (e *entry) end() {
	e.pending.mu.Lock()
	defer e.pending.mu.Unlock()
	if e.complete--; e.complete == 0 && !e.gone {
		e.pending.addLocked(e)
	}
}

// beginBody is called when a header of so many bytes has ended and a body
// follows.
func (e *entry) beginBody(size int) {
	e.pending.mu.Lock()
	defer e.pending.mu.Unlock()
	if e.gone {
		return
	}
	e.bodies++
	if e.listed { // not so for the second stream of HTTP/2
		e.pending.removeLocked(e)
		e.pending.addLocked(e)
	}
	e.pending.countLocked(e, func() { e.header, e.held = 0, e.held+size })
	e.pending.closeLongLocked()
}

// completeBody is called when a body has ended.
func (e *entry) completeBody(size int) {
	e.pending.mu.Lock()
	defer e.pending.mu.Unlock()
	e.complete++
	e.pending.removeLocked(e)
	e.leaveBodyLocked(size)
}

// endBody is called when a request has been answered whose body was not read
// to its end.
func (e *entry) endBody(size int) {
	e.pending.mu.Lock()
	defer e.pending.mu.Unlock()
	e.leaveBodyLocked(size)
}

// leaveBodyLocked is for a body that nobody waits for any more. The lock is held.
func (e *entry) leaveBodyLocked(size int) {
	if !e.gone {
		e.bodies--
		e.pending.countLocked(e, func() { e.held -= size })
	}
}

// leaveRest is called when that is so with HTTP/1, where net/http reads the rest
// of the body and keeps the request until then, and idle when it has.
func (e *entry) leaveRest() {
	e.pending.mu.Lock()
	defer e.pending.mu.Unlock()
	e.unread = true
}

func (e *entry) idle() {
	e.pending.mu.Lock()
	defer e.pending.mu.Unlock()
	if e.unread {
		e.unread = false
		e.leaveBodyLocked(e.held)
	}
}
