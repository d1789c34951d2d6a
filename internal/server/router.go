package server

import (
	"net/http"
	"path"
	"strings"

	"github.com/belfryhq/belfry/internal/http1"
	"github.com/belfryhq/belfry/internal/mount"
	"github.com/belfryhq/belfry/internal/ws"
)

// A router sends a request to the component that answers it. It is not a
// http.ServeMux because that redirects to cleaned paths, and backends sign the
// path as they send it.
type router struct {
	websocket  http.Handler
	components []component // of paths that only they know
	api        http.Handler
	root       http.Handler // may be nil
	mount      mount.Point  // what may stand in front of all paths
	ready      func() error

	// For loops, which serve a part of all this.
	hosts         func(host string) bool // that are answered; nil: all
	maxBody       int64                  // of a request of a backend
	loopWebSocket http1.Handler
	loopAPI       http1.Handler
}

// hosted answers only requests for certain hosts; a nil hosts answers all.
func hosted(hosts func(host string) bool, next http.Handler) http.Handler {
	if hosts == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !hosts(r.Host) {
			http.Error(w, "this service does not answer to that name", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// noUpgrade is for whoever sees that a client can not connect: most often the
// client did ask, and the question got lost on the way.
const noUpgrade = "this address speaks WebSocket, and this request has no Upgrade. Does a proxy in front not pass on Upgrade?"

// A component answers requests whose path it knows.
type component interface {
	// Handler returns what answers the request, or nil if the path is none
	// of the component's.
	Handler(*http.Request) http.Handler
}

func (r *router) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if ws.IsHandshake(req) {
		r.websocket.ServeHTTP(w, req)
		return
	}
	for _, p := range r.components {
		if h := p.Handler(req); h != nil {
			h.ServeHTTP(w, req)
			return
		}
	}
	switch path := r.mount.Rest(req.URL.Path, "/app/", "/apps/", "/users/", "/up", "/ready", "/accept-traffic"); {
	case strings.HasPrefix(path, "/app/"):
		if req.ProtoMajor == 1 { // HTTP/2 knows no headers of a connection (RFC 9113, 8.2.2)
			w.Header().Set("Upgrade", "websocket")
			w.Header().Set("Connection", "Upgrade")
		}
		http.Error(w, noUpgrade, http.StatusUpgradeRequired)
	case strings.HasPrefix(path, "/apps/"), strings.HasPrefix(path, "/users/"):
		r.api.ServeHTTP(w, req)
	case path == "/up":
		w.Write([]byte("OK\n"))
	case path == "/ready", path == "/accept-traffic": // soketi has both
		if err := r.ready(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		w.Write([]byte("OK\n"))
	case r.root != nil:
		r.root.ServeHTTP(w, r.mounted(req))
	case path == "/":
		w.Write([]byte("Belfry\n"))
	default:
		r.api.ServeHTTP(w, req) // which says that there is no such path
	}
}

// mounted is the request as the root knows it: with a clean path, to which the
// root would redirect otherwise.
func (r *router) mounted(req *http.Request) *http.Request {
	rest := r.mount.Rest(req.URL.Path)
	clean := path.Clean("/" + rest)
	if clean != "/" && strings.HasSuffix(rest, "/") {
		clean += "/"
	}
	if clean == req.URL.Path {
		return req
	}
	req = req.Clone(req.Context())
	req.URL.Path, req.URL.RawPath = clean, ""
	return req
}
