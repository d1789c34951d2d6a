package hub

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/protocol"
)

// A world is the specification in its simplest form: what is on which channel,
// and what everybody has to be told. The test does the same to a world and to
// a hub, and compares every frame.
type world struct {
	t        *rapid.T
	node     *testNode
	clients  []*person
	channels map[string]*place
	news     []string // that the observer has to hear
	heard    gazette
}

// A person is a client and what the world expects of it.
type person struct {
	*client
	want    []string
	user    string // signed in as
	info    string
	watches []string
	asked   bool // for the channel of the user
}

// A place is a channel. Its subscribers are in no order that matters.
type place struct {
	subs    map[*person]string // the member's id on presence channels
	members []occupant         // in the order of joining
	cached  string             // frame
}

type occupant struct {
	id, info string
	sockets  int
}

var (
	modelChannels = []string{"news", "cache-a", "private-a", "private-cache-a", "private-encrypted-a", "presence-a", "presence-cache-a"}
	modelUsers    = []string{"u", "v", "w"}
)

func modelApp() *apps.App {
	app := testApp()
	app.SubscriptionCount, app.WatchlistEvents = true, true
	app.Limits = apps.Limits{PresenceMembers: 2, ChannelsPerConnection: 3, Watchlist: 2}
	return app
}

func newWorld(t *rapid.T) *world {
	w := &world{t: t, channels: make(map[string]*place)}
	w.node = newNodeWith(t, Config{Observer: &w.heard}, modelApp())
	now := time.Now()
	w.node.now = func() time.Time { now = now.Add(time.Second); return now } // no complaint is too much
	for _, name := range modelChannels {
		w.channels[name] = &place{subs: make(map[*person]string)}
	}
	return w
}

func TestHubDoesWhatTheModelDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		t.Repeat(map[string]func(*rapid.T){
			"connect":      func(*rapid.T) { w.connect() },
			"end":          func(*rapid.T) { w.end(w.anybody()) },
			"subscribe":    func(*rapid.T) { w.subscribe(w.anybody(), w.anywhere()) },
			"join":         func(*rapid.T) { w.join(w.anybody(), w.anywhere()) },
			"subscribe2":   func(*rapid.T) { w.subscribe(w.anybody(), w.anywhere()) },
			"join2":        func(*rapid.T) { w.join(w.anybody(), w.anywhere()) },
			"forge":        func(*rapid.T) { w.forge(w.anybody(), w.anywhere()) },
			"unsubscribe":  func(*rapid.T) { w.unsubscribe(w.anybody(), w.anywhere()) },
			"sign in":      func(*rapid.T) { w.signIn(w.anybody()) },
			"ask for user": func(*rapid.T) { w.askForUser(w.anybody()) },
			"trigger":      func(*rapid.T) { w.trigger(w.anywhere()) },
			"to user":      func(*rapid.T) { w.triggerUser(w.anyUser()) },
			"client event": func(*rapid.T) { w.clientEvent(w.anybody(), w.anywhere()) },
			"terminate":    func(*rapid.T) { w.terminate(w.anyUser()) },
			"":             func(*rapid.T) { w.compare() },
		})
		for _, p := range slices.Clone(w.clients) {
			w.end(p)
		}
		w.compare()
		w.node.expectNothing()
	})
}

func (w *world) anybody() *person {
	if len(w.clients) == 0 {
		w.t.Skip("there is nobody")
	}
	return rapid.SampledFrom(w.clients).Draw(w.t, "client")
}

func (w *world) anywhere() string { return rapid.SampledFrom(modelChannels).Draw(w.t, "channel") }
func (w *world) anyUser() string  { return rapid.SampledFrom(modelUsers).Draw(w.t, "user") }
func (w *world) anyInfo() string {
	return rapid.SampledFrom([]string{"", `{"x":1}`, `{"y":1}`}).Draw(w.t, "info")
}

func (p *person) tell(frames ...string) { p.want = append(p.want, frames...) }

// compare holds what everybody got and what backends may ask against the world.
func (w *world) compare() {
	for _, p := range w.clients {
		p.expect(p.want...)
		p.expectClosed(nil)
		p.want = nil
	}
	w.node.loops.run()
	if !slices.Equal(w.heard, w.news) {
		w.t.Fatalf("the observer heard\n\t%q\nwant\n\t%q", w.heard, w.news)
	}
	w.heard, w.news = nil, nil
	if got := w.node.hub.Connections(); got != len(w.clients) {
		w.t.Fatalf("Connections() = %d, want %d", got, len(w.clients))
	}
	listed := make(map[string]ChannelState)
	w.node.hub.Channels(w.node.app, "", func(name string, s ChannelState) { listed[name] = s })
	for name, ch := range w.channels {
		want := ChannelState{Occupied: len(ch.subs) > 0, Subscriptions: len(ch.subs), Users: len(ch.members)}
		if got := w.node.hub.Channel(w.node.app, name); got != want || listed[name] != want {
			w.t.Fatalf("Channel(%q) = %+v, listed as %+v, want %+v", name, got, listed[name], want)
		}
		var ids []string
		for _, m := range ch.members {
			ids = append(ids, m.id)
		}
		if got := w.node.hub.Users(w.node.app, name); !slices.Equal(got, ids) {
			w.t.Fatalf("Users(%q) = %q, want %q", name, got, ids)
		}
		if _, got := w.node.hub.Cached(w.node.app, name); got != (ch.cached != "") {
			w.t.Fatalf("Cached(%q) is there: %t, want %t", name, got, !got)
		}
	}
}

func (w *world) connect() {
	if len(w.clients) == 6 {
		w.t.Skip("enough clients")
	}
	w.clients = append(w.clients, &person{client: w.node.connect()})
}

func (w *world) end(p *person) {
	p.session.End(Ending{})
	w.forget(p)
}

// forget is what the others see of the end of a client.
func (w *world) forget(p *person) {
	w.clients = slices.DeleteFunc(w.clients, func(q *person) bool { return p == q })
	for name, ch := range w.channels {
		if _, ok := ch.subs[p]; ok {
			w.left(p, name)
		}
	}
	if p.user != "" && !w.online(p.user) {
		w.tellWatchers(p.user, offline(p.user))
	}
	w.resort()
}

// resort makes the order of frames of different channels and users not matter
// where it is not promised: one end concerns many channels.
func (w *world) resort() {
	w.node.loops.run()
	for _, p := range w.clients {
		slices.Sort(p.got)
		slices.Sort(p.want)
	}
	slices.Sort(w.heard)
	slices.Sort(w.news)
}

func (w *world) online(user string) bool {
	return slices.ContainsFunc(w.clients, func(p *person) bool { return p.user == user })
}

func (w *world) tellWatchers(user, frame string) {
	for _, p := range w.clients {
		if slices.Contains(p.watches, user) {
			p.tell(frame)
		}
	}
}

// tellCount is the news of a channel's new size.
func (w *world) tellCount(name string) {
	ch := w.channels[name]
	if !protocol.KindOf(name).Presence() {
		w.report(apps.SubscriptionCount, name, fmt.Sprint(len(ch.subs)))
		for p := range ch.subs {
			p.tell(count(name, len(ch.subs)))
		}
	}
}

// left is the end of a subscription.
func (w *world) left(p *person, name string) {
	ch := w.channels[name]
	id := ch.subs[p]
	delete(ch.subs, p)
	if i := slices.IndexFunc(ch.members, func(m occupant) bool { return m.id == id }); i >= 0 {
		ch.members[i].sockets--
		if ch.members[i].sockets == 0 {
			ch.members = slices.Delete(ch.members, i, i+1)
			w.report(apps.MemberRemoved, name, id)
			for q := range ch.subs {
				q.tell(removed(name, id))
			}
		}
	}
	if len(ch.subs) == 0 {
		w.report(apps.ChannelVacated, name)
	}
	w.tellCount(name)
}

// entered is a subscription with a good token, of a member on presence
// channels.
func (w *world) entered(p *person, name string, m occupant) {
	ch := w.channels[name]
	subs := 0
	for _, other := range w.channels {
		if _, ok := other.subs[p]; ok {
			subs++
		}
	}
	if subs >= w.node.app.Limits.ChannelsPerConnection {
		p.tell(complaint(protocol.ErrTooManyChannels), subscriptionError(name, "LimitReached", 4004))
		return
	}
	success, id, first := succeeded(name), "", len(ch.subs) == 0
	isNew := false
	if protocol.KindOf(name).Presence() {
		id = m.id
		i := slices.IndexFunc(ch.members, func(o occupant) bool { return o.id == m.id })
		switch {
		case i >= 0:
			ch.members[i].info = m.info
			ch.members[i].sockets++
		case len(ch.members) == w.node.app.Limits.PresenceMembers:
			p.tell(complaint(protocol.ErrPresenceFull), subscriptionError(name, "LimitReached", 4004))
			return
		default:
			ch.members = append(ch.members, m)
			isNew = true
			for q := range ch.subs {
				q.tell(added(name, m.id, m.info))
			}
		}
		var all []string
		for _, o := range ch.members {
			all = append(all, o.id+"="+o.info)
		}
		success = snapshot(name, all...)
	}
	ch.subs[p] = id
	p.tell(success)
	if first {
		w.report(apps.ChannelOccupied, name)
	}
	if isNew {
		w.report(apps.MemberAdded, name, id)
	}
	if protocol.KindOf(name).Cache() && ch.cached != "" {
		p.tell(ch.cached)
	} else if protocol.KindOf(name).Cache() {
		p.tell(miss(name))
		w.report(apps.CacheMiss, name)
	}
	w.tellCount(name)
}

// subscribe has a token without channel_data.
func (w *world) subscribe(p *person, name string) {
	p.client.subscribe(name)
	if w.has(p, name) {
		return
	}
	if protocol.KindOf(name).Presence() && p.user == "" {
		p.tell(complaint(protocol.InvalidChannelData(protocol.ErrChannelDataMissing.Error())), subscriptionError(name, "AuthError", 401))
		return
	}
	w.entered(p, name, occupant{p.user, p.info, 1})
}

// join has a token with channel_data.
func (w *world) join(p *person, name string) {
	m := occupant{w.anyUser(), w.anyInfo(), 1}
	p.client.join(name, m.data("user_id"))
	if !w.has(p, name) {
		w.entered(p, name, m)
	}
}

func (m occupant) data(key string) string {
	if m.info == "" {
		return fmt.Sprintf(`{%q:%q}`, key, m.id)
	}
	return fmt.Sprintf(`{%q:%q,"user_info":%s}`, key, m.id, m.info)
}

// has expects a complaint if the client has the channel already.
func (w *world) has(p *person, name string) bool {
	_, ok := w.channels[name].subs[p]
	if ok {
		p.tell(complaint(protocol.ExistingSubscription(name)))
	}
	return ok
}

// forge has a wrong token.
func (w *world) forge(p *person, name string) {
	p.receive(`{"event":"pusher:subscribe","data":{"channel":%q,"auth":"key:00"}}`, name)
	switch {
	case w.has(p, name):
	case protocol.KindOf(name).Private():
		p.tell(complaint(protocol.InvalidSignature(protocol.ChannelText(p.session.ID(), name), "00")), subscriptionError(name, "AuthError", 401))
	default:
		w.entered(p, name, occupant{})
	}
}

func (w *world) unsubscribe(p *person, name string) {
	p.client.unsubscribe(name)
	if _, ok := w.channels[name].subs[p]; !ok {
		p.tell(complaint(protocol.NoSubscription(name)))
		return
	}
	w.left(p, name)
}
