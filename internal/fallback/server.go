// Package fallback serves pusher-js where WebSocket does not get through: HTTP
// streaming, HTTP polling, and SockJS.
//
// A connection is a session: a [loop.Socket] without a TCP connection of its
// own, and a [hub.Session] for its meaning. Requests come and go; the one that
// receives carries the session's frames, in the format of its endpoint, and
// others bring the client's messages. Sessions are found by what stands in the
// URL, in a [table].
//
// A session that is not in the table may live on another node of a cluster;
// [Elsewhere] is the way there. A request that came that way is answered from
// the table alone.
//
// Two protocols share this engine. Under /app/{key}/… the client ends a
// stream, and rotates it by a rule that the server has to keep to exactly.
// SockJS has its own streams, which the server ends, and names the app in its
// first message. DESIGN.md says why things are as they are.
//
// # Who may touch what
//
// A session belongs to its loop. The goroutines of net/http reach it by
// posting to the loop. They get what they are to write through a channel with
// room for one chunk, so a client that does not read holds up nobody. The
// connection of a stream over HTTP/1.1 is taken over by the loop ([stream]).
//
// # Locks
//
// Each shard of the table has a lock, a leaf. Everything else of a session
// belongs to its loop.
package fallback

import (
	"cmp"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/forwarded"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/loop"
	"github.com/belfryhq/belfry/internal/mount"
)

// Config is what a server needs. Hub, Apps and Loops are required.
type Config struct {
	Hub   *hub.Hub
	Apps  *apps.Registry // for the origins that may read an answer
	Loops *loop.Group
	// Path is the prefix in front of all that the node serves, which a request
	// may have or not; empty, or with a leading slash.
	Path string
	// HTTPPath stands behind Path and in front of the transports: what
	// clients give as httpPath. Empty means DefaultHTTPPath, and "/" that
	// there is none.
	HTTPPath string
	// Disabled answers the transports' paths with 404, which makes clients
	// try something else.
	Disabled bool
	// Elsewhere is the way to the sessions of other nodes. Nil: there are no
	// other nodes.
	Elsewhere Elsewhere
	// Hostname, if not empty, is where clients are told to send the further
	// requests of a session, for a cluster behind one name.
	Hostname string
	// Heartbeat is how long a client hears nothing at most. Zero means
	// DefaultHeartbeat.
	Heartbeat time.Duration
	// MaxSessions is how many sessions there are at most, connected or not.
	// Zero means DefaultMaxSessions.
	MaxSessions int
	// MaxMessageSize is the longest message of a client, in bytes. Zero means
	// DefaultMaxMessageSize.
	MaxMessageSize int
	// TrustedProxies are the peers whose X-Forwarded-Proto is believed.
	TrustedProxies forwarded.Proxies
	// Attempt reports whether the client of a request may try to connect, and
	// counts that. It is asked once for each new session, of any goroutine;
	// refused ones get status 429. Nil means always.
	Attempt func(*http.Request) bool
	// SockJS is the script of the SockJS client, which the transports of
	// SockJS that need an iframe load from here. Empty: they get a 404.
	SockJS     []byte
	Registerer prometheus.Registerer // nil: no metrics are registered
}

// The defaults of Config.
const (
	DefaultHTTPPath       = "/pusher"
	DefaultHeartbeat      = 25 * time.Second
	DefaultMaxSessions    = 1 << 17
	DefaultMaxMessageSize = 128 << 10
)

// minBody is the least that one request may bring: SockJS sends many messages
// in one.
const minBody = 256 << 10

// A Server answers the requests of the fallback transports and the clients'
// reports about their connections. It is safe for concurrent use.
type Server struct {
	cfg      Config
	mount    mount.Point
	base     []string // segments of the path in front of the transports
	beat     time.Duration
	maxBody  int64
	metrics  *metrics
	timeline *timeline
	table    *table
	encoders []encoder // by loop
	iframe   []byte
}

// New returns a server. It has nothing to close: the sessions belong to the
// loops.
func New(cfg Config) *Server {
	cfg.Heartbeat = cmp.Or(cfg.Heartbeat, DefaultHeartbeat)
	cfg.MaxSessions = cmp.Or(cfg.MaxSessions, DefaultMaxSessions)
	cfg.MaxMessageSize = cmp.Or(cfg.MaxMessageSize, DefaultMaxMessageSize)
	if cfg.Attempt == nil {
		cfg.Attempt = func(*http.Request) bool { return true }
	}
	s := &Server{
		cfg:      cfg,
		mount:    mount.At(cfg.Path),
		base:     segments(cmp.Or(cfg.HTTPPath, DefaultHTTPPath)),
		beat:     cfg.Heartbeat * 4 / 5,
		maxBody:  max(minBody, 2*int64(cfg.MaxMessageSize)),
		metrics:  newMetrics(cfg.Registerer),
		table:    newTable(cfg.MaxSessions),
		encoders: make([]encoder, cfg.Loops.Len()),
		iframe:   iframePage(cfg.SockJS),
	}
	s.timeline = newTimeline(cfg.Apps, cfg.Registerer)
	return s
}

// Handler returns what answers r, or nil if the path is none of the package's.
func (s *Server) Handler(r *http.Request) http.Handler {
	rt, ok := s.route(r.URL.EscapedPath())
	if !ok {
		return nil
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, rt) })
}

// serve answers one request to an endpoint. It never redirects: browsers do
// not follow with a body, and not at all after a preflight.
func (s *Server) serve(w http.ResponseWriter, r *http.Request, rt route) {
	s.allow(w.Header(), r, rt)
	if s.cfg.Disabled && !rt.endpoint.reports() {
		refuse(w, http.StatusNotFound, "the HTTP transports are switched off")
		return
	}
	method := rt.endpoint.method()
	switch {
	case r.Method == http.MethodOptions:
		preflight(w, method)
		return
	case r.Method != method && !(method == http.MethodGet && r.Method == http.MethodHead && rt.endpoint.short()):
		w.Header().Set("Allow", method+", OPTIONS")
		refuse(w, http.StatusMethodNotAllowed, "use "+method)
		return
	}
	s.answer(w, r, rt)
}

// answer answers a request whose method fits.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, rt route) {
	switch rt.endpoint {
	case info:
		s.serveInfo(w)
	case iframe:
		s.serveIframe(w, r)
	case xhrSend, jsonpSend:
		s.serveSend(w, r, rt)
	case timelineJSONP, timelineXHR:
		s.timeline.serve(w, r, rt)
	default:
		s.serveReceive(w, r, rt)
	}
}

// refuse answers with a text that says what is wrong.
func refuse(w http.ResponseWriter, status int, text string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=UTF-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n"))
}

// segments are the parts of a path between its slashes, as many as stand
// between two parts.
func segments(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
}
