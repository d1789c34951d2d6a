package hub

import (
	"sync/atomic"

	"github.com/belfryhq/belfry/internal/apps"
)

// Usage is what an app used on this node since it was asked for last.
type Usage struct {
	Connections     int    // that count towards the quota, now
	PeakConnections int    // the most of them at once
	BackendEvents   uint64 // accepted, once for every channel
	ClientEvents    uint64 // relayed
	Deliveries      uint64 // of such events, to one connection each
}

// A meter counts what an app uses. That of the hub itself counts frames that
// are no messages of an app, and nobody reads it.
type meter struct {
	metrics               *metrics
	peak                  atomic.Int64
	backend, client, sent atomic.Uint64
}

// connected notes that there are n connections.
func (m *meter) connected(n int64) {
	for peak := m.peak.Load(); n > peak; peak = m.peak.Load() {
		if m.peak.CompareAndSwap(peak, n) {
			return
		}
	}
}

// delivered notes that n sessions got a frame.
func (m *meter) delivered(n int) {
	m.metrics.deliveries.Add(float64(n))
	m.sent.Add(uint64(n))
}

// TakeUsage calls each for every app that was used on this node, with what it
// used since the last call. What an app used that is gone is lost.
func (h *Hub) TakeUsage(each func(appID string, u Usage)) {
	h.tenants.Range(func(id, found any) bool {
		t := found.(*tenant)
		now := t.connections.Load()
		each(id.(string), Usage{
			Connections:     int(now),
			PeakConnections: int(max(t.meter.peak.Swap(now), now)),
			BackendEvents:   t.meter.backend.Swap(0),
			ClientEvents:    t.meter.client.Swap(0),
			Deliveries:      t.meter.sent.Swap(0),
		})
		return true
	})
}

// ConnectionsHere returns how many connections of the app there are on this node that
// count towards its quota.
func (h *Hub) ConnectionsHere(app *apps.App) int {
	if t, ok := h.tenants.Load(app.ID); ok {
		return int(t.(*tenant).connections.Load())
	}
	return 0
}

// Occupied returns how many channels of the app have subscriptions on any node, and
// how many subscriptions there are on this one. Each shard is locked once.
func (h *Hub) Occupied(app *apps.App) (channels, subscriptions int) {
	found, ok := h.tenants.Load(app.ID)
	if !ok {
		return 0, 0
	}
	t := found.(*tenant)
	for i := range t.shards {
		sh := &t.shards[i]
		sh.mu.Lock()
		for _, ch := range sh.channels {
			subscriptions += ch.size
			if ch.size > 0 || t.hub.peers.Present(ch.elsewhere.By()) != 0 {
				channels++
			}
		}
		sh.mu.Unlock()
	}
	return channels, subscriptions
}
