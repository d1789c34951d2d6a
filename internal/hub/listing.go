package hub

import (
	"cmp"
	"iter"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/protocol"
)

// Lists for operators are made shard by shard: under its lock, names alone are
// copied, and the few that a page has are looked up afterwards. So publishers and
// subscribers wait for the copying of one shard at most, however long the list is.

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

// ChannelOrder is the order of a list of channels.
type ChannelOrder int

// The orders.
const (
	ChannelsByName ChannelOrder = iota
	ChannelsBySize              // those with the most subscriptions first, then by name
)

// A ChannelPlace is a place in a list of channels, behind the channel of that name
// and, in the order of size, with so many subscriptions.
type ChannelPlace struct {
	Name          string
	Subscriptions int
}

func (o ChannelOrder) compare(a, b ChannelPlace) int {
	if o == ChannelsBySize && a.Subscriptions != b.Subscriptions {
		return cmp.Compare(b.Subscriptions, a.Subscriptions)
	}
	return strings.Compare(a.Name, b.Name)
}

// ChannelPage returns the channels of an app, in the whole cluster, whose names
// begin with prefix: at most limit of them, from behind a place on (nil: from the
// beginning). Next is where the next page begins, or nil. What changes meanwhile may
// be left out.
func (h *Hub) ChannelPage(app *apps.App, prefix string, order ChannelOrder, after *ChannelPlace, limit int) (page []ChannelInfo, next *ChannelPlace) {
	t := h.tenant(app)
	more := false
	var first []ChannelPlace
	var buffer []ChannelPlace
	for i := range t.shards {
		buffer = t.shards[i].copyChannels(t, prefix, order, buffer[:0])
		first, more = mergeFirst(first, buffer, limit, more, order.compare, after)
		runtime.Gosched() // loops go first: there may be very many channels
	}
	for _, place := range first {
		if c, ok := t.channelInfo(place.Name); ok {
			page = append(page, c)
		}
	}
	if more {
		next = &first[len(first)-1]
	}
	return page, next
}

// copyChannels appends where the occupied channels of the shard stand in a list.
func (sh *shard) copyChannels(t *tenant, prefix string, order ChannelOrder, to []ChannelPlace) []ChannelPlace {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for name, ch := range sh.channels {
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		place := ChannelPlace{Name: name}
		if order == ChannelsBySize {
			place.Subscriptions = t.subscriptionsLocked(ch)
		}
		to = append(to, place)
	}
	return to
}

// mergeFirst puts what comes behind after into the first limit elements of a list,
// which are sorted, and reports whether something is left out, or was before.
func mergeFirst[T any](first, fresh []T, limit int, more bool, compare func(a, b T) int, after *T) ([]T, bool) {
	full := len(first) == limit // and then first[limit-1] is the last that counts
	for _, x := range fresh {
		if after != nil && compare(x, *after) <= 0 {
			continue
		}
		if full && compare(x, first[limit-1]) > 0 {
			more = true
			continue
		}
		if first = append(first, x); len(first) >= 2*limit {
			slices.SortFunc(first, compare)
			more = more || len(first) > limit
			first, full = first[:limit], true
		}
	}
	slices.SortFunc(first, compare)
	if len(first) > limit {
		first, more = first[:limit], true
	}
	return first, more
}

// ChannelInfo returns what is known of one channel, if anybody is subscribed or
// there is a cached event.
func (h *Hub) ChannelInfo(app *apps.App, name string) (ChannelInfo, bool) {
	return h.tenant(app).channelInfo(name)
}

func (t *tenant) channelInfo(name string) (ChannelInfo, bool) {
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

// UserPage returns users that are signed in on this node or are watched on
// it, ordered by id. They are at most limit of those whose ids begin with
// prefix and come behind after. Next is the id behind which the next page
// begins, or empty.
func (h *Hub) UserPage(app *apps.App, prefix, after string, limit int) (page []UserInfo, next string) {
	t := h.tenant(app)
	more := false
	var first, buffer []string
	for i := range t.shards {
		buffer = t.shards[i].copyUsers(prefix, buffer[:0])
		from := &after
		if after == "" {
			from = nil
		}
		first, more = mergeFirst(first, buffer, limit, more, strings.Compare, from)
	}
	for _, id := range first {
		if u := h.UserInfo(app, id); u.Online || u.Watchers > 0 {
			page = append(page, u)
		}
	}
	if more {
		next = first[len(first)-1]
	}
	return page, next
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
