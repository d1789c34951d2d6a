package listing

import (
	"container/heap"
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/protocol"
)

// A Connection is what an operator is told of a session.
type Connection struct {
	ID        protocol.SocketID
	Since     time.Time
	Address   netip.Addr // invalid: unknown
	Origin    string
	Library   string // and Version, as the client says
	Version   string
	Transport string
	Protocol  int // of the Pusher protocol; 0: the client has named none
	TLS       bool

	UserID        string // whom it is signed in as
	Subscriptions int
	Waiting       int           // bytes that wait for the client
	Silent        time.Duration // since the client has sent anything
	Joined        time.Time     // of a list of subscribers: since when
	Member        string        // of a presence channel: as whom
}

// connectionOf is what a view shows.
func connectionOf(v hub.View, now time.Time) *Connection {
	c := &Connection{
		ID: v.ID(), Since: v.Since(), Address: v.Address(), Origin: v.Origin(), Transport: v.Transport(),
		Protocol: v.Protocol(), TLS: v.TLS(), UserID: v.UserID(), Subscriptions: v.Subscriptions(),
	}
	c.Library, c.Version = v.Library()
	if waiting, heard, ok := v.State(); ok {
		c.Waiting, c.Silent = waiting, max(now.Sub(heard), 0)
	}
	return c
}

// A Position is a place in a list of connections. The zero Position is its
// beginning.
type Position struct {
	Since time.Time
	ID    protocol.SocketID
}

// before is the order of lists: the newest first.
func (p Position) before(o Position) bool {
	if !p.Since.Equal(o.Since) {
		return p.Since.After(o.Since)
	}
	return p.ID.String() < o.ID.String()
}

func (c *Connection) position() Position { return Position{c.Since, c.ID} }

// A Filter says which connections are meant. The zero Filter means all.
type Filter struct {
	hub.Scope

	Origin, Library, Transport string
	Network                    netip.Prefix // invalid: all

	// Unsubscribed means only those that get no events: they are subscribed to
	// nothing, and not signed in.
	Unsubscribed bool
}

// matches reports whether a session is meant, if it is in its scope.
func (f *Filter) matches(v hub.View) bool {
	switch {
	case f.User != "" && v.UserID() != f.User:
		return false
	case f.Unsubscribed && (v.Subscriptions() > 0 || v.UserID() != ""):
		return false
	case f.Network.IsValid() && !f.Network.Contains(v.Address()):
		return false
	case f.Origin != "" && v.Origin() != f.Origin:
		return false
	case f.Transport != "" && v.Transport() != f.Transport:
		return false
	case f.Library != "":
		name, _ := v.Library()
		return name == f.Library
	}
	return true
}

// Connections returns the connections on this node that f means, the newest first,
// from a position on, and how many there are in all. It returns at most limit of
// them.
func Connections(ctx context.Context, h *hub.Hub, app *apps.App, f Filter, after Position, limit int) (page []*Connection, total int, err error) {
	pages := make([]firstConnections, h.Loops())
	now := time.Now()
	err = h.Visit(ctx, app, f.Scope, func(loop int, v hub.View) {
		if !f.matches(v) {
			return
		}
		p := &pages[loop]
		p.total++
		at := Position{v.Since(), v.ID()}
		if !after.Since.IsZero() && !after.before(at) || len(p.list) == limit && !at.before(p.list[0].position()) {
			return
		}
		c := connectionOf(v, now)
		if f.Channel != "" {
			c.Joined, c.Member = v.Joined(), v.Member(f.Channel)
		}
		heap.Push(p, c)
		if len(p.list) > limit {
			heap.Pop(p)
		}
	})
	if err != nil {
		return nil, 0, err
	}
	for i := range pages {
		page, total = append(page, pages[i].list...), total+pages[i].total
	}
	slices.SortFunc(page, func(a, b *Connection) int {
		switch {
		case a.ID == b.ID:
			return 0
		case a.position().before(b.position()):
			return -1
		}
		return 1
	})
	page = slices.CompactFunc(page, func(a, b *Connection) bool { return a.ID == b.ID })
	return page[:min(len(page), limit)], total, nil
}

// firstConnections are those of one loop that come first in a list; the last of them
// is at the top of the heap.
type firstConnections struct {
	list  []*Connection
	total int
}

func (p *firstConnections) Len() int { return len(p.list) }
func (p *firstConnections) Less(i, j int) bool {
	return p.list[j].position().before(p.list[i].position())
}
func (p *firstConnections) Swap(i, j int) { p.list[i], p.list[j] = p.list[j], p.list[i] }
func (p *firstConnections) Push(c any)    { p.list = append(p.list, c.(*Connection)) }
func (p *firstConnections) Pop() any {
	last := len(p.list) - 1
	c := p.list[last]
	p.list = p.list[:last]
	return c
}

// Detail is one connection with its subscriptions.
type Detail struct {
	Connection
	Channels []hub.Subscription // the first of them by name
}

// Find looks for a connection on this node, and returns it with up to limit of its
// subscriptions, or nil.
func Find(ctx context.Context, h *hub.Hub, app *apps.App, id protocol.SocketID, limit int) (*Detail, error) {
	var d Detail
	found, err := h.VisitOne(ctx, app, id, func(v hub.View) {
		d = Detail{Connection: *connectionOf(v, time.Now()), Channels: slices.Collect(v.Channels())}
	})
	if err != nil || !found {
		return nil, err
	}
	slices.SortFunc(d.Channels, func(a, b hub.Subscription) int { return strings.Compare(a.Channel, b.Channel) })
	d.Channels = d.Channels[:min(len(d.Channels), limit)]
	return &d, nil
}

// A Grouping is by what connections are counted.
type Grouping string

// What connections can be counted by.
const (
	ByOrigin    Grouping = "origin"
	ByLibrary   Grouping = "library" // with its version
	ByTransport Grouping = "transport"
	ByUser      Grouping = "user"
)

// of is what a session is counted under.
func (by Grouping) of(v hub.View) string {
	switch by {
	case ByOrigin:
		return v.Origin()
	case ByLibrary:
		name, version := v.Library()
		return strings.TrimSpace(name + " " + version)
	case ByTransport:
		return v.Transport()
	}
	return v.UserID()
}

// Count counts the connections on this node that f means, by what they have in
// common.
func Count(ctx context.Context, h *hub.Hub, app *apps.App, f Filter, by Grouping) (map[string]int, error) {
	counts := make([]map[string]int, h.Loops())
	err := h.Visit(ctx, app, f.Scope, func(loop int, v hub.View) {
		if !f.matches(v) {
			return
		}
		if counts[loop] == nil {
			counts[loop] = make(map[string]int)
		}
		counts[loop][by.of(v)]++
	})
	if err != nil {
		return nil, err
	}
	sum := make(map[string]int)
	for _, c := range counts {
		for name, n := range c {
			sum[name] += n
		}
	}
	return sum, nil
}
