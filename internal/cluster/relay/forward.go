package relay

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/belfryhq/belfry/internal/cluster/node"
)

// writeTimeout is how long the client may take for one piece of an answer.
const writeTimeout = 30 * time.Second

// pieceSize is how much of an answer is read at once. It is small, because an
// answer may be silent for long.
const pieceSize = 4 << 10

var errTooLong = errors.New("relay: the head is too long")

// Forward passes a request on to a peer, and its answer back as it comes. The
// caller limits the body. It reports false, and has written nothing, if the
// peer has answered with status 421, so that it does not have the session.
//
// If the peer can not be reached, the answer is 503; if it is lost later on,
// Forward panics with http.ErrAbortHandler, so that no client takes the half
// of an answer for a whole one.
func (r *Relay) Forward(w http.ResponseWriter, req *http.Request, to node.ID) bool {
	defer r.passing.Add(-1)
	if r.passing.Add(1) > int64(r.cfg.MaxRequests) {
		r.metrics.refused.Inc()
		return unavailable(w, errFull)
	}
	asked, err := outgoing(req)
	if err != nil {
		return unavailable(w, err)
	}
	answer, err := r.roundTrip(asked, to)
	if err != nil {
		if req.Context().Err() != nil { // nobody listens
			return true
		}
		r.metrics.broken.Inc()
		return unavailable(w, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusMisdirectedRequest {
		return false
	}
	if err := r.pass(w, answer); err != nil && req.Context().Err() == nil {
		r.metrics.broken.Inc()
		panic(http.ErrAbortHandler)
	}
	return true
}

// passed are the headers of a request that are passed on. Cookies and
// credentials stay where they came.
var passed = []string{"Content-Type"}

// outgoing is the request as the peer gets it.
func outgoing(req *http.Request) (*http.Request, error) {
	header := http.Header{"User-Agent": {""}} // none
	size := len(req.URL.EscapedPath()) + len(req.URL.RawQuery)
	for _, name := range passed {
		if v := req.Header.Get(name); v != "" {
			header.Set(name, v)
			size += len(v)
		}
	}
	if size > maxHead {
		return nil, errTooLong
	}
	out := (&http.Request{
		Method: req.Method,
		URL:    &url.URL{Scheme: "http", Host: hostSession, Path: req.URL.Path, RawPath: req.URL.RawPath, RawQuery: req.URL.RawQuery},
		Header: header, Body: req.Body, ContentLength: req.ContentLength,
	}).WithContext(req.Context())
	if out.ContentLength == 0 {
		out.Body = http.NoBody
	}
	return out, nil
}

// pass writes an answer as it comes. The error is that of the peer's side: a
// client that does not take it has none.
func (r *Relay) pass(w http.ResponseWriter, answer *http.Response) error {
	control := http.NewResponseController(w)
	h := w.Header()
	for name, values := range answer.Header {
		if name != "Date" {
			h[name] = values
		}
	}
	if r.draining.Load() {
		h.Set("Connection", "close") // the next request is for another node
	}
	// The answer may take longer than the timeouts of the server; each write
	// has its own.
	_ = control.SetWriteDeadline(time.Time{})
	w.WriteHeader(answer.StatusCode)
	if answer.ContentLength < 0 && control.Flush() != nil { // it may be silent for now
		return nil
	}
	for buf := make([]byte, pieceSize); ; {
		n, err := answer.Body.Read(buf)
		last := errors.Is(err, io.EOF)
		if n > 0 && write(w, control, buf[:n], last) != nil || last {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// write writes a piece to the client, and sees that it leaves.
func write(w http.ResponseWriter, control *http.ResponseController, b []byte, last bool) error {
	if err := control.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	if _, err := w.Write(b); err != nil || last {
		return err // the end of the answer flushes it
	}
	if err := control.Flush(); err != nil {
		return err
	}
	// An HTTP/2 stream would be reset when its deadline comes, written or not.
	return control.SetWriteDeadline(time.Time{})
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
