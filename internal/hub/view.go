package hub

import (
	"context"
	"iter"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/visitor"
	"github.com/belfryhq/belfry/protocol"
)

// Operators look at sessions, of which there may be hundreds of thousands, and
// each belongs to its loop. So a question goes to the loops, which answer it in
// slices between their turns, and clients do not wait for it.

// VisitSlice is how many sessions a loop looks at in one turn.
const VisitSlice = 1000

// A Scope says which sessions are meant: the subscribers of a channel, or the
// connections of a user. The zero Scope is all of an app.
type Scope struct{ Channel, User string }

// Visit calls visit for each session of an app in that scope on this node, on its
// loop, and returns when that is done or ctx ends. A session that comes or goes
// meanwhile may be left out or be visited twice. Loops visit at the same time.
func (h *Hub) Visit(ctx context.Context, app *apps.App, of Scope, visit func(loop int, v View)) error {
	mu, a := of.audience(h.tenant(app))
	if a == nil {
		return nil
	}
	loops := h.cfg.Loops.Len()
	i := &inspection{hub: h, of: a, ctx: ctx, visit: visit, done: make(chan struct{}, loops)}
	asked := 0
	mu.Lock()
	for loop := range loops {
		if a.loops&(1<<loop) != 0 {
			asked++
			h.cfg.Loops.Post(loop, func(loop int) { i.slice(loop, -1) }, VisitSlice)
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

// audience returns the smallest audience that has all sessions of the scope, and
// its lock; nil if there are none.
func (of Scope) audience(t *tenant) (*sync.Mutex, *audience) {
	name := of.Channel
	if name == "" {
		name = of.User
	}
	if name == "" {
		return &t.everyone.mu, &t.everyone.audience
	}
	sh := t.shard(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if of.Channel != "" {
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
	visit func(loop int, v View)
	done  chan struct{} // gets one per loop
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
	stop := max(place-VisitSlice, 0)
	for _, st := range slices.Backward(r.seats[stop:place]) {
		if !st.session.ended {
			i.visit(loop, View{st})
		}
	}
	if stop == 0 {
		i.done <- struct{}{}
		return
	}
	i.hub.cfg.Loops.Post(loop, func(loop int) { i.slice(loop, stop) }, VisitSlice)
}

// VisitOne calls visit for the session of that id, on its loop, if it is on this
// node, and reports whether it is.
func (h *Hub) VisitOne(ctx context.Context, app *apps.App, id protocol.SocketID, visit func(View)) (found bool, err error) {
	at := make([]*Session, h.cfg.Loops.Len())
	err = h.Visit(ctx, app, Scope{}, func(loop int, v View) {
		if v.ID() == id {
			at[loop] = v.seat.session
		}
	})
	if err != nil {
		return false, err
	}
	for loop, s := range at {
		if s == nil {
			continue
		}
		visited := make(chan bool, 1)
		h.cfg.Loops.Post(loop, func(int) {
			there := !s.ended && ctx.Err() == nil
			if there {
				visit(View{&s.place})
			}
			visited <- there
		}, VisitSlice)
		select {
		case there := <-visited:
			found = found || there
		case <-ctx.Done():
			return false, context.Cause(ctx)
		}
	}
	return found, nil
}

// A View is a look at one session, from where it was found: as a subscriber, or
// among others. It may be used on the session's loop, during the call that it is
// given to.
type View struct{ seat *seat }

func (v View) visitors() *visitor.Table { return &v.seat.session.tenant.hub.visitors }

// ID is the session's socket id.
func (v View) ID() protocol.SocketID { return v.seat.session.id }

// Since is when its connection began.
func (v View) Since() time.Time { return time.Unix(0, v.seat.session.began) }

// Joined is since when it is where it was found.
func (v View) Joined() time.Time { return v.seat.session.tenant.hub.joinedAt(v.seat) }

// UserID is whom the client is signed in as, or empty.
func (v View) UserID() string { return v.seat.session.userID() }

// Address is the client's, or the zero Addr.
func (v View) Address() netip.Addr { return v.seat.session.visitor.Address() }

// Origin is that of the page that has connected, or empty.
func (v View) Origin() string { return v.visitors().Origin(v.seat.session.visitor) }

// Transport is how the client came.
func (v View) Transport() string {
	return v.visitors().Transport(v.seat.session.visitor)
}

// Library is what the client says that it is.
func (v View) Library() (name, version string) {
	return v.visitors().Library(v.seat.session.visitor)
}

// Protocol is the version that the client has named, or 0.
func (v View) Protocol() int { return v.seat.session.visitor.Protocol() }

// TLS reports whether the client came over TLS.
func (v View) TLS() bool { return v.seat.session.visitor.Secure() }

// Subscriptions is how many it has.
func (v View) Subscriptions() int { return v.seat.session.subs.Len() }

// Member is as whom it is on a presence channel, or empty.
func (v View) Member(channel string) string {
	if sub := v.seat.session.subs.Get(channel); sub != nil {
		return sub.userID
	}
	return ""
}

// A Subscription is what an operator is told of a subscription of a session.
type Subscription struct {
	Channel string
	Joined  time.Time
	Member  string // of a presence channel: as whom
}

// Channels yields the subscriptions, in no order.
func (v View) Channels() iter.Seq[Subscription] {
	return func(yield func(Subscription) bool) {
		for sub := range v.seat.session.subs.All() {
			if !yield(Subscription{sub.channel.name, v.seat.session.tenant.hub.joinedAt(&sub.seat), sub.userID}) {
				return
			}
		}
	}
}

// A Watched socket can say how its connection is. It is asked on its loop.
type Watched interface {
	// State returns how many bytes wait for the client, and when it has sent
	// something last.
	State() (waiting int, heard time.Time)
}

// State is that of the session's socket, if it can say it.
func (v View) State() (waiting int, heard time.Time, ok bool) {
	if w, ok := v.seat.session.socket.(Watched); ok {
		waiting, heard = w.State()
		return waiting, heard, true
	}
	return 0, time.Time{}, false
}

// Close tells the client why and ends the session.
func (v View) Close(why *protocol.Error) { v.seat.session.close(why) }

// age is for how long there is the hub, in tenths of a second.
func (h *Hub) age() uint32 { return uint32(time.Since(h.began) / (100 * time.Millisecond)) }

// joinedAt is when a session got its place, to a tenth of a second, and never
// before its connection began. It runs on the session's loop.
func (h *Hub) joinedAt(st *seat) time.Time {
	joined := h.began.Add(time.Duration(st.joined) * 100 * time.Millisecond).Round(0)
	if began := time.Unix(0, st.session.began); began.After(joined) {
		return began
	}
	return joined
}
