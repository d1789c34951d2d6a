package httpapi

import (
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/rate"
)

// limits hold how much backends have asked for lately, for apps that limit it.
type limits struct {
	byApp sync.Map // app id → *appLimits
}

// appLimits are those of one app.
type appLimits struct{ events, reads rate.Limiter }

// of returns the limits of an app.
func (l *limits) of(app *apps.App) *appLimits {
	if found, ok := l.byApp.Load(app.ID); ok {
		return found.(*appLimits)
	}
	found, _ := l.byApp.LoadOrStore(app.ID, new(appLimits))
	return found.(*appLimits)
}

// appChanged forgets an app that is gone, or that has no limits any more.
func (l *limits) appChanged(c apps.Change) {
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
	return a.take(&a.limits.of(c.app).events, n, perSecond)
}

// admitRead refuses requests beyond what the app may ask.
func (a *api) admitRead(c *call) error {
	perSecond := c.app.Limits.ReadRequestsPerSecond
	if perSecond <= 0 || c.route.triggers() {
		return nil
	}
	return a.take(&a.limits.of(c.app).reads, 1, perSecond)
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
