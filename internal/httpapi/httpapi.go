// Package httpapi serves the HTTP API by which backends trigger events, ask
// about channels and disconnect users. It knows how requests are signed and
// checked and how they are answered; what an event does is left to the [Hub].
//
// A request passes through the same steps whatever it asks for: route,
// signature, body, hash of the body, state of the app, parameters. A request
// that is refused at any of them has had no effect: everything about it is
// checked before the hub is told anything.
//
// The signature covers the hash of the body, so it is checked before the body
// is read. Who has no secret can not make the process hold a body.
//
// The path and the query are taken from the request line as it came, because
// that is what was signed. A router in front must therefore not redirect to
// cleaned paths, and a stripped prefix is to be named in [Config], not removed
// from the URL of the request.
//
// Operators trigger events by the same calls, at paths of the admin API. They need
// no signature, because the admin API knows who they are.
//
// Beside its settings the package holds how much each app has asked for in the
// last second, where that is limited. It takes no locks.
package httpapi

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/history"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/idempotency"
	"github.com/belfryhq/belfry/internal/keyuse"
	"github.com/belfryhq/belfry/internal/mount"
	"github.com/belfryhq/belfry/protocol"
)

// DefaultMaxBodySize admits the largest legal call: ten events of 10 KB in
// which every byte is escaped, and then some.
const DefaultMaxBodySize = 1 << 20

// A Hub is what the API does its work on. It is safe for concurrent use.
//
// It may keep names and the data of events. The slices that they come in are
// used again for the next request.
type Hub interface {
	// Trigger hands an event to the sockets on each of the channels, except
	// one. It waits while the node is overloaded and returns
	// hub.ErrOverloaded when ctx ends first; then nothing was delivered.
	Trigger(ctx context.Context, app *apps.App, channels []string, e hub.Event, except protocol.SocketID) (hub.Receipt, error)
	// TriggerBatch does the same for several events, in their order.
	TriggerBatch(ctx context.Context, app *apps.App, events []hub.Targeted) (hub.Receipt, error)

	// Channel returns the state of a channel; the zero state is that of one
	// that nobody is on.
	Channel(app *apps.App, name string) hub.ChannelState
	// Channels calls each for every occupied channel whose name begins with
	// prefix, in no particular order.
	Channels(app *apps.App, prefix string, each func(name string, s hub.ChannelState))
	// Users returns the ids of the members of a presence channel, each once.
	Users(app *apps.App, channel string) []string
	// Cached returns the event that a cache channel remembers, if any.
	Cached(app *apps.App, channel string) (hub.Cached, bool)

	// History returns a page of the history of a channel, or the reason why there is
	// none. The errors are hub.ErrNoHistory and hub.ErrSilentPeers.
	History(ctx context.Context, app *apps.App, channel string, q history.Query) (history.Page, history.Reason, error)

	// ConnectionsHere returns how many connections of the app this node has.
	ConnectionsHere(app *apps.App) int

	// Terminate closes every socket on which that user is signed in.
	Terminate(app *apps.App, userID string)
}

var _ Hub = (*hub.Hub)(nil)

// A Config says what an API serves. Apps and Hub are needed.
type Config struct {
	Apps *apps.Registry
	Hub  Hub

	// Path stands in front of every path of the API, as in "/realtime". A
	// request is also served without it, for proxies that strip it, and may
	// be signed over the path with or without it. Empty means none.
	Path string
	// MaxBodySize is how many bytes the body of a request may have. Zero
	// means DefaultMaxBodySize.
	MaxBodySize int
	// UnknownKeyStatus answers a key that is not one of the app's. Zero means
	// 400, which is what the hosted service was seen to answer.
	UnknownKeyStatus int
	// CORS lets pages of every origin call the API. A secret does not belong
	// into a browser, so this is for tools.
	CORS bool
	// Limits hold back backends that ask for too much. Nil means the package's
	// own, which know of this handler alone.
	Limits *Limits
	// Peers says that there may be other nodes. Then an event on a cache channel
	// waits until they have heard of it.
	Peers bool

	// Tracer returns who is told of refusals that concern the app with that id.
	// Nil means that nobody is.
	Tracer func(appID string) hub.Tracer
	// Strangers is told of refusals that concern no app that there is. Nil means
	// that nobody is.
	Strangers hub.Tracer

	// Keys remember idempotency keys. Nil means that those of requests are ignored.
	Keys *idempotency.Store
	// KeyUses counts the uses of keys. It may be nil.
	KeyUses *keyuse.Table

	// Log may be nil: nothing is logged then.
	Log *slog.Logger
	// Now tells the time that timestamps are compared with; nil means
	// time.Now.
	Now func() time.Time
	// Registerer is given the metrics; it may be nil.
	Registerer prometheus.Registerer
}

// New returns the handler of everything under /apps/, and of the one path
// outside of it that an official library calls, /users/{id}/terminate_connections.
// It answers 404 to all else.
func New(cfg Config) *Handler {
	a := &Handler{
		apps:       cfg.Apps,
		hub:        cfg.Hub,
		mount:      mount.At(cfg.Path),
		maxBody:    int64(cmp.Or(cfg.MaxBodySize, DefaultMaxBodySize)),
		unknownKey: cmp.Or(cfg.UnknownKeyStatus, http.StatusBadRequest),
		cors:       cfg.CORS,
		log:        cfg.Log,
		now:        cfg.Now,
		metrics:    newMetrics(cfg.Registerer),
		limits:     cfg.Limits,
		peers:      cfg.Peers,
		tracer:     cfg.Tracer,
		strangers:  cfg.Strangers,
		keyUses:    cfg.KeyUses,
		keys:       cfg.Keys,
	}
	if a.limits == nil {
		a.limits = new(Limits)
	}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	if a.now == nil {
		a.now = time.Now
	}
	a.calls.New = func() any { return new(call) }
	a.apps.Watch(a.limits.appChanged)
	return a
}

// A Handler answers backends, and operators by [Handler.Operators].
// It is immutable but for the pool and the limits.
type Handler struct {
	apps       *apps.Registry
	hub        Hub
	mount      mount.Point
	maxBody    int64
	unknownKey int
	cors       bool
	log        *slog.Logger
	now        func() time.Time
	metrics    *metrics
	tracer     func(appID string) hub.Tracer
	strangers  hub.Tracer
	keyUses    *keyuse.Table
	keys       *idempotency.Store

	limits *Limits
	peers  bool
	calls  sync.Pool // of *call
}

// ServeHTTP answers one request.
func (a *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := a.calls.Get().(*call)
	c.r, c.began = r, a.now()
	ans, err := a.serve(c)
	a.conclude(w, c, ans, err)
}

// conclude writes the answer of a call, and ends it.
func (a *Handler) conclude(w http.ResponseWriter, c *call, ans answer, err error) {
	if err != nil {
		ans = a.refusal(c, err)
		a.traceRefusal(c, ans)
	} else if c.keyed.first != nil {
		c.keyed.first.acknowledge(w.Header())
	} else if c.receipt.Events > 0 {
		acknowledge(w.Header(), c.receipt)
	}
	if a.cors {
		allowOrigins(w.Header())
	}
	ans.write(w, c.r.Method)
	a.metrics.answered(c.route, ans.status, len(c.body), len(ans.body), a.now().Sub(c.began))
	a.logCall(c, ans.status)
	c.reset()
	a.calls.Put(c)
}

// serve takes one request through the steps that all have in common, and then
// to the one that its route names.
func (a *Handler) serve(c *call) (answer, error) {
	c.path, c.query = requestLine(c.r)
	if !a.find(c, c.path) {
		return answer{}, errNotFound
	}
	if a.cors && c.r.Method == http.MethodOptions {
		return answer{status: http.StatusNoContent}, nil
	}
	if !c.route.allows(c.r.Method) {
		return answer{}, c.route.errMethod()
	}
	if err := a.authenticate(c); err != nil {
		return answer{}, err
	}
	if err := a.followSignature(c); err != nil {
		return answer{}, err
	}
	if err := c.readBody(a.maxBody); err != nil {
		return answer{}, err
	}
	if err := c.checkBodyHash(); err != nil {
		return answer{}, err
	}
	if c.app.Disabled {
		return answer{}, errAppDisabled
	}
	if err := c.checkUTF8(); err != nil {
		return answer{}, err
	}
	if err := c.checkSingle(); err != nil {
		return answer{}, err
	}
	if err := a.admitRead(c); err != nil {
		return answer{}, err
	}
	return c.route.serve(a, c)
}

// logCall writes a line about a request where such detail is asked for. The
// query is left out: for ten minutes it is as good as the secret.
func (a *Handler) logCall(c *call, status int) {
	if !a.log.Enabled(c.r.Context(), slog.LevelDebug) {
		return
	}
	app := ""
	if c.app != nil {
		app = c.app.ID
	}
	a.log.DebugContext(c.r.Context(), "request answered", "app", app, "method", c.r.Method, "path", c.path,
		"status", status, "library", c.r.Header.Get("X-Pusher-Library"))
}
