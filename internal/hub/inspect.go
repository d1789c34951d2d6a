package hub

import (
	"container/heap"
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/protocol"
)

// Operators look at sessions, of which there may be hundreds of thousands, and
// each belongs to its loop. So a question goes to the loops, which answer it in
// slices between their turns, and clients do not wait for it.

// inspectSlice is how many sessions a loop looks at in one turn.
const inspectSlice = 1000

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

// before is the order of lists: the newest first.
func (c *Connection) before(o *Connection) bool {
	if !c.Since.Equal(o.Since) {
		return c.Since.After(o.Since)
	}
	return c.ID.String() < o.ID.String()
}

// A ConnectionQuery says which connections are meant. The zero query means all.
type ConnectionQuery struct {
	Channel string // only subscribers of this channel
	User    string // only those that are signed in as this user

	Origin, Library, Transport string
	Network                    netip.Prefix // invalid: all

	// Unsubscribed means only those that get no events: they are subscribed to
	// nothing, and not signed in.
	Unsubscribed bool
}

// A Position is a place in a list of connections. The zero Position is its
// beginning.
type Position struct {
	Since time.Time
	ID    protocol.SocketID
}

// A Watched socket can say how its connection is. It is asked on its loop.
type Watched interface {
	// State returns how many bytes wait for the client, and when it has sent
	// something last.
	State() (waiting int, heard time.Time)
}

// connection describes a session. It runs on the session's loop.
func (s *Session) connection(now time.Time) *Connection {
	c := &Connection{ID: s.id, Since: time.Unix(0, s.began), UserID: s.userID(), Subscriptions: s.subs.len()}
	s.tenant.hub.visitors.describe(s.visitor, c)
	if w, ok := s.socket.(Watched); ok {
		waiting, heard := w.State()
		c.Waiting, c.Silent = waiting, max(now.Sub(heard), 0)
	}
	return c
}

// matches reports whether the query means a session. It runs on the session's
// loop.
func (q *ConnectionQuery) matches(s *Session) bool {
	v := &s.tenant.hub.visitors
	switch {
	case s.ended, q.User != "" && s.userID() != q.User:
		return false
	case q.Unsubscribed && (s.subs.len() > 0 || s.userID() != ""):
		return false
	case q.Network.IsValid() && !q.Network.Contains(s.visitor.address()):
		return false
	case q.Origin != "" && v.origins.Text(s.visitor.origin) != q.Origin:
		return false
	case q.Transport != "" && v.transports.Text(s.visitor.transport) != q.Transport:
		return false
	case q.Library != "":
		name, _, _ := strings.Cut(v.libraries.Text(s.visitor.library), "\x00")
		return name == q.Library
	}
	return true
}

// audience returns the smallest audience that has all sessions that the query
// can mean, and its lock; nil if there are none.
func (q *ConnectionQuery) audience(t *tenant) (*sync.Mutex, *audience) {
	name := q.Channel
	if name == "" {
		name = q.User
	}
	if name == "" {
		return &t.everyone.mu, &t.everyone.audience
	}
	sh := t.shard(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if q.Channel != "" {
		if ch := sh.channels[name]; ch != nil {
			return &sh.mu, &ch.audience
		}
		return nil, nil
	}
	if u := sh.users[name]; u != nil {
		return &sh.mu, &u.connections
	}
	return nil, nil
}

// An inspection is a question to all loops that have sessions of an audience.
type inspection struct {
	hub   *Hub
	of    *audience
	ctx   context.Context // ends the inspection early; it lives as long as the call that it is for
	visit func(loop int, st *seat)
	done  chan struct{} // gets one per loop
}

// inspect calls visit for each session of an audience, on its loop, and returns
// when that is done or ctx ends. A session that comes or goes meanwhile may be
// left out or be visited twice.
func (h *Hub) inspect(ctx context.Context, mu *sync.Mutex, a *audience, visit func(loop int, st *seat)) error {
	loops := h.cfg.Loops.Len()
	i := &inspection{hub: h, of: a, ctx: ctx, visit: visit, done: make(chan struct{}, loops)}
	asked := 0
	mu.Lock()
	for loop := range loops {
		if a.loops&(1<<loop) != 0 {
			asked++
			h.cfg.Loops.Post(loop, func(loop int) { i.slice(loop, -1) }, inspectSlice)
		}
	}
	mu.Unlock()
	for range asked {
		select {
		case <-i.done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// slice visits the sessions of one loop below a place, as many as fit into a
// turn, from the end. What is put into the place of one that leaves comes
// from there, and was visited. A place below zero is the end.
func (i *inspection) slice(loop, place int) {
	r := i.of.roll[loop]
	if r == nil || i.ctx.Err() != nil {
		i.done <- struct{}{}
		return
	}
	if place < 0 || place > len(r.seats) {
		place = len(r.seats)
	}
	stop := max(place-inspectSlice, 0)
	for _, st := range slices.Backward(r.seats[stop:place]) {
		i.visit(loop, st)
	}
	if stop == 0 {
		i.done <- struct{}{}
		return
	}
	i.hub.cfg.Loops.Post(loop, func(loop int) { i.slice(loop, stop) }, inspectSlice)
}

// ListConnections returns the connections on this node that q means, the newest
// first, from a position on, and how many there are in all. It returns at most
// limit of them.
func (h *Hub) ListConnections(ctx context.Context, app *apps.App, q ConnectionQuery, after Position, limit int) (page []*Connection, total int, err error) {
	mu, a := q.audience(h.tenant(app))
	if a == nil {
		return nil, 0, nil
	}
	last := Connection{Since: after.Since, ID: after.ID}
	pages := make([]bestConnections, h.cfg.Loops.Len())
	now := time.Now()
	err = h.inspect(ctx, mu, a, func(loop int, st *seat) {
		p, s := &pages[loop], st.session
		if !q.matches(s) {
			return
		}
		p.total++
		key := Connection{ID: s.id, Since: time.Unix(0, s.began)}
		if !after.Since.IsZero() && !last.before(&key) || len(p.list) == limit && !key.before(p.list[0]) {
			return
		}
		c := s.connection(now)
		if q.Channel != "" {
			c.Joined = h.joinedAt(st)
			if sub := s.subs.get(q.Channel); sub != nil {
				c.Member = sub.userID
			}
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
		case a.before(b):
			return -1
		}
		return 1
	})
	page = slices.CompactFunc(page, func(a, b *Connection) bool { return a.ID == b.ID })
	return page[:min(len(page), limit)], total, nil
}

// bestConnections are those of one loop that come first in a list; the last of them is
// at the top of the heap.
type bestConnections struct {
	list  []*Connection
	total int
}

func (p *bestConnections) Len() int           { return len(p.list) }
func (p *bestConnections) Less(i, j int) bool { return p.list[j].before(p.list[i]) }
func (p *bestConnections) Swap(i, j int)      { p.list[i], p.list[j] = p.list[j], p.list[i] }
func (p *bestConnections) Push(c any)         { p.list = append(p.list, c.(*Connection)) }
func (p *bestConnections) Pop() any {
	last := len(p.list) - 1
	c := p.list[last]
	p.list = p.list[:last]
	return c
}

// A Subscription is what an operator is told of a subscription of a connection.
type Subscription struct {
	Channel string
	Joined  time.Time
	Member  string // of a presence channel: as whom
}

// ConnectionDetail is one connection with its subscriptions.
type ConnectionDetail struct {
	Connection
	Channels []Subscription // the first of them by name
}

// FindConnection looks for a connection on this node, and returns it with up to
// limit of its subscriptions.
func (h *Hub) FindConnection(ctx context.Context, app *apps.App, id protocol.SocketID, limit int) (*ConnectionDetail, error) {
	var found *ConnectionDetail
	err := h.onSession(ctx, app, id, func(s *Session) {
		d := &ConnectionDetail{Connection: *s.connection(time.Now())}
		for sub := range s.subs.all() {
			d.Channels = append(d.Channels, Subscription{sub.channel.name, h.joinedAt(&sub.seat), sub.userID})
		}
		found = d
	})
	if err != nil || found == nil {
		return nil, err
	}
	slices.SortFunc(found.Channels, func(a, b Subscription) int { return strings.Compare(a.Channel, b.Channel) })
	found.Channels = found.Channels[:min(len(found.Channels), limit)]
	return found, nil
}

// CloseConnection closes a connection on this node with a code that clients know.
// It reports whether there is one.
func (h *Hub) CloseConnection(ctx context.Context, app *apps.App, id protocol.SocketID, why *protocol.Error) (bool, error) {
	closed := false
	err := h.onSession(ctx, app, id, func(s *Session) {
		closed = true
		s.close(why)
	})
	if err != nil {
		return false, err
	}
	return closed, nil
}

// onSession calls do with the session of that id, on its loop, if it is on this
// node.
func (h *Hub) onSession(ctx context.Context, app *apps.App, id protocol.SocketID, do func(*Session)) error {
	t := h.tenant(app)
	found := make([]*Session, h.cfg.Loops.Len())
	err := h.inspect(ctx, &t.everyone.mu, &t.everyone.audience, func(loop int, st *seat) {
		if st.session.id == id && !st.session.ended {
			found[loop] = st.session
		}
	})
	if err != nil {
		return err
	}
	for loop, s := range found {
		if s == nil {
			continue
		}
		done := make(chan struct{})
		h.cfg.Loops.Post(loop, func(int) {
			defer close(done)
			if !s.ended && ctx.Err() == nil {
				do(s)
			}
		}, inspectSlice)
		select {
		case <-done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
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

// CountConnections counts the connections on this node that q means, by what they
// have in common.
func (h *Hub) CountConnections(ctx context.Context, app *apps.App, q ConnectionQuery, by Grouping) (map[string]int, error) {
	mu, a := q.audience(h.tenant(app))
	if a == nil {
		return nil, nil
	}
	counts := make([]map[string]int, h.cfg.Loops.Len())
	err := h.inspect(ctx, mu, a, func(loop int, st *seat) {
		if !q.matches(st.session) {
			return
		}
		if counts[loop] == nil {
			counts[loop] = make(map[string]int)
		}
		counts[loop][st.session.group(by)]++
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

// group is what a session is counted under.
func (s *Session) group(by Grouping) string {
	v := &s.tenant.hub.visitors
	switch by {
	case ByOrigin:
		return v.origins.Text(s.visitor.origin)
	case ByLibrary:
		return strings.TrimSpace(strings.Replace(v.libraries.Text(s.visitor.library), "\x00", " ", 1))
	case ByTransport:
		return v.transports.Text(s.visitor.transport)
	}
	return s.userID()
}
