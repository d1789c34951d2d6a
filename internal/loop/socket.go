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
	// the handler's to change, but only until it returns. A handler to which
	// the bytes are more work than others should wait for keeps the rest of
	// them, and calls [Socket.Continue].
	Input(b []byte)
	// Expired is called when the time of the last [Socket.SetDeadline] has
	// come.
	Expired()
	// Overflow is called when more waits for the peer than may. The handler is
	// expected to end the socket.
	Overflow()
	// Drain is called when the node goes away and would like the peer gone
	// by then.
	Drain(at time.Time)
	// Closed is called once and last, when the connection is gone. Err is
	// io.EOF when the peer ended it, and nil when the handler did.
	Closed(err error)
}

// A Flushed handler can be told that its peer has taken all.
type Flushed interface {
	// Flushed is called once after [Socket.TellFlushed].
	Flushed()
}

// A Link moves the bytes of a socket. The socket's loop alone calls it.
//
// Streams and descriptors are links for connections that are byte streams from
// beginning to end. A transport whose connections are something else brings a
// link of its own: see [Group.Open].
type Link interface {
	// Start is called once, when the handler is in place. From then on the
	// link may hand over what the peer sends with [Socket.Receive], and
	// reports the end of the connection with [Socket.Lost].
	Start()
	// Resume is called when the handler is done with what it was handed and
	// had put off with [Socket.Continue]. Until then, the link hands over
	// nothing more.
	Resume()
	// Flush sends what is in [Socket.Outbox], as far as the connection takes
	// it now, tells [Socket.Took], and sees to the rest when it takes more.
	// It must not call the handler.
	Flush()
	// Busy reports whether the link can send nothing now, because the
	// connection has not taken what it was sent before.
	Busy() bool
	// Partial reports whether the peer has the beginning of the first frame
	// in the outbox, so that it must get the rest.
	Partial() bool
	// Close ends the connection. It does not block, and nothing of the link
	// is called after it.
	Close()
}

// A Socket is one connection and what waits to be sent on it. Only its loop's
// goroutine may use it.
type Socket struct {
	loop     *Loop
	handler  Handler
	link     Link
	deadline deadline
	at       int // place in loop.sockets; -1 when the socket has ended

	outbox  []*frame.Frame // shared frames that the link does not have yet
	answer  int            // place in outbox of the last answer, from 1; 0: it is not there
	pending int            // cost of the frames that the connection has not taken yet

	queued    queued
	unread    bool // the handler goes on with its input later
	paused    bool // and until then nothing is read
	newcomer  bool // see AttachDescriptor
	head      int  // bytes in outbox that were sent as a newcomer
	tells     bool // the handler is told when nothing waits any more
	overflown bool // Overflow is due
	finishing bool // ends when nothing is pending
	dropped   bool // ends at the next flush, or has
	leave     func(net.Conn, error)
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
	// earlyFlush is how much waits for the end of the turn, by its cost.
	earlyFlush = 64 << 10
	// fewAnswers is how much may wait before a peer that takes nothing is not
	// answered every time.
	fewAnswers = 4 << 10
)

// attach makes a socket with that link.
func (l *Loop) attach(link func(*Socket) Link, early []byte, open func(*Socket) Handler) {
	s := &Socket{loop: l}
	s.deadline.owner = s
	s.link = link(s)
	l.add(s)
	s.handler = open(s)
	if l.stopping {
		s.Drop(ErrStopped)
		return
	}
	if len(early) > 0 && !s.hold(early) {
		s.Receive(early)
	}
	s.link.Start()
}

// Loop is the loop that owns the socket.
func (s *Socket) Loop() *Loop { return s.loop }

// Handler is what the socket was opened with.
func (s *Socket) Handler() Handler { return s.handler }

// Descriptor is the number of the descriptor that the loop polls for the
// socket, or -1 if it polls none.
func (s *Socket) Descriptor() int {
	if d, ok := s.link.(interface{ number() int }); ok {
		return d.number()
	}
	return -1
}

// Send puts f behind all that was sent before. It never blocks and calls
// nobody back: bytes leave when the turn ends, and if the peer takes them too
// slowly, [Handler.Overflow] is called then.
func (s *Socket) Send(f *frame.Frame) {
	if s.dropped {
		return
	}
	s.outbox = append(s.outbox, f)
	s.pending += f.Cost()
	if limit := s.loop.group.cfg.SendBuffer; s.pending > min(limit, earlyFlush) {
		s.link.Flush()
		if s.pending > limit && !s.finishing {
			s.overflown = true
		}
	}
	s.mark()
}

// Answer sends f like Send, or instead of the last answer, if a peer asks, and
// asks, and takes none.
func (s *Socket) Answer(f *frame.Frame) {
	if s.dropped {
		return
	}
	at := s.answer - 1
	if at < 0 || at == 0 && s.link.Partial() || s.pending < fewAnswers || !s.link.Busy() {
		s.answer = len(s.outbox) + 1
		s.Send(f)
		return
	}
	s.pending += f.Cost() - s.outbox[at].Cost()
	s.outbox[at] = f
}

// Discard forgets all frames that the connection has not begun to take, so
// that what is sent next need not wait for them.
func (s *Socket) Discard() {
	keep := 0
	if s.link.Partial() {
		keep = 1 // the peer has its beginning
	}
	s.taken(costOf(s.outbox[keep:]))
	s.shorten(keep)
	s.overflown = false
}

// TellFlushed makes [Flushed.Flushed] of the handler be called, at the end of a
// turn, when the connection has taken all that was sent.
func (s *Socket) TellFlushed() {
	s.tells = true
	s.mark()
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

// ExpireAtFirst makes [Handler.Expired] be called at the first of some times, as
// [Socket.SetDeadline] does. Zero times are no times.
func (s *Socket) ExpireAtFirst(times ...time.Time) {
	var first time.Time
	for _, t := range times {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	s.SetDeadline(first)
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
		s.link.Flush()
	}
	if s.tells && s.pending == 0 && !s.dropped {
		s.tells = false
		s.handler.(Flushed).Flushed()
	}
	switch {
	case s.leave != nil && s.pending == 0 && !s.dropped:
		s.depart()
	case s.finishing && s.pending == 0:
		s.Drop(nil)
	}
	if s.dropped && s.at >= 0 {
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
	s.link.Close()
	s.handler.Closed(s.cause)
}

// Receive hands bytes of the peer to the handler, unless the socket has ended.
// It is for links.
func (s *Socket) Receive(b []byte) {
	if s.dropped {
		return
	}
	if !s.newcomer {
		s.loop.traffic.received.Add(uint64(len(b)))
	}
	s.loop.answering = true
	s.handler.Input(b)
	s.loop.answering = false
}

// Continue makes Input be called in the next turn, without bytes, and nothing
// be read until then. It is for handlers, while they work on input: the turn is
// that of all sockets, so one of them may not take as long as it likes.
func (s *Socket) Continue() {
	if !s.unread && !s.dropped {
		s.unread = true
		s.loop.unread = append(s.loop.unread, s)
	}
}

// resume lets the handler go on with its input, or with what it did not get yet.
func (s *Socket) resume(early []byte) {
	s.unread = false
	s.Receive(early)
	if !s.unread && s.at >= 0 {
		s.link.Resume()
	}
}

// Lost ends the socket because the connection failed, or ended by itself, which
// is io.EOF. It is for links.
func (s *Socket) Lost(err error) {
	if s.at < 0 {
		return
	}
	if errors.Is(err, net.ErrClosed) {
		err = io.EOF
	}
	if s.keepsHalf(err) {
		return
	}
	s.Drop(err)
}

// Waiting is how much waits for the peer, in bytes and what frames cost beside
// them.
func (s *Socket) Waiting() int { return s.pending }

// Outbox returns the frames that the link does not have yet, the oldest first.
// The slice is valid until the next call of Took or Send. It is for links.
func (s *Socket) Outbox() []*frame.Frame { return s.outbox }

// Took tells that the first frames of the outbox wait no longer, as many as
// said. It is for links.
func (s *Socket) Took(frames int) { s.taken(s.take(frames)) }

// take takes the first frames out of the outbox and returns what they cost.
// They still wait for the peer, until taken is called with it.
func (s *Socket) take(frames int) (cost int) {
	if frames > 0 {
		cost = costOf(s.outbox[:frames])
		s.countSent(frames, cost)
		s.answer = max(s.answer-frames, 0)
		s.shorten(copy(s.outbox, s.outbox[frames:]))
	}
	return cost
}

// taken accounts for frames that wait no longer.
func (s *Socket) taken(cost int) { s.pending -= cost }

func costOf(frames []*frame.Frame) (cost int) {
	for _, f := range frames {
		cost += f.Cost()
	}
	return cost
}

// shorten keeps the first n frames of the outbox.
func (s *Socket) shorten(n int) {
	if s.answer > n {
		s.answer = 0
	}
	if n == 0 && cap(s.outbox) > keepFrames {
		s.outbox = nil
		return
	}
	clear(s.outbox[n:])
	s.outbox = s.outbox[:n]
}

// Wake makes the link's Flush be called in this turn. It is for links, and for
// handlers that have told their link something.
func (s *Socket) Wake() { s.mark() }
