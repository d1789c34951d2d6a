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

// A Socket is one connection and what waits to be sent on it. Only its loop's
// goroutine may use it.
type Socket struct {
	loop     *Loop
	handler  Handler
	stream   *stream
	deadline deadline
	at       int // place in loop.sockets

	outbox  []*frame.Frame // shared frames that the stream does not have yet
	pending int            // bytes in outbox and with the stream

	dirty     bool // is in loop.dirty
	overflown bool // Overflow is due
	finishing bool // ends when the outbox is empty
	dropped   bool // ends at the next flush
	cause     error
}

// keepFrames is the longest outbox whose memory is kept when it is empty.
const keepFrames = 16

// attach makes a socket of conn.
func (l *Loop) attach(conn net.Conn, early []byte, open func(*Socket) Handler) {
	s := &Socket{loop: l}
	s.deadline.owner = s
	s.stream = newStream(s, conn)
	l.add(s)
	s.handler = open(s)
	if l.stopping {
		s.Drop(ErrStopped)
		return
	}
	if len(early) > 0 {
		s.handler.Input(early)
	}
	s.stream.startReading()
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
	if s.pending > s.loop.group.cfg.SendBuffer && !s.finishing {
		s.overflown = true
	}
	s.mark()
}

// Discard forgets all frames that the connection has not begun to take, so
// that what is sent next need not wait for them.
func (s *Socket) Discard() {
	for _, f := range s.outbox {
		s.pending -= f.Size()
	}
	clear(s.outbox)
	s.outbox = s.outbox[:0]
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

func (s *Socket) mark() {
	if !s.dirty {
		s.dirty = true
		s.loop.dirty = append(s.loop.dirty, s)
	}
}

// settle is a dirty socket's part of a flush.
func (s *Socket) settle() {
	if s.at < 0 {
		return
	}
	if s.overflown && !s.dropped {
		s.overflown = false
		s.handler.Overflow()
	}
	if !s.dropped {
		s.stream.flush()
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
	s.Discard()
	s.stream.close()
	s.handler.Closed(s.cause)
}

// input hands over bytes of the peer, unless the socket has ended.
func (s *Socket) input(b []byte) {
	if !s.dropped {
		s.handler.Input(b)
	}
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

// written is called when the connection has taken n bytes.
func (s *Socket) written(n int) {
	s.pending -= n
	if len(s.outbox) > 0 || s.finishing {
		s.mark()
	}
}
