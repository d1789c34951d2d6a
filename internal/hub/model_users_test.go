package hub

import (
	"fmt"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/protocol"
)

func (w *world) signIn(p *person) {
	m := occupant{w.anyUser(), w.anyInfo(), 1}
	watches := rapid.SliceOfNDistinct(rapid.SampledFrom(modelUsers), 0, 3, rapid.ID).Draw(w.t, "watchlist")
	data := strings.TrimSuffix(m.data("id"), "}") + `,"watchlist":["` + strings.Join(watches, `","`) + `"]}`
	if len(watches) == 0 {
		data = m.data("id")
	}
	p.client.signIn(data)
	if p.user != "" && p.user != m.id {
		p.tell(complaint(protocol.ErrOtherUser))
		return
	}
	if !w.online(m.id) {
		w.tellWatchers(m.id, online(m.id))
	}
	p.user, p.info, p.watches = m.id, m.info, watches
	p.tell(signedIn(data))
	if len(watches) > 2 {
		p.watches = watches[:2]
		p.tell(complaint(protocol.WatchlistLimit(2)))
	}
	var on, off []string
	for _, id := range p.watches {
		if w.online(id) {
			on = append(on, id)
		} else {
			off = append(off, id)
		}
	}
	switch {
	case len(on) > 0 && len(off) > 0:
		p.tell(both(on, off))
	case len(on) > 0:
		p.tell(online(on...))
	case len(off) > 0:
		p.tell(offline(off...))
	}
}

// askForUser subscribes to the channel of a user, or unsubscribes.
func (w *world) askForUser(p *person) {
	channel := protocol.UserChannel(w.anyUser())
	own := p.user != "" && channel == protocol.UserChannel(p.user)
	if rapid.Bool().Draw(w.t, "unsubscribe") {
		p.client.unsubscribe(channel)
		if !own || !p.asked {
			p.tell(complaint(protocol.NoSubscription(channel)))
			return
		}
		p.asked = false
		return
	}
	p.client.subscribe(channel)
	switch {
	case !own:
		p.tell(complaint(protocol.OtherUsersChannel(channel)), subscriptionError(channel, "AuthError", 401))
	case p.asked:
		p.tell(complaint(protocol.ExistingSubscription(channel)))
	default:
		p.asked = true
		p.tell(succeeded(channel))
	}
}

// excepted draws who does not get an event: a client or nobody.
func (w *world) excepted() []*client {
	i := rapid.IntRange(-1, len(w.clients)-1).Draw(w.t, "except")
	if i < 0 {
		return nil
	}
	return []*client{w.clients[i].client}
}

func (w *world) trigger(name string) {
	except := w.excepted()
	data := fmt.Sprint(rapid.IntRange(0, 99).Draw(w.t, "data"))
	w.node.trigger(name, "e", data, except...)
	f := "e @" + name + " " + data
	ch := w.channels[name]
	if protocol.KindOf(name).Cache() {
		ch.cached = f
		w.report(CacheFilled, name)
	}
	for p := range ch.subs {
		if !slices.Contains(except, p.client) {
			p.tell(f)
		}
	}
}

func (w *world) triggerUser(id string) {
	except := w.excepted()
	w.node.trigger(protocol.UserChannel(id), "e", "d", except...)
	for _, p := range w.clients {
		if p.user == id && !slices.Contains(except, p.client) {
			p.tell("e @" + protocol.UserChannel(id) + " d")
		}
	}
}

func (w *world) clientEvent(p *person, name string) {
	p.receive(`{"event":"client-e","channel":%q,"data":"d"}`, name)
	ch := w.channels[name]
	id, on := ch.subs[p]
	switch {
	case !protocol.KindOf(name).ClientEvents():
		p.tell(complaint(protocol.ErrClientEventChannel))
		return
	case !on:
		p.tell(complaint(protocol.NotSubscribed(name)))
		return
	}
	w.report(apps.ClientEvent, name, id, "client-e", `"d"`, p.session.ID().String())
	f := "client-e @" + name + " d"
	if id != "" {
		f += " by " + id
	}
	for q := range ch.subs {
		if q != p {
			q.tell(f)
		}
	}
}

func (w *world) terminate(user string) {
	w.compare() // the sessions that end are compared no more
	w.node.hub.Terminate(w.node.app, user)
	w.node.loops.run()
	for _, p := range slices.Clone(w.clients) {
		if p.user != user {
			continue
		}
		p.expectClosed(protocol.ErrTerminated)
		// What it was told before its end depends on who ended first.
		w.forget(p)
	}
}

// A gazette is an observer that keeps what it heard.
type gazette []string

func (g *gazette) Observe(_ *apps.App, n News) {
	switch n.Kind {
	case apps.SubscriptionCount:
		*g = append(*g, printed(n.Kind, n.Channel, fmt.Sprint(n.Subscriptions)))
	case apps.MemberAdded, apps.MemberRemoved:
		*g = append(*g, printed(n.Kind, n.Channel, n.UserID))
	case apps.ClientEvent:
		*g = append(*g, printed(n.Kind, n.Channel, n.UserID, n.Event, string(n.Data), n.Socket.String()))
	default:
		*g = append(*g, printed(n.Kind, n.Channel))
	}
}

// report expects news.
func (w *world) report(k apps.WebhookEvents, channel string, more ...string) {
	w.news = append(w.news, printed(k, channel, more...))
}

func printed(k apps.WebhookEvents, channel string, more ...string) string {
	return fmt.Sprintf("%d %s %q", k, channel, more)
}
