package loop

import (
	"errors"
	"io"
	"net"
	"slices"
	"time"

	"github.com/belfryhq/belfry/internal/frame"
)

// A newcomer is a socket whose peer has not shown yet that it is a client. It
// does not count among those of its group, and is read also while [Group.Admit]
// would wait: whoever asks for something is answered that there is too much to
// do. Its handler makes it a client's by [Socket.Become], or lets it go by
// [Socket.Leave].

// A HalfHandler is asked when its peer has ended the connection in one direction
// and may still read.
type HalfHandler interface {
	// PeerEnded reports whether the handler sees to the end of the socket, of
	// which nothing more is read.
	PeerEnded() bool
}

// keepsHalf reports whether an error only says that the peer sends no more, and
// that the handler wants to go on with that.
func (s *Socket) keepsHalf(err error) bool {
	if s.dropped || !errors.Is(err, io.EOF) {
		return false
	}
	h, ok := s.handler.(HalfHandler)
	if !ok || !h.PeerEnded() {
		return false
	}
	s.Pause()
	if l, ok := s.link.(pauser); ok {
		l.pause()
	}
	return true
}

// Pause makes nothing be read of the socket, and Input not be called, until
// [Socket.Proceed]. It is for handlers.
func (s *Socket) Pause() { s.unread, s.paused = true, true }

// Proceed ends a pause. It calls Input, without bytes.
func (s *Socket) Proceed() {
	if s.paused && s.at >= 0 && s.leave == nil {
		s.paused = false
		s.resume(nil)
	}
}

// Become makes the socket of a newcomer that of a client, with the handler that
// open returns, and that gets the early bytes first. It may be called while Input
// is. The former handler is not called any more.
func (s *Socket) Become(early []byte, open func(*Socket) Handler) {
	if s.newcomer {
		s.newcomer = false
		for _, f := range s.outbox {
			s.head += f.Size()
		}
		s.loop.newcomers--
		s.loop.count(s, 0)
	}
	if l, ok := s.link.(interface{ boundUnread() }); ok {
		l.boundUnread()
	}
	s.SetDeadline(time.Time{})
	s.tells = false
	s.handler = open(s)
	if early = slices.Clone(early); len(early) > 0 && !s.hold(early) {
		s.handler.Input(early)
	}
}

// countSent counts frames that the link has taken and that cost so much, but for
// what was sent to a newcomer, who is no client yet.
func (s *Socket) countSent(frames, cost int) {
	switch {
	case s.newcomer:
		return
	case s.head > 0:
		bytes := cost - frames*frame.Overhead
		before := min(s.head, bytes)
		s.head -= before
		cost -= before
	}
	s.loop.traffic.sendFrames(frames, cost)
}

// Leave takes the connection away from the loop, when all that was sent has been
// taken, and hands it to somebody else, on the loop's goroutine. From now on
// nothing is read. If that fails, the connection is closed. The handler is told
// nothing, unless the connection ends before. It is for newcomers.
func (s *Socket) Leave(to func(net.Conn, error)) {
	s.Pause()
	s.leave = to
	s.mark()
}

// A releaser is a link whose connection can go on elsewhere.
type releaser interface {
	// release ends the link and returns its connection. It is not ok as long as
	// something waits to be written.
	release() (conn net.Conn, ok bool, err error)
}

var errNoRelease = errors.New("loop: the connection can not go on elsewhere")

// depart is the end of a socket whose connection goes on elsewhere.
func (s *Socket) depart() {
	l, ok := s.link.(releaser)
	if !ok {
		s.leave(nil, errNoRelease)
		s.Drop(errNoRelease)
		return
	}
	conn, ok, err := l.release()
	if !ok {
		return
	}
	s.loop.wheel.clear(&s.deadline)
	s.loop.remove(s)
	s.at, s.dropped, s.outbox = -1, true, nil
	s.leave(conn, err)
}
