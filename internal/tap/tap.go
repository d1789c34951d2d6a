// Package tap shows to people what happens to an app at the moment: its
// connections, subscriptions, events and refusals, on all nodes of a cluster.
//
// Who watches gets rows of JSON that its [Filter] lets through, and where
// something is left out, a row in its place says how much. What is shown and what
// these rows count add up to what the filter lets through.
//
// # The way of a record
//
// While an app is watched its [trace.Log] writes into a [ring], under locks of the
// hub: a record is matched against the filters, and copied once. The data of an
// event stays where it is, in the frame that clients get. A [session] is what one
// person watches: its goroutine reads the ring, makes rows and keeps some of them
// for the request that brings them to the person. In a cluster the session of the
// node that was asked also reads one of each peer, over the same API.
//
// While nobody watches there is no ring, and nothing here costs anything.
//
// # Who falls behind
//
// The ring overwrites what has not been read after 4,096 records, and lets go of
// frames above 8 MiB. A session shows so many rows a second, and keeps a thousand
// for a reader that is slow. All of that is counted where it happens.
//
// A session outlives its request by a few seconds, so that a reader that comes
// back with Last-Event-ID goes on where it was.
//
// # Locks
//
// Taps.mu is taken before a ring's lock and those of [trace.Logs]. Those of rings
// are leaves, and taken under locks of the hub. session.mu is a leaf.
package tap

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/belfryhq/belfry/internal/jsonhttp"
	"github.com/belfryhq/belfry/internal/survey"
	"github.com/belfryhq/belfry/internal/trace"
)

// Bounds on those who watch.
const (
	maxSessions = 32               // of a node; of one app there are maxWatchers
	maxAge      = 8 * time.Hour    // of a session
	linger      = 15 * time.Second // how long a session waits for its reader to come back
)

// Config is what taps need. Logs is required.
type Config struct {
	Logs *trace.Logs
	// Known reports whether there is an app with that id.
	Known func(app string) bool
	// Hides reports whether the data of an app's events are shown to nobody. A nil Hides
	// never does.
	Hides func(app string) bool
	// Node is how operators call this node; empty if it is alone.
	Node string
	// Peers are the other nodes. It is asked for them when somebody watches, and
	// may return nil.
	Peers func() survey.Peers
	Log   *slog.Logger // nil: no log
}

// Taps are those of a node. Their methods are safe for concurrent use.
type Taps struct {
	cfg     Config
	running sync.WaitGroup // goroutines of sessions

	mu       sync.Mutex
	rings    map[string]*ring // by app; those that are watched
	sessions map[string]*session
	closed   bool
}

// New returns the taps of a node. Close them.
func New(cfg Config) *Taps {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Peers == nil {
		cfg.Peers = func() survey.Peers { return nil }
	}
	return &Taps{cfg: cfg, rings: make(map[string]*ring), sessions: make(map[string]*session)}
}

// Close ends all sessions, and with them the requests that read them.
func (t *Taps) Close(context.Context) error {
	t.mu.Lock()
	t.closed = true
	for _, s := range t.sessions {
		s.end()
	}
	t.mu.Unlock()
	t.running.Wait()
	return nil
}

// watch begins a session. If it is to have the rows of peers too, wide is true.
func (t *Taps) watch(app string, f *Filter, wide bool) (*session, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, jsonhttp.Refuse(http.StatusServiceUnavailable, "This node is stopping.")
	}
	if len(t.sessions) >= maxSessions && !t.makeRoomLocked("") {
		return nil, jsonhttp.Refuse(http.StatusTooManyRequests, "There are %d who watch apps of this node already.", maxSessions)
	}
	r := t.rings[app]
	if r == nil {
		r = new(ring)
	}
	s := newSession(t, app, f, r)
	if !r.add(s.local) && !(t.makeRoomLocked(app) && r.add(s.local)) {
		s.end()
		return nil, jsonhttp.Refuse(http.StatusTooManyRequests, "There are %d who watch this app already.", maxWatchers)
	}
	t.rings[app] = r
	t.sessions[s.id] = s
	t.attendLocked(app, r)
	t.running.Go(func() {
		s.run(wide)
		t.forget(s)
	})
	return s, nil
}

// makeRoomLocked ends a session that nobody reads any more, of that app if it
// names one, and reports whether there was one. t.mu is held.
func (t *Taps) makeRoomLocked(app string) bool {
	for id, s := range t.sessions {
		if (app == "" || s.app == app) && s.abandoned() {
			s.end()
			delete(t.sessions, id)
			t.leaveLocked(s)
			return true
		}
	}
	return false
}

// forget is called when a session has ended.
func (t *Taps) forget(s *session) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.sessions[s.id] == s {
		delete(t.sessions, s.id)
		t.leaveLocked(s)
	}
}

// leaveLocked takes a session off its ring. t.mu is held.
func (t *Taps) leaveLocked(s *session) {
	s.ring.remove(s.local)
	t.attendLocked(s.app, s.ring)
}

// attendLocked makes the log of an app write what those who watch it want. t.mu
// is held.
func (t *Taps) attendLocked(app string, r *ring) {
	wants, watched := r.interest()
	if watched {
		t.cfg.Logs.Watch(app, r, wants)
		return
	}
	t.cfg.Logs.Unwatch(app, r)
	if t.rings[app] == r {
		delete(t.rings, app)
	}
}

// find returns the session of that id, or nil.
func (t *Taps) find(id string) *session {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.sessions[id]
}
