package hub

import (
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/cluster/broker"
	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/cluster/peers"
	"github.com/belfryhq/belfry/internal/frame"
	"github.com/belfryhq/belfry/internal/trace"
	"github.com/belfryhq/belfry/protocol"
)

// A Tracer is told of everything that happens to one app: what an [Observer]
// hears, and also connections, subscriptions, events and refusals. Some of it is
// told under a lock of the hub: a tracer must not block and not call the hub.
// What is about one channel comes in the order in which it happened.
type Tracer interface {
	// Wants says whether anybody wants records of that kind. It is asked first,
	// and costs next to nothing.
	Wants(trace.Kind) trace.Want
	// Trace takes a record. For an event it may return where to count the
	// sockets that it is handed to.
	Trace(trace.Record) *trace.Tally
}

var _ Tracer = (*trace.Log)(nil)

// An Ending is how a connection ended, as its transport saw it.
type Ending = trace.Ending

// wants reports whether anybody wants records of that kind.
func (t *tenant) wants(k trace.Kind) bool { return t.tracer.Wants(k) != trace.Nothing }

// An outgoing event is on its way to an audience, here and at peers.
type outgoing struct {
	kind   trace.Kind
	number uint64 // of the event at its origin
	origin node.ID
	name   string // of the event; empty if it is that of another node
	socket protocol.SocketID
	user   string
	size   int // of its data
	frame  *frame.Frame
	except protocol.SocketID
	kept   bool // it has a place in the history of its channel
	serial uint64
	before uint64
	ticket uint64 // for waiting until it is kept durably; 0: it is not to be
}

// record is what is told of the event.
func (e *outgoing) record(channel string) trace.Record {
	return trace.Record{
		Kind: e.kind, ID: trace.ID{Node: e.origin, Number: e.number}, Channel: channel, Event: e.name,
		Socket: e.socket, User: e.user, Except: e.except, Frame: e.frame, Size: e.size,
	}
}

// A reach is how many get an event.
type reach struct {
	here, elsewhere int
	peers           peers.Set // those that it is sent to
}

// deliverEventLocked delivers an event that somebody triggered, here or elsewhere, to
// its audience here, and tells of it. The shard's lock is held.
func (t *tenant) deliverEventLocked(a *audience, e *outgoing, channel string, to reach) {
	d := delivery{to: a, frame: e.frame, except: e.except, event: true, meter: &t.meter}
	if t.wants(e.kind) {
		d.tally = t.traceEventLocked(a, e, channel, to)
	}
	t.hub.startLocked(d)
}

// traceEventLocked tells of an event that is about to be delivered to an audience. The
// shard's lock is held.
func (t *tenant) traceEventLocked(a *audience, e *outgoing, channel string, to reach) *trace.Tally {
	r := e.record(channel)
	r.Order, r.Here, r.Elsewhere, r.Peers = a.last+1, a.size, to.elsewhere, t.hub.peers.IDs(to.peers)
	return t.tracer.Trace(r)
}

// traceUnheardLocked tells of an event that nobody gets. The shard's lock is
// held.
func (t *tenant) traceUnheardLocked(sh *shard, channel string, e *outgoing) {
	if !t.wants(e.kind) {
		return
	}
	sh.order++
	r := e.record(channel)
	r.Order = sh.order
	t.tracer.Trace(r)
}

// traceNewsLocked tells of what the observer hears, as far as it is not told already.
// The shard's lock is held.
func (t *tenant) traceNewsLocked(n News) {
	r := trace.Record{Channel: n.Channel, User: n.UserID}
	switch n.Kind {
	case apps.ChannelOccupied:
		r.Kind = trace.Occupied
	case apps.ChannelVacated:
		r.Kind = trace.Vacated
	case apps.MemberAdded:
		r.Kind, r.Event = trace.PresenceEvent, "member_added"
	case apps.MemberRemoved:
		r.Kind, r.Event = trace.PresenceEvent, "member_removed"
	case apps.CacheMiss:
		r.Kind = trace.CacheMiss
	default:
		return
	}
	if t.wants(r.Kind) {
		t.tracer.Trace(r)
	}
}

// traceConnected tells of a client that has got a session.
func (s *Session) traceConnected(r Request, key string) {
	if s.tenant.wants(trace.Connected) {
		s.tenant.tracer.Trace(trace.Record{Kind: trace.Connected, Socket: s.id, Client: r.client(key)})
	}
}

// traceRefused tells of a client that has got none.
func traceRefused(tracer Tracer, r Request, why *protocol.Error) {
	if tracer.Wants(trace.ConnectionRefused) != trace.Nothing {
		key, _ := appKey(r.Path)
		tracer.Trace(trace.Record{Kind: trace.ConnectionRefused, Code: int(why.Code), Text: why.Message, Client: r.client(key)})
	}
}

// client is what the request says of who connects.
func (r Request) client(key string) *trace.Client {
	library := r.Query.Get("client")
	if v := r.Query.Get("version"); v != "" {
		library += " " + v
	}
	c := &trace.Client{Key: key, Transport: r.Transport, Library: library, Origin: r.Origin, TLS: r.Secure}
	if r.Address.IsValid() {
		c.Address = r.Address.String()
	}
	return c
}

// traceSubscribedLocked tells of the beginning of a subscription. The shard's lock is
// held.
func (t *tenant) traceSubscribedLocked(sub *subscription) {
	t.traceSubscriptionLocked(trace.Subscribed, sub, sub.since)
}

// traceUnsubscribedLocked tells of its end. The shard's lock is held.
func (t *tenant) traceUnsubscribedLocked(sub *subscription) {
	t.traceSubscriptionLocked(trace.Unsubscribed, sub, sub.channel.last)
}

func (t *tenant) traceSubscriptionLocked(k trace.Kind, sub *subscription, order uint64) {
	if !t.wants(k) {
		return
	}
	user := sub.userID
	if id := sub.session.identity; user == "" && id != nil {
		user = id.data.ID
	}
	t.tracer.Trace(trace.Record{Kind: k, Socket: sub.session.id, Channel: sub.channel.name, User: user, Order: order})
}

// traceError tells of a message of the client that was refused.
func (s *Session) traceError(message, channel string, why *protocol.Error) {
	if s.tenant.wants(trace.ClientError) {
		s.tenant.tracer.Trace(trace.Record{
			Kind: trace.ClientError, Socket: s.id, User: s.userID(), Event: message, Channel: channel,
			Code: int(why.Code), Text: why.Message,
		})
	}
}

// userID is whom the client is signed in as, or empty.
func (s *Session) userID() string {
	if s.identity == nil {
		return ""
	}
	return s.identity.data.ID
}

// traceSignedIn tells that the client is signed in.
func (s *Session) traceSignedIn() {
	if s.tenant.wants(trace.SignedIn) {
		s.tenant.tracer.Trace(trace.Record{Kind: trace.SignedIn, Socket: s.id, User: s.userID(), Order: s.identity.connection.since})
	}
}

// fewChannels is how many channels of a session that has ended are named.
const fewChannels = 10

// traceEnded tells that the session has ended.
func (s *Session) traceEnded(how Ending) {
	t := s.tenant
	if how.Slow && t.wants(trace.SlowClosed) {
		t.tracer.Trace(trace.Record{Kind: trace.SlowClosed, Socket: s.id, User: s.userID(), Code: int(how.Code), Ending: &how})
	}
	if !t.wants(trace.Disconnected) {
		return
	}
	how.Lasted = time.Since(time.Unix(0, s.began))
	r := trace.Record{Kind: trace.Disconnected, Socket: s.id, User: s.userID(), Code: int(how.Code), Ending: &how, Count: s.subs.Len()}
	for sub := range s.subs.All() {
		if r.Channels = append(r.Channels, trace.Short(sub.channel.name)); len(r.Channels) == fewChannels {
			break
		}
	}
	t.tracer.Trace(r)
}

// traceUser tells of something that happened to a user.
func (t *tenant) traceUser(k trace.Kind, user, event string) {
	if t.wants(k) {
		t.tracer.Trace(trace.Record{Kind: k, User: user, Event: event})
	}
}

// traceDropped tells of an event of a peer that was not delivered.
func (t *tenant) traceDropped(m *broker.Message, from node.ID) {
	channel := m.Name
	if m.Kind == broker.UserEvent {
		channel = protocol.UserChannel(m.Name)
	}
	if t.wants(trace.Error) {
		t.tracer.Trace(trace.Record{
			Kind: trace.Error, Channel: channel, ID: trace.ID{Node: from, Number: m.Number},
			Text: "An event of another node was not delivered here: this node had too much to do.",
		})
	}
}
