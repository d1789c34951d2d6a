package hub

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/history"
	"github.com/belfryhq/belfry/internal/trace"
)

// shardCount is how many locks the channels of one app are spread over.
const shardCount = 32

// A tenant is the state of one app.
type tenant struct {
	hub         *Hub
	current     atomic.Pointer[apps.App]
	tracer      Tracer
	everyone    everyone     // all sessions of the app
	connections atomic.Int64 // sessions that count towards the app's quota
	waiting     atomic.Int64 // sessions that are not authorized yet
	meter       meter
	load        load
	coarse      coarseList
	budget      *history.Budget
	former      formers
	shards      [shardCount]shard
}

// A shard holds some of an app's channels and users.
type shard struct {
	mu       sync.Mutex
	order    uint64              // the highest number of a delivery in what is forgotten
	channels map[string]*channel // those with subscriptions, anywhere, or a cached event
	users    map[string]*user    // those signed in anywhere, or watched here
	shelf    history.Shelf
}

// tenant returns the state of app, which it makes on first use.
func (h *Hub) tenant(app *apps.App) *tenant {
	if t, ok := h.tenants.Load(app.ID); ok {
		return t.(*tenant)
	}
	fresh := &tenant{hub: h, meter: meter{metrics: h.metrics}, tracer: (*trace.Log)(nil), budget: history.NewBudget()}
	if h.cfg.Tracer != nil {
		fresh.tracer = h.cfg.Tracer(app.ID)
	}
	fresh.current.Store(app)
	if h.removed.Load() {
		fresh.startNumbers(uint64(time.Since(h.began).Microseconds()))
	}
	found, _ := h.tenants.LoadOrStore(app.ID, fresh)
	t := found.(*tenant)
	if t == fresh && app.History.Enabled && app.History.Durable && h.cfg.Durable != nil {
		h.cfg.Durable.Begin(app.ID, t.highest())
	}
	// The app may have changed since the caller looked it up, when there was
	// nobody here yet to be told.
	if now := h.cfg.Apps.ByID(app.ID); now != nil && now != app {
		t.current.CompareAndSwap(app, now)
	}
	return t
}

// startNumbers makes the events of a new app have numbers above one. An app that was
// there before with the same id has given lower ones, of which clients may know.
func (t *tenant) startNumbers(above uint64) {
	for i := range t.shards {
		t.shards[i].shelf.StartAbove(above)
	}
}

// app is what the app is now.
func (t *tenant) app() *apps.App { return t.current.Load() }

func (h *Hub) eachTenant(do func(*tenant)) {
	h.tenants.Range(func(_, t any) bool {
		do(t.(*tenant))
		return true
	})
}

// shard returns the shard of a channel name or of a user id.
func (t *tenant) shard(name string) *shard {
	return &t.shards[maphash.String(t.hub.seed, name)%shardCount]
}

// everyone is all sessions of an app, for what concerns all of them.
type everyone struct {
	mu sync.Mutex // guards the audience like a shard's lock
	audience
}

// enter adds a session that begins. It runs on the session's loop.
func (t *tenant) enter(s *Session) {
	t.everyone.mu.Lock()
	defer t.everyone.mu.Unlock()
	t.everyone.addLocked(&s.place, s)
}

// exit takes a session out that ends. It runs on the session's loop.
func (t *tenant) exit(s *Session) {
	t.everyone.mu.Lock()
	defer t.everyone.mu.Unlock()
	t.everyone.removeLocked(&s.place)
}
