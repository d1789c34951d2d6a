package hub

import (
	"iter"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/protocol"
)

// Lists for operators are made shard by shard: under its lock, names alone are
// copied, and the few that a page has are looked up afterwards. So publishers and
// subscribers wait for the copying of one shard at most, however long the list is.
// Package listing makes pages of them.

// ChannelInfo is what an operator is told of a channel.
type ChannelInfo struct {
	Name string
	ChannelState
	Kind   protocol.Kind
	Order  uint64 // number of the last frame that its subscribers on this node got; it only grows
	Cached *CachedInfo
}

// CachedInfo is what an operator is told of a cached event.
type CachedInfo struct {
	Bytes   int
	Expires time.Time
}

// An Occupancy is how many subscriptions a channel has, if they were counted.
type Occupancy struct {
	Name          string
	Subscriptions int
}

// Occupancies yields the channels of an app, in the whole cluster, whose names begin
// with prefix: those of one shard at a time, in no order, and some that nobody
// has. What is yielded is valid until the next. No lock is held meanwhile.
func (h *Hub) Occupancies(app *apps.App, prefix string, counted bool) iter.Seq[[]Occupancy] {
	t := h.tenant(app)
	return func(yield func([]Occupancy) bool) {
		var buffer []Occupancy
		for i := range t.shards {
			if buffer = t.shards[i].copyChannels(t, prefix, counted, buffer[:0]); !yield(buffer) {
				return
			}
		}
	}
}

func (sh *shard) copyChannels(t *tenant, prefix string, counted bool, to []Occupancy) []Occupancy {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for name, ch := range sh.channels {
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		o := Occupancy{Name: name}
		if counted {
			o.Subscriptions = t.subscriptionsLocked(ch)
		}
		to = append(to, o)
	}
	return to
}

// ChannelInfo returns what is known of one channel, if anybody is subscribed or
// there is a cached event.
func (h *Hub) ChannelInfo(app *apps.App, name string) (ChannelInfo, bool) {
	t := h.tenant(app)
	sh := t.shard(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	ch := sh.channels[name]
	if ch == nil {
		return ChannelInfo{}, false
	}
	c := ChannelInfo{Name: name, ChannelState: t.stateLocked(ch), Kind: ch.kind, Order: ch.last}
	if ch.freshLocked(time.Now()) {
		c.Cached = &CachedInfo{Bytes: len(ch.cached.data), Expires: ch.cached.expires}
	}
	return c, c.Occupied || c.Cached != nil
}

// MemberInfo is what an operator is told of a member of a presence channel.
type MemberInfo struct {
	protocol.Member
	Sockets int // on this node
	Nodes   int // on which the member is, this one included
}

// Members returns members of a presence channel, in the whole cluster, in the
// order in which they came: at most limit of them.
func (h *Hub) Members(app *apps.App, name string, limit int) []MemberInfo {
	t := h.tenant(app)
	sh := t.shard(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	ch := sh.channels[name]
	if ch == nil || ch.presence == nil {
		return nil
	}
	list := make([]MemberInfo, 0, min(limit, ch.presence.Len()))
	for _, m := range ch.presence.Ordered()[:min(limit, ch.presence.Len())] {
		info := MemberInfo{Member: m.Member, Sockets: m.Sockets, Nodes: h.peers.Present(m.At).Len()}
		if m.Sockets > 0 {
			info.Nodes++
		}
		list = append(list, info)
	}
	return list
}

// UserInfo is what an operator is told of a user on this node.
type UserInfo struct {
	ID       string
	Sockets  int // signed in as the user
	Watchers int // sockets that have the user on their watchlist
	Online   bool
}

// UserIDs yields the users that are signed in anywhere or watched on this node, and
// whose ids begin with prefix: those of one shard at a time, in no order. What is
// yielded is valid until the next. No lock is held meanwhile.
func (h *Hub) UserIDs(app *apps.App, prefix string) iter.Seq[[]string] {
	t := h.tenant(app)
	return func(yield func([]string) bool) {
		var buffer []string
		for i := range t.shards {
			if buffer = t.shards[i].copyUsers(prefix, buffer[:0]); !yield(buffer) {
				return
			}
		}
	}
}

func (sh *shard) copyUsers(prefix string, to []string) []string {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for id := range sh.users {
		if strings.HasPrefix(id, prefix) {
			to = append(to, id)
		}
	}
	return to
}

// UserInfo returns what is known of a user on this node.
func (h *Hub) UserInfo(app *apps.App, id string) UserInfo {
	sh := h.tenant(app).shard(id)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	info := UserInfo{ID: id}
	if u := sh.users[id]; u != nil {
		info.Sockets, info.Watchers, info.Online = u.connections.size, u.watchers.size, u.online()
	}
	return info
}

// ChannelsOfMember yields the presence channels that a user is a member of, in the
// whole cluster, in no order. No lock is held meanwhile.
func (h *Hub) ChannelsOfMember(app *apps.App, id string) iter.Seq[string] {
	t := h.tenant(app)
	return func(yield func(string) bool) {
		for i := range t.shards {
			for _, name := range t.shards[i].channelsOf(id) {
				if !yield(name) {
					return
				}
			}
		}
	}
}

func (sh *shard) channelsOf(id string) (names []string) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for name, ch := range sh.channels {
		if ch.presence != nil && ch.presence.Has(id) {
			names = append(names, name)
		}
	}
	return names
}
