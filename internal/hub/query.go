package hub

import (
	"strings"

	"github.com/belfryhq/belfry/internal/apps"
)

// ChannelState is what a backend may ask about a channel.
type ChannelState struct {
	Occupied      bool // has subscriptions
	Subscriptions int
	Users         int // distinct users; 0 but on presence channels
}

// stateLocked is the channel's in the cluster. The shard's lock is held.
func (t *tenant) stateLocked(ch *channel) ChannelState {
	s := ChannelState{Subscriptions: t.subscriptionsLocked(ch)}
	s.Occupied = ch.size > 0 || t.hub.peers.Present(ch.elsewhere.By()) != 0
	if ch.presence != nil {
		s.Users = ch.presence.Len()
	}
	return s
}

// Channel returns the state of one channel. The zero state is that of a
// channel that nobody is subscribed to.
func (h *Hub) Channel(app *apps.App, name string) ChannelState {
	t := h.tenant(app)
	sh := t.shard(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if ch := sh.channels[name]; ch != nil {
		return t.stateLocked(ch)
	}
	return ChannelState{}
}

// Channels calls each for every occupied channel whose name starts with
// prefix, in no order. Each must not call the hub.
func (h *Hub) Channels(app *apps.App, prefix string, each func(name string, s ChannelState)) {
	t := h.tenant(app)
	for i := range t.shards {
		sh := &t.shards[i]
		sh.mu.Lock()
		for name, ch := range sh.channels {
			if !strings.HasPrefix(name, prefix) {
				continue
			}
			if s := t.stateLocked(ch); s.Occupied {
				each(name, s)
			}
		}
		sh.mu.Unlock()
	}
}

// Users returns the ids of the users on a presence channel, in the order in
// which they came.
func (h *Hub) Users(app *apps.App, name string) []string {
	sh := h.tenant(app).shard(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	ch := sh.channels[name]
	if ch == nil || ch.presence == nil {
		return nil
	}
	ids := make([]string, 0, ch.presence.Len())
	for m := range ch.presence.All() {
		ids = append(ids, m.UserID)
	}
	return ids
}
