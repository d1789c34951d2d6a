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

func (ch *channel) state() ChannelState {
	s := ChannelState{Occupied: ch.size > 0, Subscriptions: ch.size}
	if ch.presence != nil {
		s.Users = ch.presence.len()
	}
	return s
}

// Channel returns the state of one channel. The zero state is that of a
// channel that nobody is subscribed to.
func (h *Hub) Channel(app *apps.App, name string) ChannelState {
	sh := h.tenant(app).shard(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if ch := sh.channels[name]; ch != nil {
		return ch.state()
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
			if ch.size > 0 && strings.HasPrefix(name, prefix) {
				each(name, ch.state())
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
	ids := make([]string, 0, ch.presence.len())
	for m := range ch.presence.all() {
		ids = append(ids, m.UserID)
	}
	return ids
}
