package server

import (
	"cmp"
	"crypto/tls"
	"log"
	"net"
	"net/http"
	"runtime"
	"strings"

	"github.com/belfryhq/belfry/internal/accept"
	"github.com/belfryhq/belfry/internal/http1"
	"github.com/belfryhq/belfry/internal/httpapi"
	"github.com/belfryhq/belfry/internal/ws"
)

// inLoops reports whether loops are to serve what they can of HTTP.
func (s *Server) inLoops() bool {
	return !s.cfg.NetHTTP && !s.cfg.PortableSockets && runtime.GOOS == "linux"
}

// listenOnLoops makes the listener of an endpoint that loops serve.
func (p *process) listenOnLoops(l net.Listener, config *tls.Config, pending *accept.Pending, log *log.Logger) (*http1.Server, error) {
	return http1.Listen(l, http1.Config{
		Pending: pending, TLS: config, Log: log, Metrics: p.loopRequests,
		Header: headerTimeout, Read: readTimeout, Idle: idleTimeout,
	})
}

// openLoops lets loops serve an endpoint.
func (s *Server) openLoops(e *endpoint) {
	if e.loops != nil && s.loops.Polls() {
		e.loops.Open(http1.Site{Loops: s.loops, Find: s.router.onLoop})
	}
}

// onLoop returns what answers a request on a loop as ServeHTTP would, or nil.
// What is asked for all day is, and what takes long, or is rare, is not.
func (r *router) onLoop(req *http.Request) http1.Handler {
	if r.hosts != nil && !r.hosts(req.Host) {
		return nil
	}
	if ws.IsHandshake(req) {
		return r.loopWebSocket
	}
	path := r.mount.Rest(req.URL.Path, "/app/", "/apps/", "/users/", "/up", "/ready", "/accept-traffic")
	if !strings.HasPrefix(path, "/apps/") || req.ContentLength > r.maxBody {
		return nil
	}
	if triggers(req.Method, path) {
		return r.loopAPI
	}
	for _, p := range r.components {
		if p.Handler(req) != nil {
			return nil
		}
	}
	return r.loopAPI
}

// triggers reports whether a request triggers events. What backends ask for most
// is so known at once: no component answers it.
func triggers(method, path string) bool {
	return method == http.MethodPost && (strings.HasSuffix(path, "/events") || strings.HasSuffix(path, "/batch_events"))
}

// A loopWebSocket upgrades connections on loops.
type loopWebSocket struct {
	draining       func() bool
	upgrade, pause http.Handler // the second waits if the node drains
}

// ServeLoop implements [http1.Handler].
func (l *loopWebSocket) ServeLoop(w *http1.Response, r *http.Request) (rest func()) {
	if l.draining() {
		return func() { l.pause.ServeHTTP(w, r) }
	}
	l.upgrade.ServeHTTP(w, r)
	return nil
}

// A loopAPI answers backends on loops.
type loopAPI struct{ api *httpapi.Handler }

// ServeLoop implements [http1.Handler].
func (l loopAPI) ServeLoop(w *http1.Response, r *http.Request) (rest func()) {
	return l.api.ServeHasty(w, r)
}

// largestBody is how long the body of a request of a backend may be.
func (s *Server) largestBody() int64 {
	return int64(cmp.Or(s.cfg.MaxBodySize, httpapi.DefaultMaxBodySize))
}
