package hub

import (
	"context"
	"slices"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/cluster/peers"
	"github.com/belfryhq/belfry/internal/frame"
	"github.com/belfryhq/belfry/internal/trace"
	"github.com/belfryhq/belfry/protocol"
)

// An Event is what a backend triggers.
type Event struct {
	Name string
	// Data is a JSON string literal, quotes included. It reaches clients as
	// these very bytes. The hub does not keep it.
	Data []byte
}

// A Targeted event is one of a batch.
type Targeted struct {
	Event
	Channel string
	Except  protocol.SocketID // may be zero
}

// A Receipt is what is known of events that were triggered when they are on
// their way.
type Receipt struct {
	// ID is that of the first. Those of a batch follow each other; an event has
	// one, on however many channels.
	ID     trace.ID
	Events int
	// Here and Elsewhere are how many subscriptions there were: on this node, and
	// on others as far as they had told.
	Here, Elsewhere int
}

// Trigger delivers e to the sessions on the channels, of which each is named
// once and valid, but for one socket, which may be zero. A channel name made
// by [protocol.UserChannel] means the connections of that user. If the node
// has too much to do, Trigger waits, and returns [ErrOverloaded] if ctx ends
// first; then nothing was delivered. When it returns, whoever subscribes to a
// cache channel finds the event, on whichever node.
//
// Where the history is durable, it returns [ErrNotWritable] if that can not be written, and
// nothing was delivered. It returns [ErrNotKept] if the engine has not taken what was
// delivered.
func (h *Hub) Trigger(ctx context.Context, app *apps.App, channels []string, e Event, except protocol.SocketID) (Receipt, error) {
	if h.cfg.Loops.Admit(ctx) != nil {
		return Receipt{}, ErrOverloaded
	}
	t := h.tenant(app)
	if t.durable() != nil && !t.ready(slices.ContainsFunc(channels, t.keeps)) {
		return Receipt{}, ErrNotWritable
	}
	b := batch{tenant: t, next: h.events.Add(1)}
	for _, name := range channels {
		b.trigger(name, e, except)
	}
	return b.receipt(1), b.finish(ctx, len(channels), 1)
}

// TriggerBatch does the same for several events, in their order.
func (h *Hub) TriggerBatch(ctx context.Context, app *apps.App, events []Targeted) (Receipt, error) {
	if h.cfg.Loops.Admit(ctx) != nil {
		return Receipt{}, ErrOverloaded
	}
	t := h.tenant(app)
	if t.durable() != nil && !t.ready(slices.ContainsFunc(events, func(e Targeted) bool { return t.keeps(e.Channel) })) {
		return Receipt{}, ErrNotWritable
	}
	many := uint64(len(events))
	b := batch{tenant: t, next: h.events.Add(many) - many}
	for _, e := range events {
		b.next++
		b.trigger(e.Channel, e.Event, e.Except)
	}
	return b.receipt(len(events)), b.finish(ctx, len(events), len(events))
}

// A batch is the events of one call on their way.
type batch struct {
	tenant          *tenant
	next            uint64 // number of the event that is triggered now
	cached          bool   // peers have to remember something
	here, elsewhere int    // see Receipt
	ticket          uint64 // of the last event that is kept durably; 0: none is
}

// finish returns when the peers remember what they have to, and the engine has what is
// durable, or ErrNotKept. It counts one event for each channel of the app's usage, and
// events of the node's metrics.
func (b *batch) finish(ctx context.Context, used, events int) error {
	h := b.tenant.hub
	if b.cached {
		h.peers.Await(ctx)
	}
	b.tenant.meter.backend.Add(uint64(used))
	h.metrics.backendEvents.Add(float64(events))
	return b.kept(ctx)
}

// receipt is that of the events, of which the last was triggered.
func (b *batch) receipt(events int) Receipt {
	first := b.next - uint64(events) + 1
	return Receipt{
		ID: trace.ID{Node: b.tenant.hub.cfg.Node, Number: first}, Events: events, Here: b.here, Elsewhere: b.elsewhere,
	}
}

// reached adds those who get an event on one channel.
func (b *batch) reached(r reach) {
	b.here += r.here
	b.elsewhere += r.elsewhere
}

// trigger delivers an event here and at the peers.
func (b *batch) trigger(name string, e Event, except protocol.SocketID) {
	if id, ok := protocol.UserOf(name); ok {
		b.triggerUser(id, name, e, except)
		return
	}
	t := b.tenant
	kind, sh, kept := protocol.KindOf(name), t.shard(name), t.keeps(name)
	want := trace.Nothing
	if !kind.Cache() && !kept {
		want = t.tracer.Wants(trace.APIMessage)
		if want == trace.Nothing && !sh.has(name) {
			return // nobody gets it, and it is not worth encoding
		}
	}
	out := b.outgoing(e, except)
	out.kept = kept
	if want == trace.Data {
		out.frame = e.plain(name)
	}
	if want == trace.Nothing || !t.unheard(sh, name, &out) {
		b.triggerChannel(kind, sh, name, e, &out)
	}
}

func (sh *shard) has(name string) bool {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.channels[name] != nil
}

// outgoing is an event of this call.
func (b *batch) outgoing(e Event, except protocol.SocketID) outgoing {
	return outgoing{
		kind: trace.APIMessage, number: b.next, origin: b.tenant.hub.cfg.Node,
		name: e.Name, size: max(len(e.Data)-len(`""`), 0), except: except,
	}
}

// placed is the frame of an event that has a place in a history.
func (e Event) placed(channel, publisher string) *frame.Frame {
	return frame.Text(func(b []byte) []byte {
		return protocol.AppendPlaced(b, e.Name, channel, e.Data, "", publisher)
	})
}

// plain is the frame of an event that has no place in a history.
func (e Event) plain(channel string) *frame.Frame {
	return frame.Text(func(b []byte) []byte { return protocol.AppendEvent(b, e.Name, channel, e.Data, "") })
}

// triggerUser delivers an event to a user's connections.
func (b *batch) triggerUser(id, channel string, e Event, except protocol.SocketID) {
	out := b.outgoing(e, except)
	out.frame = e.plain(channel)
	b.reached(b.tenant.triggerUser(id, channel, &out))
}

// triggerChannel delivers an event to a channel.
func (b *batch) triggerChannel(kind protocol.Kind, sh *shard, name string, e Event, out *outgoing) {
	t := b.tenant
	switch {
	case out.kept:
		out.frame = e.placed(name, string(out.origin))
		defer t.evict()
	case out.frame == nil:
		out.frame = e.plain(name)
	}
	sh.mu.Lock()
	defer sh.mu.Unlock()
	switch ch := sh.channels[name]; {
	case kind.Cache():
		b.triggerCachedLocked(sh.openLocked(name, kind), e.Data, out)
	case out.kept:
		b.reached(t.spreadLocked(sh.openLocked(name, kind), out))
		b.ticket = max(b.ticket, out.ticket)
	case ch != nil:
		b.reached(t.spreadLocked(ch, out))
	default: // the last has left meanwhile
		t.traceUnheardLocked(sh, name, out)
	}
}

// triggerCachedLocked is trigger for a channel that remembers its last event. The
// shard's lock is held.
func (b *batch) triggerCachedLocked(ch *channel, data []byte, e *outgoing) {
	t := b.tenant
	t.placeLocked(ch, e)
	stamp := t.hub.clock.Stamp()
	ch.rememberLocked(e.frame, data, t.app().Limits.CacheTTL, stamp)
	t.tellLocked(News{Kind: CacheFilled, Channel: ch.name})
	to := t.reachLocked(ch)
	to.peers = t.hub.peers.Present(peers.All) // each has to remember it
	t.deliverEventLocked(&ch.audience, e, ch.name, to)
	t.publishCachedLocked(ch, e)
	b.cached, b.ticket = true, max(b.ticket, e.ticket)
	b.reached(to)
}

// unheard reports whether nobody is on a channel, anywhere. If it is so, that is
// told.
func (t *tenant) unheard(sh *shard, name string, e *outgoing) bool {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.channels[name] != nil {
		return false
	}
	t.traceUnheardLocked(sh, name, e)
	return true
}

// spreadLocked delivers an event to a channel, here and at peers. The shard's
// lock is held.
func (t *tenant) spreadLocked(ch *channel, e *outgoing) reach {
	t.placeLocked(ch, e)
	to := t.reachLocked(ch)
	t.deliverEventLocked(&ch.audience, e, ch.name, to)
	t.publishLocked(ch, e, to.peers)
	return to
}

// reachLocked is who is on a channel. The shard's lock is held.
func (t *tenant) reachLocked(ch *channel) reach {
	others := t.hub.peers.Present(ch.elsewhere.By())
	return reach{here: ch.size, elsewhere: ch.elsewhere.Count(others), peers: others}
}

// relay delivers a client's event to the other sessions on the channel. Data is
// the event's, as a JSON string literal.
func (t *tenant) relay(sub *subscription, event string, data []byte) {
	id, channel := sub.session.id, sub.channel.name
	out := outgoing{
		kind: trace.ClientEvent, number: t.hub.events.Add(1), origin: t.hub.cfg.Node,
		name: event, size: max(len(data)-len(`""`), 0), socket: id, user: sub.userID, except: id,
		kept: t.keeps(channel),
	}
	out.frame = frame.Text(func(b []byte) []byte {
		if out.kept {
			return protocol.AppendPlaced(b, event, channel, data, sub.userID, string(t.hub.cfg.Node))
		}
		return protocol.AppendEvent(b, event, channel, data, sub.userID)
	})
	if out.kept {
		defer t.evict()
	}
	sh := t.shard(channel)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	t.spreadLocked(sub.channel, &out)
	t.tellLocked(News{Kind: apps.ClientEvent, Channel: channel, UserID: sub.userID, Event: event, Data: data, Socket: id})
}
