package accept

import "net"

// An Owner serves a connection that is pending, and ends it when it has to go.
// Its methods are called under a lock: they do not block, and call nothing of
// this package.
type Owner interface {
	// Silent reports whether the peer has sent nothing that this process has not
	// read yet.
	Silent() bool
	// Evict ends the connection soon, to make room for others.
	Evict()
}

// served is a connection of net/http, below TLS.
type served struct{ net.Conn }

func (s served) Silent() bool { return silent(s.Conn) }

func (s served) Evict() { s.Close() }

// A Place is that of a connection among the pending ones, for an [Owner] that is
// not net/http. One goroutine at a time uses it.
type Place struct{ entry *entry }

// TakeOver gives a connection, from which net/http has not read yet, to another
// owner. The connection stays beneath TLS.
// It is not ok if the connection is being closed.
func (c *Conn) TakeOver(o Owner) (place Place, ok bool) {
	e := c.entry.Swap(nil)
	if e == nil {
		return Place{}, false
	}
	e.pending.mu.Lock()
	defer e.pending.mu.Unlock()
	e.owner = o
	e.pending.countLocked(e, func() { e.header = 0 }) // of the handshake
	return Place{e}, !e.gone
}

// Full reports whether the process is so short of descriptors that the client
// should be refused.
func (c *Conn) Full() bool {
	e := c.entry.Load()
	return e != nil && e.full
}

// Full reports whether the process is so short of descriptors that the client
// should be refused.
func (p Place) Full() bool { return p.entry.full }

// Hold says how many bytes there are now of a request that is not complete.
func (p Place) Hold(n int) {
	e := p.entry
	e.pending.mu.Lock()
	defer e.pending.mu.Unlock()
	if e.listed {
		e.pending.countLocked(e, func() { e.header = n })
		e.pending.closeLongLocked()
	}
}

// Answered says that complete requests came and were answered. The connection is
// the youngest of the pending ones then.
func (p Place) Answered() {
	e := p.entry
	e.pending.mu.Lock()
	defer e.pending.mu.Unlock()
	if e.gone {
		return
	}
	e.pending.countLocked(e, func() { e.header = 0 })
	e.pending.removeLocked(e)
	e.pending.addLocked(e)
}

// Begin says that a complete request has come whose answer takes its time, and
// End that it was answered.
func (p Place) Begin() { p.entry.begin() }

// End is the end of what began with [Place.Begin].
func (p Place) End() { p.entry.end() }

// Leave says that the connection has ended, or has shown who it is.
func (p Place) Leave() {
	e := p.entry
	e.pending.mu.Lock()
	defer e.pending.mu.Unlock()
	e.pending.forgetLocked(e)
}

// Return makes net/http the owner of a connection. It returns the one that
// net/http gets, which reads the early bytes first.
func (p Place) Return(nc net.Conn, early []byte) *Conn {
	c := &Conn{Conn: nc, early: early}
	p.ReturnTo(c, nc)
	return c
}

// ReturnTo is [Place.Return] for a connection that stands beneath TLS, and for
// what it stands on.
func (p Place) ReturnTo(c *Conn, below net.Conn) {
	e := p.entry
	e.pending.mu.Lock()
	defer e.pending.mu.Unlock()
	e.owner = served{below}
	e.pending.countLocked(e, func() { e.header = 0 }) // net/http reads it again
	if !e.gone {
		c.entry.Store(e)
	}
}
