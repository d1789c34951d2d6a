package webhook

import (
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/hub"
)

var _ hub.Observer = (*Sender)(nil)

// Observe takes news from the hub. It does nothing for apps without webhooks,
// and little for news that no endpoint wants.
func (s *Sender) Observe(app *apps.App, n hub.News) {
	if len(app.Webhooks) == 0 {
		return
	}
	r := s.recorder
	switch n.Kind {
	case hub.ChannelOccupied, hub.ChannelVacated:
		if wanted(app, apps.ChannelOccupied|apps.ChannelVacated, n.Channel) {
			r.turn(app, place{app.ID, n.Channel, "", false}, n, n.Kind == hub.ChannelVacated)
		}
	case hub.MemberAdded, hub.MemberRemoved:
		if wanted(app, apps.MemberAdded|apps.MemberRemoved, n.Channel) {
			r.turn(app, place{app.ID, n.Channel, n.UserID, true}, n, n.Kind == hub.MemberRemoved)
		}
	case hub.CacheMiss, hub.CacheFilled:
		if wanted(app, apps.CacheMiss, n.Channel) {
			r.cache(app, n)
		}
	default:
		if wanted(app, kinds[n.Kind].set, n.Channel) {
			now := time.Now()
			e := newEvent(n, now)
			r.mu.Lock()
			r.emitLocked(app, n.Kind, e)
			r.mu.Unlock()
		}
	}
}

func wanted(app *apps.App, events apps.WebhookEvents, channel string) bool {
	for i := range app.Webhooks {
		if app.Webhooks[i].Wants(events, channel) {
			return true
		}
	}
	return false
}

// turn is a change of a state that is damped: a channel has become empty or a
// member absent, which may not last, or the opposite.
func (r *recorder) turn(app *apps.App, p place, n hub.News, gone bool) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case gone && r.grace.delay > 0:
		if r.grace.begin(p, n.Kind, now) {
			signal(r.waits)
		}
	case !gone && r.grace.cancel(p):
		r.sender.metrics.damped.Inc()
	default:
		r.emitLocked(app, n.Kind, newEvent(n, now))
	}
}

// missEvery is how long a channel's second cache miss is no news, unless there
// was a cached event in between.
const missEvery = 5 * time.Second

// cache is a cache miss, or the end of it.
func (r *recorder) cache(app *apps.App, n hub.News) {
	now := time.Now()
	p := place{app: app.ID, channel: n.Channel}
	r.mu.Lock()
	defer r.mu.Unlock()
	if n.Kind == hub.CacheFilled {
		r.misses.cancel(p)
		return
	}
	if r.misses.has(p) {
		return
	}
	if r.misses.begin(p, n.Kind, now) {
		signal(r.waits)
	}
	r.emitLocked(app, n.Kind, newEvent(n, now))
}

// emitLocked puts an event into the outboxes of the endpoints that want it.
// r.mu is held.
func (r *recorder) emitLocked(app *apps.App, kind hub.NewsKind, e event) {
	r.numbers++
	e.id = eventID{r.origin, r.numbers}
	if e.size() > maxEvent {
		r.sender.metrics.lost(lostTooLarge, 1)
		r.sender.log.Error("event is too large for a webhook and was dropped", "app", app.ID, "channel", e.channel, "bytes", len(e.body))
		return
	}
	boxes := r.boxesLocked(app)
	for i := range app.Webhooks {
		if app.Webhooks[i].Wants(kinds[kind].set, e.channel) {
			r.putLocked(boxes[i], e)
			r.sender.metrics.created[kind].Inc()
		}
	}
}
