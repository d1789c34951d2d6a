package httpapi

import (
	"errors"
	"iter"
	"net/http"
	"strings"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/protocol"
)

// errWouldWait is why a hasty call has done nothing.
var errWouldWait = errors.New("httpapi: the call would have to wait")

// over is closed: the time of a hasty call is over when it begins.
var over = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// ServeHasty answers a request like ServeHTTP, but it never waits. If it would
// have to, nothing has happened and nothing is written yet, and it returns what
// does the rest, and may wait. Calls that ask for something are put off as well:
// the more there is to tell, the longer they take.
func (a *Handler) ServeHasty(w http.ResponseWriter, r *http.Request) (rest func()) {
	if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "events") {
		return func() { a.ServeHTTP(w, r) }
	}
	c := a.calls.Get().(*call)
	c.r, c.began, c.hasty = r, a.now(), true
	ans, err := a.serve(c)
	if !errors.Is(err, errWouldWait) {
		a.conclude(w, c, ans, err)
		return nil
	}
	c.hasty = false
	return func() {
		ans, err := c.route.serve(a, c) // all before it is done, and said once
		a.conclude(w, c, ans, err)
	}
}

// overloaded is the error of a hub that was given no time.
func (c *call) overloaded(err error) error {
	if c.hasty && errors.Is(err, hub.ErrOverloaded) {
		return errWouldWait
	}
	return err
}

// mayWait reports whether events on some channels may wait for others when they
// are delivered: for the engine, or until peers remember them.
func (a *Handler) mayWait(app *apps.App, channels iter.Seq[string]) bool {
	if app.History.Enabled && app.History.Durable {
		return true
	}
	if a.peers {
		for name := range channels {
			if protocol.KindOf(name).Cache() {
				return true
			}
		}
	}
	return false
}

// channelsOf yields the channels of events.
func channelsOf(events []hub.Targeted) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range events {
			if !yield(events[i].Channel) {
				return
			}
		}
	}
}
