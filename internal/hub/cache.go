package hub

import (
	"bytes"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/frame"
	"github.com/belfryhq/belfry/protocol"
)

// cached is the last event that a backend triggered on a cache channel.
type cached struct {
	frame   *frame.Frame
	data    []byte // JSON string literal
	expires time.Time
	stamp   uint64
}

// Cached is what a cache channel remembers.
type Cached struct {
	Data []byte        // the event's data, a JSON string literal; read-only
	TTL  time.Duration // how long it will be remembered
}

// Cached returns the cached event of a channel, if there is one.
func (h *Hub) Cached(app *apps.App, name string) (Cached, bool) {
	sh := h.tenant(app).shard(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	now := time.Now()
	if ch := sh.channels[name]; ch != nil && ch.freshLocked(now) {
		return Cached{Data: ch.cached.data, TTL: ch.cached.expires.Sub(now)}, true
	}
	return Cached{}, false
}

// rememberLocked makes f the channel's cached event, unless a newer one is
// there. Newer is the one with the higher stamp. Of two that were triggered
// on two nodes at once, it is the one with the greater text, so that all
// nodes remember the same. The shard's lock is held.
func (ch *channel) rememberLocked(f *frame.Frame, data []byte, ttl time.Duration, stamp uint64) {
	if ttl <= 0 {
		ttl = apps.DefaultCacheTTL
	}
	if c := ch.cached; c != nil {
		if stamp < c.stamp || stamp == c.stamp && bytes.Compare(f.Message(), c.frame.Message()) <= 0 {
			return
		}
	}
	ch.cached = &cached{frame: f, data: bytes.Clone(data), expires: time.Now().Add(ttl), stamp: stamp}
}

// freshLocked reports whether there is a cached event. The shard's lock is held.
func (ch *channel) freshLocked(now time.Time) bool {
	return ch.cached != nil && now.Before(ch.cached.expires)
}

// cachedFrameLocked is what a new subscriber gets after its success: the event as
// it was delivered first, or the news that there is none. The shard's lock is
// held.
func (ch *channel) cachedFrameLocked(now time.Time) (f *frame.Frame, miss bool) {
	if ch.freshLocked(now) {
		return ch.cached.frame, false
	}
	return frame.Text(func(b []byte) []byte { return protocol.AppendCacheMiss(b, ch.name) }), true
}

// dropExpired forgets the cached events that nobody may get any more.
func (t *tenant) dropExpired(now time.Time) {
	for i := range t.shards {
		sh := &t.shards[i]
		sh.mu.Lock()
		for _, ch := range sh.channels {
			if ch.cached != nil && !ch.freshLocked(now) {
				ch.cached = nil
				sh.releaseLocked(ch)
			}
			t.sweepHistoryLocked(sh, ch, now)
		}
		sh.mu.Unlock()
	}
}
