package hub

import (
	"context"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/frame"
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

// Trigger delivers e to the sessions on the channels, of which each is named
// once and valid, but for one socket, which may be zero. A channel name made
// by [protocol.UserChannel] means the connections of that user. If the node
// has too much to do, Trigger waits, and returns [ErrOverloaded] if ctx ends
// first; then nothing was delivered. When it returns, whoever subscribes to a
// cache channel finds the event, on whichever node.
func (h *Hub) Trigger(ctx context.Context, app *apps.App, channels []string, e Event, except protocol.SocketID) error {
	if h.cfg.Loops.Admit(ctx) != nil {
		return ErrOverloaded
	}
	t := h.tenant(app)
	caches := false
	for _, name := range channels {
		caches = t.trigger(name, e, except) || caches
	}
	if caches {
		h.peers.await(ctx)
	}
	t.meter.backend.Add(uint64(len(channels)))
	h.metrics.backendEvents.Inc()
	return nil
}

// TriggerBatch does the same for several events, in their order.
func (h *Hub) TriggerBatch(ctx context.Context, app *apps.App, batch []Targeted) error {
	if h.cfg.Loops.Admit(ctx) != nil {
		return ErrOverloaded
	}
	t := h.tenant(app)
	caches := false
	for _, e := range batch {
		caches = t.trigger(e.Channel, e.Event, e.Except) || caches
	}
	if caches {
		h.peers.await(ctx)
	}
	t.meter.backend.Add(uint64(len(batch)))
	h.metrics.backendEvents.Add(float64(len(batch)))
	return nil
}

// trigger delivers an event here and at the peers, and reports whether the
// peers remember it.
func (t *tenant) trigger(name string, e Event, except protocol.SocketID) (cached bool) {
	if id, ok := protocol.UserOf(name); ok {
		t.triggerUser(id, name, e, except)
		return false
	}
	kind := protocol.KindOf(name)
	sh := t.shard(name)
	if !kind.Cache() && !sh.has(name) {
		return false // not worth encoding
	}
	f := frame.Text(func(b []byte) []byte { return protocol.AppendEvent(b, e.Name, name, e.Data, "") })
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if kind.Cache() {
		ch := sh.open(name, kind)
		stamp := t.hub.peers.stamp()
		ch.remember(f, e.Data, t.app().Limits.CacheTTL, stamp)
		t.tell(News{Kind: CacheFilled, Channel: name})
		t.deliver(&ch.audience, f, except)
		t.publishCached(ch, except)
		return true
	}
	if ch := sh.channels[name]; ch != nil {
		t.deliver(&ch.audience, f, except)
		t.publish(ch, f, except)
	}
	return false
}

func (sh *shard) has(name string) bool {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.channels[name] != nil
}

// relay delivers a client's event to the other sessions on the channel. Data is
// the event's, as a JSON string literal.
func (t *tenant) relay(sub *subscription, event string, data []byte) {
	f := frame.Text(func(b []byte) []byte {
		return protocol.AppendEvent(b, event, sub.channel.name, data, sub.userID)
	})
	sh := t.shard(sub.channel.name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	t.deliver(&sub.channel.audience, f, sub.session.id)
	t.publish(sub.channel, f, sub.session.id)
	t.tell(News{Kind: apps.ClientEvent, Channel: sub.channel.name, UserID: sub.userID,
		Event: event, Data: data, Socket: sub.session.id})
}
