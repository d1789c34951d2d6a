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
	Share func(appID string, r apps.Rate, n int)

	byApp sync.Map // app id → *appLimits
}

// Spent notes what other nodes have admitted. What is more than the app's
// limit is owed, so that in the long run all nodes together keep to it. For
// a moment each may admit a second's worth before it hears of the others.
func (l *Limits) Spent(app *apps.App, r apps.Rate, n int) {
	if perSecond := app.Limits.PerSecond(r); perSecond > 0 {
		l.of(app)[r].Owe(time.Now(), n, rate.PerSecond(perSecond))
	}
}

// appLimits are those of one app.
type appLimits [apps.Rates]rate.Limiter

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
		return
	}
	for r := range apps.Rates {
		if c.New.Limits.PerSecond(r) > 0 {
			return
		}
	}
	l.byApp.Delete(c.New.ID)
}

// admitRead refuses requests beyond what the app may ask.
func (a *Handler) admitRead(c *call) error {
	if c.route.triggers() {
		return nil
	}
	return a.admit(c, apps.ReadRequests, 1)
}

// admit refuses what is beyond a rate of the app.
func (a *Handler) admit(c *call, r apps.Rate, n int) error {
	perSecond := c.app.Limits.PerSecond(r)
	if perSecond == 0 || c.admitted {
		return nil
	}
	wait, ok := a.limits.of(c.app)[r].Take(a.now(), n, rate.PerSecond(perSecond))
	if ok {
		c.admitted = true
		if a.limits.Share != nil {
			a.limits.Share(c.app.ID, r, n)
		}
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
