package webhook

import (
	"time"

	"github.com/belfryhq/belfry/internal/hub"
)

// A place is what has a state that is damped: a channel, or a member of one.
type place struct {
	app, channel, user string
	member             bool
}

// A grace is places whose state has changed and may change back before it is
// news. All wait equally long, so they end in the order in which they began.
// The recorder's lock guards it.
type grace struct {
	delay   time.Duration
	waiting map[place]*wait
	order   []*wait // with those that were canceled
	head    int     // of order
}

// A wait is one place that waits.
type wait struct {
	place    place
	kind     hub.NewsKind
	until    time.Time
	canceled bool
}

func (g *grace) has(p place) bool { return g.waiting[p] != nil }

// begin makes p wait, unless it does already. It reports whether p is the
// first, so that the clock has to be set.
func (g *grace) begin(p place, kind hub.NewsKind, now time.Time) (first bool) {
	if g.waiting[p] != nil {
		return false
	}
	g.skip()
	if g.waiting == nil {
		g.waiting = make(map[place]*wait)
	}
	w := &wait{place: p, kind: kind, until: now.Add(g.delay)}
	g.waiting[p] = w
	g.order = append(g.order, w)
	return len(g.order)-g.head == 1
}

// cancel makes p wait no longer, and reports whether it did.
func (g *grace) cancel(p place) bool {
	w := g.waiting[p]
	if w == nil {
		return false
	}
	delete(g.waiting, p)
	w.canceled = true
	return true
}

// next returns when the next wait ends, or zero.
func (g *grace) next() time.Time {
	g.skip()
	if g.head == len(g.order) {
		return time.Time{}
	}
	return g.order[g.head].until
}

// due takes a wait that has ended, or returns nil.
func (g *grace) due(now time.Time) *wait {
	g.skip()
	if g.head == len(g.order) || g.order[g.head].until.After(now) {
		return nil
	}
	w := g.order[g.head]
	g.order[g.head] = nil
	g.head++
	delete(g.waiting, w.place)
	return w
}

// skip takes those that were canceled off the front, and gives memory back.
func (g *grace) skip() {
	for g.head < len(g.order) && g.order[g.head].canceled {
		g.order[g.head] = nil
		g.head++
	}
	if g.head == len(g.order) {
		g.order, g.head = nil, 0
	} else if g.head > 1024 && g.head > len(g.order)/2 {
		g.order = append([]*wait(nil), g.order[g.head:]...)
		g.head = 0
	}
}

// damp is the goroutine that ends waits. It looks often enough for a state to
// be news soon after its time, and costs nothing while nobody waits.
func (r *recorder) damp() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-r.quit:
			return
		case <-r.waits:
		case <-timer.C:
		}
		next := r.endWaits(time.Now(), false)
		if next.IsZero() {
			timer.Stop()
			continue
		}
		timer.Reset(max(time.Until(next), dampEvery))
	}
}

// dampEvery bounds how often waits are looked at.
const dampEvery = 10 * time.Millisecond

// endWaits emits what has become news, or all that waits, and returns when
// there will be more.
func (r *recorder) endWaits(now time.Time, all bool) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.misses.due(now) != nil {
		continue
	}
	if !r.draining || all {
		limit := now
		if all {
			limit = now.Add(r.grace.delay)
		}
		for w := r.grace.due(limit); w != nil; w = r.grace.due(limit) {
			if app := r.sender.cfg.Apps.ByID(w.place.app); app != nil {
				n := hub.News{Kind: w.kind, Channel: w.place.channel, UserID: w.place.user}
				r.emitLocked(app, w.kind, newEvent(n, now))
			}
		}
	}
	next := r.misses.next()
	if graced := r.grace.next(); !r.draining && !graced.IsZero() && (next.IsZero() || graced.Before(next)) {
		next = graced
	}
	return next
}
