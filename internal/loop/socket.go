package loop

import (
	"errors"
	"io"
	"net"
	"time"

	"github.com/belfryhq/belfry/internal/frame"
)

// A Handler gives a socket's bytes their meaning. All its methods are called
// on the goroutine of the socket's loop. They must not block.
type Handler interface {
	// Input is called with bytes that the peer sent, in order. The slice is
	// the handler's to change, but only until it returns.
	Input(b []byte)
	// Expired is called when the time of the last [Socket.SetDeadline] has
	// come.
	Expired()
	// Overflow is called when more bytes wait for the peer than may. The
	// handler is expected to end the socket.
	Overflow()
	// Drain is called when the node goes away and would like the peer gone
	// by then.
	Drain(at time.Time)
	// Closed is called once and last, when the connection is gone. Err is
	// io.EOF when the peer ended it, and nil when the handler did.
	Closed(err error)
}

// A link moves the bytes of a socket. The socket's loop alone calls it.
type link interface {
	// start begins to read. What is read goes to [Socket.input], and the end
	// of it to [Socket.lost].
	start()
	// flush sends what is in the socket's outbox, as far as the connection
	// takes it now, and sees to the rest when it takes more. It must not call
	// the handler.
	flush()
	// partial reports whether the peer has the beginning of the first frame
	// in the outbox, so that it must get the rest.
	partial() bool
	// close ends the connection. It does not block.
	close()
}

// A Socket is one connection and what waits to be sent on it. Only its loop's
// goroutine may use it.
type Socket struct {
	loop     *Loop
	handler  Handler
	link     link
	deadline deadline
	at       int // place in loop.sockets; -1 when the socket has ended

	outbox  []*frame.Frame // shared frames that the link does not have yet
	pending int            // bytes that the connection has not taken yet

	queued    queued
	overflown bool // Overflow is due
	finishing bool // ends when nothing is pending
	dropped   bool // ends at the next flush
	cause     error
}

// queued is where a dirty socket waits for its flush.
type queued uint8

const (
	notQueued queued = iota
	inDirty
	inUrgent // and perhaps in dirty as well
)

const (
	// keepFrames is the longest outbox whose memory is kept when it is empty.
	keepFrames = 16
	// earlyFlush is how many bytes wait for the end of the turn.
	earlyFlush = 64 << 10
)

// attach makes a socket of conn.
func (l *Loop) attach(conn net.Conn, early []byte, open func(*Socket) Handler) {
	s := &Socket{loop: l}
	s.deadline.owner = s
	s.link = newLink(s, conn)
	l.add(s)
	s.handler = open(s)
	if l.stopping {
		s.Drop(ErrStopped)
		return
	}
	if len(early) > 0 {
		s.input(early)
	}
	s.link.start()
}

// Loop is the loop that owns the socket.
func (s *Socket) Loop() *Loop { return s.loop }

// Handler is what the socket was opened with.
func (s *Socket) Handler() Handler { return s.handler }

// Send puts f behind all that was sent before. It never blocks and calls
// nobody back: bytes leave when the turn ends, and if the peer takes them too
// slowly, [Handler.Overflow] is called then.
func (s *Socket) Send(f *frame.Frame) {
	if s.dropped {
		return
	}
	s.outbox = append(s.outbox, f)
	s.pending += f.Size()
	if limit := s.loop.group.cfg.SendBuffer; s.pending > min(limit, earlyFlush) {
		s.link.flush()
		if s.pending > limit && !s.finishing {
			s.overflown = true
		}
	}
	s.mark()
}

// Discard forgets all frames that the connection has not begun to take, so
// that what is sent next need not wait for them.
func (s *Socket) Discard() {
	keep := 0
	if s.link.partial() {
		keep = 1 // the peer has its beginning
	}
	for _, f := range s.outbox[keep:] {
		s.pending -= f.Size()
	}
	s.shorten(keep)
	s.overflown = false
}

// Finish ends the socket when all that was sent is written.
func (s *Socket) Finish() {
	s.finishing = true
	s.mark()
}

// Drop ends the socket when the turn ends, written or not. Err is what
// [Handler.Closed] is told; the first Drop counts.
func (s *Socket) Drop(err error) {
	if s.dropped {
		return
	}
	s.dropped, s.cause = true, err
	s.mark()
}

// SetDeadline makes [Handler.Expired] be called at t, instead of at any time
// set before. The zero time clears it.
func (s *Socket) SetDeadline(t time.Time) {
	if t.IsZero() {
		s.loop.wheel.clear(&s.deadline)
		return
	}
	s.loop.wheel.set(&s.deadline, t)
}

func (s *Socket) expired() {
	if !s.dropped {
		s.handler.Expired()
	}
}

// mark puts the socket in line for a flush.
func (s *Socket) mark() {
	switch {
	case s.loop.answering && s.queued != inUrgent:
		s.queued = inUrgent
		s.loop.urgent.push(s)
	case s.queued == notQueued:
		s.queued = inDirty
		s.loop.dirty.push(s)
	}
}

// settle is a dirty socket's part of a flush.
func (s *Socket) settle() {
	s.queued = notQueued
	if s.at < 0 {
		return
	}
	if s.overflown && !s.dropped {
		s.overflown = false
		s.handler.Overflow()
	}
	if !s.dropped {
		s.link.flush()
	}
	if s.finishing && s.pending == 0 {
		s.Drop(nil)
	}
	if s.dropped {
		s.end()
	}
}

// end is the end of the socket. The stream's goroutines may outlive it for a
// moment; the loop waits for them.
func (s *Socket) end() {
	s.loop.wheel.clear(&s.deadline)
	s.loop.remove(s)
	s.at = -1
	s.outbox = nil
	s.link.close()
	s.handler.Closed(s.cause)
}

// input hands over bytes of the peer, unless the socket has ended.
func (s *Socket) input(b []byte) {
	if s.dropped {
		return
	}
	s.loop.answering = true
	s.handler.Input(b)
	s.loop.answering = false
}

// lost is called when the connection fails or ends by itself.
func (s *Socket) lost(err error) {
	if s.at < 0 {
		return
	}
	if errors.Is(err, net.ErrClosed) {
		err = io.EOF
	}
	s.Drop(err)
}

// taken removes the first n frames, which the link has taken, from the outbox.
func (s *Socket) taken(n int) {
	rest := copy(s.outbox, s.outbox[n:])
	s.shorten(rest)
}

// shorten keeps the first n frames of the outbox.
func (s *Socket) shorten(n int) {
	if n == 0 && cap(s.outbox) > keepFrames {
		s.outbox = nil
		return
	}
	clear(s.outbox[n:])
	s.outbox = s.outbox[:n]
}
