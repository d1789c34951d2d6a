package hub

import (
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/frame"
	"github.com/belfryhq/belfry/internal/keyuse"
	"github.com/belfryhq/belfry/internal/trace"
	"github.com/belfryhq/belfry/internal/visitor"
	"github.com/belfryhq/belfry/protocol"
)

// waitingFactor is how many connections that are not authorized yet an app
// with authorized connections may have for each that its quota allows.
const waitingFactor = 2

// A Request is what a client asks for when it connects, whatever transport
// brought it.
type Request struct {
	// Path is the escaped path of the client's URL, behind the node's prefix:
	// /app/{key}.
	Path   string
	Query  url.Values
	Secure bool // the client reached us, or our proxy, over TLS
	// Transport and Address are for operators: how and from where the client came.
	// They may be empty and invalid.
	Transport string
	Address   netip.Addr
	Origin    string // the Origin header; empty when there was none
	Full      bool   // the node has no room for another client
}

// Connect opens a session for a client whose frames go to socket, on the loop
// from which it is called, and sends the first of them. If it refuses, nothing
// was sent, and the transport tells the client.
func (h *Hub) Connect(r Request, socket Socket, loop int) (*Session, *protocol.Error) {
	app, key, refused := h.admit(r)
	if refused == nil {
		refused = h.reserve(h.tenant(app), app)
	}
	if refused != nil {
		h.refuse(app, r, refused)
		return nil, refused
	}
	t := h.tenant(app)
	s := &Session{
		tenant: t,
		socket: socket,
		loop:   loop,
		id:     protocol.NewSocketID(),
		began:  time.Now().UnixNano(),

		library: protocol.ClientLibraryOf(r.Query),
		visitor: h.visitors.Remember(visitor.Claim{
			Query: r.Query, Address: r.Address, Origin: r.Origin, Transport: r.Transport, Secure: r.Secure,
		}),
	}
	if app.AuthorizedRequired {
		s.authorizeBy = time.Now().Add(app.AuthorizationTimeout)
	}
	h.metrics.open(r.Transport)
	t.enter(s)
	if gone := h.stale(t, app); gone != nil {
		s.End(Ending{By: trace.ByService, Code: gone.Code})
		h.refuse(app, r, gone)
		return nil, gone
	}
	h.cfg.KeyUses.Note(time.Now(), app.ID, key, keyuse.Connection, strings.TrimSpace(r.Query.Get("client")+" "+r.Query.Get("version")))
	s.traceConnected(r, key)
	socket.Send(frame.Text(func(b []byte) []byte {
		return protocol.AppendConnectionEstablished(b, s.id, app.ActivityTimeout)
	}))
	return s, nil
}

// refuse counts and tells that a client was refused. The app is nil if it asked
// for none that there is.
func (h *Hub) refuse(app *apps.App, r Request, why *protocol.Error) {
	h.metrics.refuse(why.Code)
	switch {
	case app != nil:
		traceRefused(h.tenant(app).tracer, r, why)
	case h.cfg.Strangers != nil:
		traceRefused(h.cfg.Strangers, r, why)
	}
}

// stale returns why an app that was found a moment ago is none for clients any
// more. Whoever is among everyone by now will be told of later changes.
func (h *Hub) stale(t *tenant, app *apps.App) *protocol.Error {
	switch now := h.cfg.Apps.ByID(app.ID); {
	case now == nil:
		return protocol.UnknownApp(anyKey(app))
	case now.Disabled:
		return protocol.ErrAppDisabled
	case h.tenant(now) != t: // gone, and another with its id is there
		return protocol.ErrReconnect
	}
	return nil
}

// admit checks a request, in the order in which the hosted service's errors
// are documented (docs/protocol.md, "Connecting"). The app that was asked for is
// returned with a refusal too, if it is known by then.
func (h *Hub) admit(r Request) (app *apps.App, key string, refused *protocol.Error) {
	if h.Draining() {
		return nil, "", protocol.ErrReconnect
	}
	key, ok := appKey(r.Path)
	if !ok {
		return nil, "", protocol.ErrPathNotFound
	}
	app = h.cfg.Apps.ByKey(key)
	if _, err := protocol.Version(r.Query, h.cfg.AssumeProtocol); err != nil {
		return app, key, err
	}
	switch {
	case app == nil:
		return nil, key, protocol.UnknownApp(key)
	case app.Disabled:
		return app, key, protocol.ErrAppDisabled
	case app.TLSOnly && !r.Secure:
		return app, key, protocol.ErrTLSOnly
	case !app.OriginAllowed(r.Origin):
		return app, key, protocol.ErrOrigin
	case r.Full:
		return app, key, protocol.ErrOverCapacity
	}
	return app, key, nil
}

// appKey returns the key in a path of the form /app/{key}, with one slash
// after it or none.
func appKey(path string) (key string, ok bool) {
	rest, ok := strings.CutPrefix(path, "/app/")
	rest = strings.TrimSuffix(rest, "/")
	if !ok || rest == "" || strings.Contains(rest, "/") {
		return "", false
	}
	key, err := url.PathUnescape(rest)
	return key, err == nil
}

// reserve counts a new session against the quotas of node and app. With
// authorized connections on, the app's quota is asked for when the session
// becomes authorized.
func (h *Hub) reserve(t *tenant, app *apps.App) *protocol.Error {
	n := h.connections.Add(1)
	if capacity := h.capacity.Load(); capacity > 0 && n > capacity {
		h.connections.Add(-1)
		return protocol.ErrOverCapacity
	}
	quota := int64(app.Limits.Connections)
	if app.AuthorizedRequired {
		if n := t.waiting.Add(1); quota > 0 && n > quota*waitingFactor {
			t.waiting.Add(-1)
			h.connections.Add(-1)
			return protocol.ErrOverCapacity
		}
		return nil
	}
	if !t.count() {
		h.connections.Add(-1)
		return protocol.ErrOverQuota
	}
	return nil
}

// count counts one session towards the app's quota, if that has room. Other
// nodes' sessions count as well, as far as they are known.
func (t *tenant) count() bool {
	quota := int64(t.app().Limits.Connections)
	n := t.connections.Add(1)
	if quota > 0 && n+t.load.peers.Load() > quota {
		t.connections.Add(-1)
		return false
	}
	t.meter.connected(n)
	if quota > 0 && !t.hub.peers.Alone() {
		t.shareLoad() // at once: many may come to all nodes in the same moment
	}
	return true
}
