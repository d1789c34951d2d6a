package relay

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// What a request is for is told by its host.
const (
	hostSession = "session" // a request of a client: Host.Handler
	hostPeer    = "peer"    // a question of the peer itself: Host.Peer
)

const (
	// maxHead is how long the head of a request may be, and maxAnswerHead that of
	// an answer.
	maxHead       = 12 << 10
	maxAnswerHead = 64 << 10
	// maxAsks is how many questions may be open that a node asks, and of those
	// that others ask it.
	maxAsks = 256
)

// limits are those of HTTP/2 at both ends.
func limits(streams int) *http.HTTP2Config {
	return &http.HTTP2Config{
		MaxConcurrentStreams:      streams,
		MaxReceiveBufferPerStream: 64 << 10,
		MaxReadFrameSize:          16 << 10,
	}
}

func onlyHTTP2() *http.Protocols {
	var p http.Protocols
	p.SetUnencryptedHTTP2(true)
	return &p
}

type peerKey struct{}

func (r *Relay) newServer() *http.Server {
	return &http.Server{
		Handler:        http.HandlerFunc(r.serve),
		Protocols:      onlyHTTP2(),
		HTTP2:          limits(r.cfg.MaxRequests + maxAsks),
		MaxHeaderBytes: 2 * maxHead,
		ErrorLog:       slog.NewLogLogger(r.log.Handler(), slog.LevelDebug),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, peerKey{}, c.(*conn).peer)
		},
	}
}

// serve answers a request of a peer.
func (r *Relay) serve(w http.ResponseWriter, req *http.Request) {
	if !r.begin() {
		panic(http.ErrAbortHandler)
	}
	defer r.wg.Done()
	defer func() {
		if p := recover(); p != nil {
			if p != http.ErrAbortHandler {
				r.log.Error("panic while a request of another node was answered", "err", p)
			}
			panic(http.ErrAbortHandler)
		}
	}()
	req.Header.Del("Content-Length") // which the request has as a field
	switch {
	case req.Host == hostSession:
		r.serveSession(w, req)
	case req.Host == hostPeer && r.host.Peer != nil:
		r.servePeer(w, req)
	default:
		http.NotFound(w, req)
	}
}

func (r *Relay) serveSession(w http.ResponseWriter, req *http.Request) {
	defer r.serving.Add(-1)
	if r.serving.Add(1) > int64(r.cfg.MaxRequests) {
		r.metrics.refused.Inc()
		unavailable(w, errFull)
		return
	}
	p := req.Context().Value(peerKey{}).(*peer)
	a := &response{ResponseWriter: w, leaving: make(chan struct{})}
	p.begin(a)
	defer p.end(a)
	r.host.Handler.ServeHTTP(a, req)
}

func (r *Relay) servePeer(w http.ResponseWriter, req *http.Request) {
	defer r.asked.Add(-1)
	if r.asked.Add(1) > maxAsks {
		unavailable(w, errFull)
		return
	}
	r.host.Peer.ServeHTTP(w, req)
}

// A response is the ResponseWriter of a request that a peer has passed on.
type response struct {
	http.ResponseWriter
	leaving chan struct{}
	timer   *time.Timer // that closes leaving; guarded by peer.mu
}

// Leaving is closed when the node that passed the request on sends its clients
// away.
func (a *response) Leaving() <-chan struct{} { return a.leaving }

// Unwrap is used by http.ResponseController.
func (a *response) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// leaveIn closes leaving after some time. It is called once.
func (a *response) leaveIn(d time.Duration) {
	a.timer = time.AfterFunc(d, func() { close(a.leaving) })
}
