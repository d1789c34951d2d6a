package fallback

import (
	"bytes"
	"net/http"
	"time"

	"github.com/belfryhq/belfry/internal/accept"
	"github.com/belfryhq/belfry/internal/frame"
	"github.com/belfryhq/belfry/internal/loop"
)

// A stream is the connection of a response that goes on and on, once the loop of
// its session has taken it over from net/http: a socket of its own, which costs
// neither goroutines nor buffers while it is silent. The response is chunked
// (RFC 9112, 7.1), and the connection ends with it. The loop alone touches it.
type stream struct {
	receiver *receiver
	socket   *loop.Socket
	over     bool // the response has ended
}

// The compiler checks that a stream is what it is used as.
var (
	_ loop.Handler = (*stream)(nil)
	_ loop.Flushed = (*stream)(nil)
)

// handOver takes the connection of a request away from net/http, and has a loop
// write the first chunk of the response and all that follow. It reports whether
// it did. Not every connection can be taken over: one of HTTP/2 carries other
// requests, and one of another node is not here. A response that is encoded for
// each client stays with a goroutine, which does that.
func (p *response) handOver(r *http.Request, l *loop.Loop, rcv *receiver, first chunk) bool {
	if first.last || !p.format.stream || p.format.encode != nil || r.ProtoMajor != 1 || r.ProtoMinor == 0 {
		return false
	}
	conn, _, err := p.control.Hijack()
	if err != nil {
		return false
	}
	head := p.head()
	// What the client may have sent behind its request, on a connection that
	// is said to end with the response, nobody answers.
	l.Attach(accept.Release(conn), nil, func(socket *loop.Socket) loop.Handler {
		s := &stream{receiver: rcv, socket: socket}
		socket.Send(frame.Bytes(head))
		s.put(first)
		rcv.handedOver(s)
		return s
	})
	return true
}

// head is the head of the response as net/http would have written it, and the
// piece that comes first.
func (p *response) head() []byte {
	h := p.w.Header()
	h.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	h.Set("Transfer-Encoding", "chunked")
	h.Set("Connection", "close")
	var b bytes.Buffer
	b.WriteString("HTTP/1.1 200 OK\r\n")
	_ = h.Write(&b) // to memory
	b.WriteString("\r\n")
	if len(p.prelude) > 0 {
		return appendPiece(b.Bytes(), p.prelude)
	}
	return b.Bytes()
}

// handedOver is called on the loop when a stream writes what r is handed.
func (r *receiver) handedOver(s *stream) {
	if r.session == nil || r.session.receiver != r {
		s.end() // it was detached meanwhile
		return
	}
	r.stream, r.idle = s, true
	r.session.socket.Wake()
}

// ready reports whether the connection takes more.
func (s *stream) ready() bool { return s.socket.Waiting() < maxChunk }

// put sends a chunk.
func (s *stream) put(c chunk) {
	for _, l := range c.lines {
		s.socket.Send(l.framed().piece)
	}
	if c.last {
		s.end()
	}
}

// lastPiece ends a chunked response.
var lastPiece = frame.Bytes([]byte("0\r\n\r\n"))

// end ends the response when all of it is written.
func (s *stream) end() {
	if !s.over {
		s.over = true
		s.socket.Send(lastPiece)
		s.socket.Finish()
	}
}

// Input implements loop.Handler: there is nothing to say to a response.
func (s *stream) Input([]byte) {}

// Flushed implements loop.Flushed.
func (s *stream) Flushed() {
	if r := s.receiver; !s.over && r.session.receiver == r {
		r.session.socket.Wake()
	}
}

// Closed implements loop.Handler.
func (s *stream) Closed(error) {
	if !s.over {
		s.over = true
		s.receiver.aborted()
	}
}

// Expired implements loop.Handler. The session has the deadlines.
func (s *stream) Expired() {}

// Overflow implements loop.Handler. What waits here is one chunk; the session
// sees to the rest.
func (s *stream) Overflow() {}

// Drain implements loop.Handler. The session is asked as well.
func (s *stream) Drain(time.Time) {}
