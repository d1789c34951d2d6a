package fallback

import (
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/belfryhq/belfry/internal/accept"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/loop"
	"github.com/belfryhq/belfry/protocol"
)

const (
	// writeTimeout is how long one piece of a chunk may take, and pieceSize
	// how long a piece is. A client that reads slowly, but does not stop to,
	// gets all of it.
	writeTimeout = 30 * time.Second
	pieceSize    = 16 << 10
)

// maxHeader bounds the header of a request that lasts: it stays in memory for
// as long, in many times its size.
const maxHeader = 16 << 10

// serveReceive answers a request that waits for frames.
func (s *Server) serveReceive(w http.ResponseWriter, r *http.Request, rt route) {
	if accept.HeaderSize(r) > maxHeader {
		refuse(w, http.StatusRequestHeaderFieldsTooLarge, "the header is too long")
		return
	}
	f := formats[rt.endpoint]
	query := r.URL.Query()
	callback := query.Get("c")
	if f.callback && !callbackName.MatchString(callback) {
		refuse(w, http.StatusBadRequest, "c is not the name of a callback")
		return
	}
	// The request must have been read before its end can be noticed.
	if _, err := io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, minBody)); err != nil {
		refuseBody(w, err)
		return
	}
	p := response{w: w, control: http.NewResponseController(w), format: f, callback: callback}
	if rt.endpoint == xhrStreaming && r.Header.Get("Content-Type") != "application/json" {
		p.prelude = xhrPrelude
	} else if f.prelude != nil {
		p.prelude = f.prelude(callback)
	}
	for {
		rcv := &receiver{
			format: f,
			number: requestNumber(query.Get("n")),
			chunks: make(chan chunk, 1),
			quit:   make(chan struct{}),
			units:  units(p.prelude),
		}
		session := s.table.find(rt.id)
		if session == nil {
			session = s.missing(w, r, rt, f, query)
		}
		if session == nil {
			return
		}
		select {
		case <-session.opened:
		case <-r.Context().Done():
			return
		}
		session.loop.Post(func(int) { session.attach(rcv) }, 1)
		if p.serve(r, session.loop, rcv) {
			return
		}
	}
}

// missing is called for a receive request whose session is not here. It
// returns a new one, or nil when the request is answered: by another node, or
// because it is refused.
func (s *Server) missing(w http.ResponseWriter, r *http.Request, rt route, f *format, query map[string][]string) *session {
	if rt.relayed {
		misdirected(w)
		return nil
	}
	if s.elsewhere(w, r, rt, nil) {
		return nil
	}
	if !s.cfg.Attempt(r) {
		refuse(w, http.StatusTooManyRequests, "too many attempts to connect")
		return nil
	}
	session := s.newSession(r, rt, f, query)
	if session == nil {
		s.overCapacity(w, rt, f)
	}
	return session
}

// newSession makes the session of a receive request, or returns the one that
// another request has just made. It returns nil if there are too many.
func (s *Server) newSession(r *http.Request, rt route, f *format, query map[string][]string) *session {
	n := &session{server: s, id: rt.id, transport: f.transport, opened: make(chan struct{})}
	n.request.Secure = s.cfg.TrustedProxies.Secure(r)
	n.request.Address, _ = s.cfg.TrustedProxies.Client(r)
	n.request.Full = accept.Full(r)
	if rt.id.sockJS() {
		n.transport = transportSockJS
	}
	n.request.Transport = string(n.transport)
	if !rt.id.sockJS() {
		n.request.Path = rt.app
		n.request.Query = query
		n.request.Origin = r.Header.Get("Origin")
		assumeVersion(query)
	}
	found := s.table.findOrAdd(n)
	if found == n {
		s.cfg.Loops.Open(
			func(socket *loop.Socket) loop.Link { return link{n} },
			func(socket *loop.Socket) loop.Handler {
				n.open(socket)
				return n
			})
	}
	return found
}

// assumeVersion makes a client that names no protocol speak the version that
// all clients with these transports speak.
func assumeVersion(query map[string][]string) {
	if len(query["protocol"]) == 0 {
		query["protocol"] = []string{strconv.Itoa(latestProtocol)}
	}
}

const latestProtocol = 7

// overCapacity refuses a client for which there is no room. The line that
// opens a session comes first: without it clients do not see the other.
func (s *Server) overCapacity(w http.ResponseWriter, rt route, f *format) {
	if rt.id.sockJS() {
		refuse(w, http.StatusServiceUnavailable, protocol.ErrOverCapacity.Message)
		return
	}
	setHeaders(w.Header(), f)
	_, _ = w.Write(append(openLine.text, closeLine(protocol.ErrOverCapacity).text...))
}

// requestNumber reads the number that clients give their requests, or 0.
func requestNumber(text string) uint64 {
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return 0
	}
	return n
}

// setHeaders are those of a response with frames. They keep proxies from
// storing, changing and above all from collecting it.
func setHeaders(h http.Header, f *format) {
	h.Set("Content-Type", f.contentType)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store, no-cache, no-transform, must-revalidate, max-age=0")
	h.Set("X-Accel-Buffering", "no")
}

// A response is the HTTP side of a receiver. The request's goroutine alone
// uses it.
type response struct {
	w        http.ResponseWriter
	control  *http.ResponseController
	format   *format
	callback string
	prelude  []byte
	buf      []byte // lines in the format's encoding
	room     int    // bytes that may be written before the deadline is renewed
}

// serve writes what the loop hands to rcv until one of the three ends it. It
// returns false if the session had ended before it got the receiver.
func (p *response) serve(r *http.Request, l *loop.Loop, rcv *receiver) bool {
	setHeaders(p.w.Header(), p.format)
	// Streams outlive the timeouts of the server; each write has its own.
	_ = p.control.SetWriteDeadline(time.Time{})
	var err error
	written := func(int) { rcv.written(err) }
	var leaving <-chan struct{}
	if t, ok := p.w.(traveler); ok {
		leaving = t.Leaving()
	}
	for {
		select {
		case c := <-rcv.chunks:
			if p.handOver(r, l, rcv, c) {
				return true
			}
			err = p.write(c)
			if c.last {
				return true
			}
			l.Post(written, 1)
			if err != nil {
				return true
			}
		case <-rcv.quit:
			if rcv.gone {
				return false
			}
			p.finish(rcv)
			return true
		case <-leaving:
			leaving = nil
			l.Post(func(int) { rcv.sentAway() }, 1)
		case <-r.Context().Done():
			l.Post(func(int) { rcv.aborted() }, 1)
			return true
		}
	}
}

// finish writes what the receiver was handed before it was told to end.
func (p *response) finish(rcv *receiver) {
	select {
	case c := <-rcv.chunks:
		_ = p.write(c) // who does not listen any more can not be told either
	default:
	}
}

// write writes a chunk and sees that it leaves.
func (p *response) write(c chunk) error {
	if err := p.renew(); err != nil {
		return err
	}
	if len(p.prelude) > 0 {
		if err := p.put(p.prelude); err != nil {
			return err
		}
		p.prelude = nil
	}
	for _, line := range c.lines {
		text := line.text
		if p.format.encode != nil {
			p.buf = p.format.encode(p.buf[:0], text, p.callback)
			text = p.buf
		}
		if err := p.put(text); err != nil {
			return err
		}
	}
	if c.last {
		return nil // the end of the response flushes it
	}
	if err := p.control.Flush(); err != nil {
		return err
	}
	if cap(p.buf) > keepBuffer {
		p.buf = nil
	}
	// An HTTP/2 stream would be reset when its deadline comes, written or not.
	return p.control.SetWriteDeadline(time.Time{})
}

// renew gives what is written next the time that a piece may take.
func (p *response) renew() error {
	p.room = pieceSize
	return p.control.SetWriteDeadline(time.Now().Add(writeTimeout))
}

// put writes b, piece by piece.
func (p *response) put(b []byte) error {
	for len(b) > 0 {
		if p.room == 0 {
			if err := p.renew(); err != nil {
				return err
			}
		}
		n := min(len(b), p.room)
		if _, err := p.w.Write(b[:n]); err != nil {
			return err
		}
		p.room -= n
		b = b[n:]
	}
	return nil
}

// keepBuffer is the largest buffer that a stream keeps while it is silent.
const keepBuffer = 4 << 10

// The compiler checks that a session is what it is used as.
var (
	_ hub.Socket   = (*session)(nil)
	_ loop.Handler = (*session)(nil)
)
