package httpapi

import (
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/rate"
)

// Limits hold how much backends have asked for lately, for apps that limit it.
// The zero value is that of a node that is alone.
type Limits struct {
	// Share tells other nodes what was admitted here; it must be set before
	// the first request. Nil means that there are none.
	Share func(appID string, events, reads int)

	byApp sync.Map // app id → *appLimits
}

// Spent notes what other nodes have admitted. What is more than the app's
// limit is owed, so that in the long run all nodes together keep to it; for a
// moment each may admit a second's worth before it hears of the others.
func (l *Limits) Spent(app *apps.App, events, reads int) {
	now := time.Now()
	if n := app.Limits.BackendEventsPerSecond; n > 0 && events > 0 {
		l.of(app).events.Owe(now, events, rate.PerSecond(n))
	}
	if n := app.Limits.ReadRequestsPerSecond; n > 0 && reads > 0 {
		l.of(app).reads.Owe(now, reads, rate.PerSecond(n))
	}
}

func (l *Limits) share(appID string, events, reads int) {
	if l.Share != nil {
		l.Share(appID, events, reads)
	}
}

// appLimits are those of one app.
type appLimits struct{ events, reads rate.Limiter }

// of returns the limits of an app.
func (l *Limits) of(app *apps.App) *appLimits {
	if found, ok := l.byApp.Load(app.ID); ok {
		return found.(*appLimits)
	}
	found, _ := l.byApp.LoadOrStore(app.ID, new(appLimits))
	return found.(*appLimits)
}

// appChanged forgets an app that is gone, or that has no limits any more.
func (l *Limits) appChanged(c apps.Change) {
	if c.New == nil {
		l.byApp.Delete(c.Old.ID)
	} else if c.New.Limits.BackendEventsPerSecond == 0 && c.New.Limits.ReadRequestsPerSecond == 0 {
		l.byApp.Delete(c.New.ID)
	}
}

// admitEvents refuses events beyond what the app may trigger. An event counts
// once for each of its channels.
func (a *api) admitEvents(c *call, n int) error {
	perSecond := c.app.Limits.BackendEventsPerSecond
	if perSecond <= 0 {
		return nil
	}
	err := a.take(&a.limits.of(c.app).events, n, perSecond)
	if err == nil {
		a.limits.share(c.app.ID, n, 0)
	}
	return err
}

// admitRead refuses requests beyond what the app may ask.
func (a *api) admitRead(c *call) error {
	perSecond := c.app.Limits.ReadRequestsPerSecond
	if perSecond <= 0 || c.route.triggers() {
		return nil
	}
	err := a.take(&a.limits.of(c.app).reads, 1, perSecond)
	if err == nil {
		a.limits.share(c.app.ID, 0, 1)
	}
	return err
}

func (a *api) take(l *rate.Limiter, n, perSecond int) error {
	wait, ok := l.Take(a.now(), n, rate.PerSecond(perSecond))
	if ok {
		return nil
	}
	return &statusError{
		status:  http.StatusTooManyRequests,
		message: "Too many requests.",
		header:  "Retry-After",
		value:   strconv.Itoa(int((wait + time.Second - 1) / time.Second)),
	}
}

// triggers reports whether the call triggers events, rather than asks for
// something or ends connections.
func (rt *route) triggers() bool {
	return rt == routeEvents || rt == routeBatch || rt == routeChannelEvents
}
