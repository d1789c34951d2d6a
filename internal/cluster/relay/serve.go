package relay

import (
	"context"
	"io"
	"net/http"
	"time"
)

// accept begins to answer a request of a peer, on the goroutine of the
// streams' subject.
func (r *Relay) accept(l *link, f frame) {
	k := f.key()
	s := newStream(l, k)
	s.got = f.part
	req, body, err := readRequest(f.payload)
	if err != nil || k.asked || f.part != 1 || !s.put(frame{payload: body, flags: f.flags & last}) {
		r.metrics.bad.Inc()
		l.resetUnknown(k)
		return
	}
	if r.serving.Add(1) > int64(r.cfg.MaxRequests) {
		r.serving.Add(-1)
		r.metrics.refused.Inc()
		_ = s.send(reset, 0, []byte{byte(full)}, nil)
		return
	}
	ctx, cancel := context.WithCancel(r.base)
	s.cancel, s.leaving = cancel, make(chan struct{})
	if !r.begin(s) {
		cancel()
		r.serving.Add(-1)
		_ = s.send(reset, 0, []byte{byte(failed)}, nil)
		return
	}
	req.Body = &requestBody{s, ctx}
	w := &response{stream: s, ctx: ctx, header: make(http.Header)}
	go r.serve(w, req.WithContext(ctx))
}

// begin adds a stream that is answered here, unless the relay is closed.
func (r *Relay) begin(s *stream) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || !s.link.add(s, time.Now()) {
		return false
	}
	r.wg.Add(1)
	return true
}

// serve answers a request of a peer.
func (r *Relay) serve(w *response, req *http.Request) {
	s := w.stream
	defer r.wg.Done()
	defer r.serving.Add(-1)
	defer s.link.remove(s)
	defer s.cancel()
	defer func() {
		if p := recover(); p != nil {
			if p != http.ErrAbortHandler {
				r.log.Error("panic while a request of another node was answered", "err", p)
			}
			s.abort(failed)
		}
	}()
	r.host.Handler.ServeHTTP(w, req)
	if w.finish() != nil {
		s.abort(failed)
	}
}

// A requestBody is the body of a request that a peer has passed on. What has
// not come when the answer begins does not come any more.
type requestBody struct {
	stream *stream
	ctx    context.Context // of the request; a Reader is given none
}

// Read implements io.Reader.
func (b *requestBody) Read(to []byte) (int, error) {
	if len(to) == 0 {
		return 0, nil
	}
	for {
		n, end, err := b.stream.read(to)
		if n > 0 {
			b.stream.took(n)
			return n, nil
		}
		if end {
			return 0, io.EOF
		}
		if err != nil {
			return 0, err
		}
		select {
		case <-b.stream.arrived:
		case <-b.ctx.Done():
			return 0, b.ctx.Err()
		}
	}
}

// Close implements io.Closer.
func (b *requestBody) Close() error { return nil }

// read takes what has arrived, as much as there is room for.
func (s *stream) read(to []byte) (n int, end bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil && !s.whole {
		return 0, false, s.err
	}
	n = copy(to, s.in.bytes)
	if s.in.bytes = s.in.bytes[n:]; len(s.in.bytes) == 0 {
		s.in.bytes = nil
	}
	if n == 0 && !s.whole && s.answers {
		return 0, false, http.ErrBodyReadAfterClose
	}
	return n, n == 0 && s.whole, nil
}

// answer notes that the answer begins.
func (s *stream) answer() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers = true
}

// A response takes the answer to a request of a peer. The handler's goroutine
// alone uses it.
type response struct {
	stream   *stream
	ctx      context.Context // of the request; a ResponseWriter is given none
	header   http.Header
	status   int    // 0: not decided
	top      []byte // the head, until it is sent
	buf      []byte // what is not sent yet
	deadline time.Time
}

// Header implements http.ResponseWriter.
func (w *response) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *response) WriteHeader(status int) {
	if w.status != 0 || status < 200 {
		return // there are no answers before the answer here
	}
	w.status = status
	var err error
	if w.top, err = appendAnswer(nil, status, w.header); err != nil {
		w.stream.link.relay.log.Error("an answer to another node has too many headers", "err", err)
		w.stream.abort(failed)
	}
}

// Write implements http.ResponseWriter.
func (w *response) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.status == http.StatusNoContent || w.status == http.StatusNotModified {
		return 0, http.ErrBodyNotAllowed
	}
	w.buf = append(w.buf, b...)
	for len(w.buf) >= maxChunk {
		if err := w.send(0); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

// Flush implements http.Flusher.
func (w *response) Flush() { _ = w.FlushError() }

// FlushError is used by http.ResponseController.
func (w *response) FlushError() error {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	return w.send(flush)
}

// SetWriteDeadline is used by http.ResponseController. It is the time until
// which what is written has to have room on the way to the other node.
func (w *response) SetWriteDeadline(t time.Time) error {
	w.deadline = t
	return nil
}

// Leaving is closed when the node that passed the request on sends its clients
// away.
func (w *response) Leaving() <-chan struct{} { return w.stream.leaving }

// finish sends the rest of the answer.
func (w *response) finish() error {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.deadline.IsZero() {
		w.deadline = time.Now().Add(writeTimeout)
	}
	return w.send(last)
}

// send sends what was written, the last of it with flags. Without flags it
// sends one frame.
func (w *response) send(f flags) error {
	for {
		n := min(len(w.buf), maxChunk)
		if err := w.stream.await(w.ctx, n, w.deadline); err != nil {
			return err
		}
		var g flags
		if n == len(w.buf) {
			g = f
		}
		if w.top != nil {
			g |= head
			w.stream.answer()
		}
		if err := w.stream.send(data, g, w.top, w.buf[:n]); err != nil {
			return err
		}
		w.top = nil
		if w.buf = w.buf[:copy(w.buf, w.buf[n:])]; len(w.buf) == 0 && cap(w.buf) > keepBuffer {
			w.buf = nil
		}
		if f == 0 || len(w.buf) == 0 {
			return nil
		}
	}
}

// keepBuffer is the largest buffer that an answer keeps while it is silent.
const keepBuffer = 4 << 10
