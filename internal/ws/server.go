// Package ws speaks WebSocket with clients: the upgrade of an HTTP request,
// frames in both directions, pings, and the closing handshake.
//
// A connection is a [loop.Socket] for its bytes and a [hub.Session] for its
// meaning; the package stands between the two and decides nothing that is not
// about WebSocket. Everything after the upgrade happens on the loop that owns
// the connection, so nothing here takes a lock.
package ws

import (
	"bufio"
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gobwas/ws"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfryhq/belfry/internal/accept"
	"github.com/belfryhq/belfry/internal/backoff"
	"github.com/belfryhq/belfry/internal/forwarded"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/loop"
	"github.com/belfryhq/belfry/internal/mount"
)

// Config is what a server needs. Hub and Loops are required.
type Config struct {
	Hub   *hub.Hub
	Loops *loop.Group
	// Path is the prefix in front of /app, which a request may have or not;
	// empty, or with a leading slash.
	Path string
	// MaxMessageSize is the longest message of a client, in bytes. Zero means
	// DefaultMaxMessageSize.
	MaxMessageSize int
	// PongTimeout is how long a pinged client has to answer. Zero means
	// DefaultPongTimeout.
	PongTimeout time.Duration
	// Compression lets clients negotiate permessage-deflate.
	Compression bool
	// TrustedProxies are the peers whose X-Forwarded-Proto is believed.
	TrustedProxies forwarded.Proxies
	Registerer     prometheus.Registerer // nil: no metrics are registered
}

// The defaults of Config.
const (
	DefaultMaxMessageSize = 128 << 10
	DefaultPongTimeout    = 30 * time.Second
)

// A Server upgrades HTTP requests. It is safe for concurrent use.
type Server struct {
	cfg     Config
	mount   mount.Point
	metrics *metrics
}

// New returns a server. It has nothing to close: the connections belong to
// the loops.
func New(cfg Config) *Server {
	cfg.MaxMessageSize = cmp.Or(cfg.MaxMessageSize, DefaultMaxMessageSize)
	cfg.PongTimeout = cmp.Or(cfg.PongTimeout, DefaultPongTimeout)
	return &Server{cfg: cfg, mount: mount.At(cfg.Path), metrics: newMetrics(cfg.Registerer)}
}

// IsHandshake reports whether a request asks for a WebSocket, on whatever path.
// Any other request may name WebSocket in its Upgrade header, which means
// nothing then (RFC 9110, 7.8): some proxies and libraries set it on all.
func IsHandshake(r *http.Request) bool {
	return r.Method == http.MethodGet && r.ProtoMajor == 1 && r.ProtoMinor >= 1 &&
		headerHas(r.Header, "Connection", "upgrade") && headerHas(r.Header, "Upgrade", "websocket") &&
		r.Header.Get("Sec-WebSocket-Key") != ""
}

func headerHas(h http.Header, name, token string) bool {
	for _, v := range h[name] {
		for t := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.TrimSpace(t), token) {
				return true
			}
		}
	}
	return false
}

// ServeHTTP upgrades the request whatever it asks for. A browser does not
// see the status of a refused upgrade, so the client is refused with a code
// after it (docs/protocol.md, "Connecting").
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.cfg.Hub.Draining() && !backoff.Sleep(r.Context(), drainPause) {
		return
	}
	s.Upgrade(w, r)
}

// Upgrade is ServeHTTP that never waits, for a node that does not drain. On a
// loop the connection that w gives away has the method Become.
func (s *Server) Upgrade(w http.ResponseWriter, r *http.Request) {
	address, _ := s.cfg.TrustedProxies.Client(r)
	req := hub.Request{
		Path:   s.mount.Rest(r.URL.EscapedPath(), "/app/"),
		Query:  r.URL.Query(),
		Secure: s.cfg.TrustedProxies.Secure(r),
		Origin: r.Header.Get("Origin"),
		Full:   accept.Full(r),

		Transport: "websocket",
		Address:   address,
	}
	choice := chooseProtocol(r)
	up := ws.HTTPUpgrader{
		Timeout:  10 * time.Second,
		Protocol: func(offered string) bool { return offered == choice },
	}
	var deflate negotiation
	if s.cfg.Compression {
		up.Negotiate = deflate.choose
	}
	nc, rw, _, err := up.Upgrade(r, w)
	if err != nil {
		if nc != nil {
			nc.Close()
		}
		return
	}
	open := func(socket *loop.Socket) loop.Handler {
		req.Full = req.Full || accept.KeptBack(socket.Descriptor())
		return s.open(socket, req, deflate.accepted)
	}
	if own, ok := nc.(interface {
		Become(func(*loop.Socket) loop.Handler)
	}); ok {
		own.Become(open)
		return
	}
	s.cfg.Loops.Attach(accept.Release(nc), buffered(rw.Reader), open)
}

// drainPause is how long a draining node keeps a new client waiting before
// it sends it on with 4200. Clients take that to mean at once, and a
// balancer that has not noticed yet brings them straight back.
const drainPause = time.Second

// buffered returns what was read behind the request's header.
func buffered(r *bufio.Reader) []byte {
	b, _ := r.Peek(r.Buffered())
	return slices.Clone(b)
}

// chooseProtocol returns the sub-protocol that is echoed, or "": that of the
// version in the query if it is offered, or else the highest. The Swift
// library offers one and insists on it.
func chooseProtocol(r *http.Request) string {
	const prefix = "pusher-channels-protocol-"
	wanted := prefix + r.URL.Query().Get("protocol")
	best := ""
	for _, v := range r.Header["Sec-Websocket-Protocol"] {
		for t := range strings.SplitSeq(v, ",") {
			t = strings.TrimSpace(t)
			version, ok := strings.CutPrefix(t, prefix)
			if !ok || len(version) != 1 || version < "4" || version > "7" {
				continue
			}
			if t == wanted {
				return t
			}
			best = max(best, t)
		}
	}
	return best
}
