package relay

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/belfryhq/belfry/internal/cluster/node"
)

// writeTimeout is how long the client may take for what one frame brings, or
// all that came while it took the one before.
const writeTimeout = 30 * time.Second

// Forward passes a request on to a peer, and its answer back as it comes. The
// caller limits the body. It reports false, and has written nothing, if the
// peer has answered with status 421, so that it does not have the session.
//
// If the peer can not be reached, the answer is 503; if it is lost later on,
// Forward panics with http.ErrAbortHandler, so that no client takes the half
// of an answer for a whole one.
func (r *Relay) Forward(w http.ResponseWriter, req *http.Request, to node.ID) bool {
	s, err := r.open(to)
	if err != nil {
		return unavailable(w, err)
	}
	p := passage{relay: r, stream: s, w: w, control: http.NewResponseController(w)}
	defer p.close()
	// The answer may take longer than the timeouts of the server; each write
	// has its own.
	_ = p.control.SetWriteDeadline(time.Time{})
	if err := p.ask(req); err != nil {
		return p.broken(req.Context(), err)
	}
	for {
		piece, err := s.take(req.Context())
		if err != nil {
			return p.broken(req.Context(), err)
		}
		if piece.status == http.StatusMisdirectedRequest {
			return false
		}
		if p.write(piece) != nil || piece.last {
			return true
		}
		s.took(len(piece.bytes))
	}
}

// open begins a stream to a peer.
func (r *Relay) open(to node.ID) (*stream, error) {
	if r.asking.Add(1) > int64(r.cfg.MaxRequests) {
		r.asking.Add(-1)
		r.metrics.refused.Inc()
		return nil, errFull
	}
	if to.Valid() && to != r.cfg.ID {
		r.mu.Lock()
		defer r.mu.Unlock()
		if l := r.linkLocked(to); l != nil {
			s := newStream(l, key{r.streams.Add(1), true})
			if l.add(s, time.Now()) {
				return s, nil
			}
		}
	}
	r.asking.Add(-1)
	return nil, errClosed
}

// A passage is a request on its way to a peer, and the answer on its way back.
// The request's goroutine alone uses it.
type passage struct {
	relay   *Relay
	stream  *stream
	w       http.ResponseWriter
	control *http.ResponseController
	begun   bool // something has been written
}

// ask sends the request. It stops when the answer begins: then nobody wants
// the rest.
func (p *passage) ask(req *http.Request) error {
	top, err := appendRequest(nil, req)
	if err != nil {
		return err
	}
	body, size := req.Body, req.ContentLength
	if body == nil || size == 0 {
		body, size = http.NoBody, 0
	}
	if size < 0 || size >= maxChunk {
		size = maxChunk - 1
	}
	buf := make([]byte, size+1) // a byte more shows the end
	for k := request; ; k, top = data, nil {
		n, err := io.ReadFull(body, buf)
		end := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !end {
			return err
		}
		if ok, err := p.room(req.Context(), n); !ok {
			return err
		}
		if end {
			return p.stream.send(k, last, top, buf[:n])
		}
		if err := p.stream.send(k, 0, top, buf[:n]); err != nil {
			return err
		}
	}
}

// room waits until n bytes may be sent. It is false when the answer has begun.
func (p *passage) room(ctx context.Context, n int) (bool, error) {
	for s := p.stream; ; {
		if ok, err := s.reserve(n); ok || err != nil {
			return ok, err
		}
		select {
		case <-s.room:
		case <-s.arrived:
			s.arrived.Set() // which is looked at later
			return false, nil
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
}

// write writes what has come of the answer.
func (p *passage) write(piece piece) error {
	if piece.status != 0 {
		h := p.w.Header()
		for name, values := range piece.header {
			h[name] = values
		}
		if p.relay.draining.Load() {
			h.Set("Connection", "close") // the next request is for another node
		}
		p.w.WriteHeader(piece.status)
		p.begun = true
	}
	if err := p.control.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	if len(piece.bytes) > 0 {
		if _, err := p.w.Write(piece.bytes); err != nil {
			return err
		}
	}
	if piece.last {
		return nil // the end of the answer flushes it
	}
	if piece.flush {
		if err := p.control.Flush(); err != nil {
			return err
		}
	}
	// An HTTP/2 stream would be reset when its deadline comes, written or not.
	return p.control.SetWriteDeadline(time.Time{})
}

// broken ends an answer that does not come, or not as a whole.
func (p *passage) broken(ctx context.Context, err error) bool {
	switch {
	case ctx.Err() != nil: // nobody listens
		return true
	case p.begun:
		panic(http.ErrAbortHandler)
	}
	return unavailable(p.w, err)
}

// close ends the stream, if it has not ended.
func (p *passage) close() {
	s := p.stream
	s.mu.Lock()
	whole := s.whole
	s.mu.Unlock()
	if !whole {
		s.abort(canceled)
	}
	s.link.remove(s)
	p.relay.asking.Add(-1)
}

// unavailable answers instead of the peer.
func unavailable(w http.ResponseWriter, err error) bool {
	status := http.StatusServiceUnavailable
	if errors.Is(err, errTooLong) {
		status = http.StatusRequestHeaderFieldsTooLarge
	}
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=UTF-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(http.StatusText(status) + "\n"))
	return true
}
