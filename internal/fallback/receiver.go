package fallback

import (
	"io"

	"github.com/belfryhq/belfry/internal/loop"
	"github.com/belfryhq/belfry/protocol"
)

const (
	// rotation is how many UTF-16 code units of one response make pusher-js
	// leave it for a new one, when it has read all of them and more than
	// this. What is written after that is lost.
	rotation = 256 << 10
	// sockJSRotation is how many bytes of a response end it with SockJS.
	sockJSRotation = 128 << 10
	// maxChunk is how many bytes of lines go out at a time, and maxBatch how
	// many a poll is answered with, if it takes no single message to pass it.
	maxChunk = 64 << 10
	maxBatch = 256 << 10
)

// A receiver is a request that waits for a session's frames. Its goroutine,
// one of net/http's, writes what the loop hands it, unless the loop has taken
// the connection over (stream.go).
type receiver struct {
	// Immutable.
	format *format
	number uint64 // of the request; 0: it has none

	chunks chan chunk    // with room for one; the loop sends when it is idle
	quit   chan struct{} // closed by the loop when the response has to end
	gone   bool          // set before quit is closed: the session had ended already

	// Owned by the loop.
	session *session // nil if it never got this receiver
	stream  *stream  // writes instead of the goroutine; nil: it does not
	started bool     // the response has begun
	idle    bool     // nothing is being written
	units   int      // of the response so far, in UTF-16 code units
	bytes   int
	held    bool // the client is about to leave this response for another
	free    bool // the client does not rotate: it is never held again
	leave   bool // the response is to end as soon as it can
}

// A chunk is what a receiver writes at once. No lines: the response begins.
type chunk struct {
	lines []line
	last  bool // then the response ends
}

// attach makes r the session's receiver, on its loop. An older one is ended:
// the client has given it up, whether or not we have heard of that.
func (s *session) attach(r *receiver) {
	if s.ended {
		r.gone = true
		close(r.quit)
		return
	}
	s.detach()
	s.receiver, r.session, r.idle = r, s, true
	s.heard()
	s.clock.wrote, s.pulse = s.now(), line{}
	s.order.add(r.number, nil, s.now())
	s.deliver()
	s.socket.Wake()
	s.schedule()
}

// detach ends the response of the receiver, if there is one, once all that it
// was handed is written.
func (s *session) detach() {
	if r := s.receiver; r != nil {
		close(r.quit)
		if r.stream != nil {
			r.stream.end()
		}
		s.receiver = nil
		s.clock.receiveBy = s.now().Add(gap)
	}
}

// written is called on the loop when a receiver has written what it had, or
// has failed to.
func (r *receiver) written(err error) {
	s := r.session
	if s == nil || s.receiver != r {
		return
	}
	if err != nil {
		r.aborted()
		return
	}
	r.idle = true
	s.socket.Wake()
}

// aborted is called on the loop when the client has ended the request. It
// comes back with another only if it rotates; otherwise it is gone, and those
// who see it present learn that at once.
func (r *receiver) aborted() {
	s := r.session
	if s == nil || s.receiver != r {
		return
	}
	if r.rotates() && r.units > rotation {
		s.detach()
		s.schedule()
		return
	}
	s.lose(io.EOF)
}

// sentAway is called on the loop when the node that passed the request on sends
// its clients away: the session stays where it is, but its response has to end.
// SockJS clients come back, for another response, and so do those that poll; a
// stream of pusher-js has to be closed, unless its client is leaving it anyway.
func (r *receiver) sentAway() {
	s := r.session
	if s == nil || s.receiver != r || r.held {
		return
	}
	switch {
	case r.rotates():
		s.Close(protocol.ErrReconnect)
	case r.format.stream:
		r.leave = true
	case s.id.sockJS():
		s.pulse = beatLine
	default:
		s.pulse = emptyLine
	}
	s.socket.Wake()
}

// rotates reports whether the client leaves the response by itself when it has
// become long.
func (r *receiver) rotates() bool { return r.format.stream && !r.session.id.sockJS() }

// A link moves a session's frames to its receiver. It is the session's
// [loop.Link].
type link struct{ session *session }

var _ loop.Link = link{}

// Start implements loop.Link.
func (l link) Start() {}

// Resume implements loop.Link.
func (l link) Resume() {}

// Busy implements loop.Link.
func (l link) Busy() bool { r := l.session.receiver; return r == nil || !r.ready() || r.held }

// Partial implements loop.Link: what a receiver has is not in the outbox.
func (l link) Partial() bool { return false }

// Close implements loop.Link.
func (l link) Close() { l.session.detach() }

// Flush implements loop.Link.
func (l link) Flush() {
	s := l.session
	for r := s.receiver; r != nil && r == s.receiver && !r.held && r.ready(); {
		c := s.fill(r)
		if len(c.lines) == 0 && !c.last && (r.started || !r.format.stream) {
			return
		}
		s.hand(r, c)
	}
	if r := s.receiver; r != nil && r.stream != nil && !r.held {
		r.stream.socket.TellFlushed() // more waits than it takes now
	}
}

// ready reports whether r can be handed a chunk.
func (r *receiver) ready() bool {
	if r.stream != nil {
		return r.stream.ready()
	}
	return r.idle
}

// hand gives r a chunk, for which it is ready.
func (s *session) hand(r *receiver, c chunk) {
	r.started = true
	if len(c.lines) > 0 {
		s.clock.wrote = s.now()
	}
	if r.stream != nil {
		r.stream.put(c)
	} else {
		r.idle = false
		r.chunks <- c // which has room, since r was idle
	}
	if r.held {
		s.clock.holdUntil = s.now().Add(holdWait)
		s.schedule()
	}
	if !c.last {
		return
	}
	s.receiver = nil
	s.clock.receiveBy = s.now().Add(gap)
	if s.finished {
		s.lose(nil)
		return
	}
	s.schedule()
}
