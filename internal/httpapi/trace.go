package httpapi

import (
	"strings"

	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/rawjson"
	"github.com/belfryhq/belfry/internal/trace"
)

// traceRefusal tells of a request that was refused. It is about the app that has
// signed it or, if nobody has, the one whose key it names.
func (a *Handler) traceRefusal(c *call, ans answer) {
	key, _ := c.param("auth_key")
	tracer := a.tracerOf(c, key)
	if tracer == nil || tracer.Wants(trace.APIError) == trace.Nothing {
		return
	}
	library := c.r.Header.Get("X-Pusher-Library")
	if library == "" {
		library = c.r.UserAgent()
	}
	event, channel := c.about()
	tracer.Trace(trace.Record{
		Kind: trace.APIError, Code: ans.status, Event: event, Channel: channel,
		Text:   c.r.Method + " " + a.rest(c.path) + ": " + strings.TrimSpace(string(ans.body)),
		Client: &trace.Client{Key: key, Library: library},
	})
}

// tracerOf returns who is told of a refused request: about the app that has signed
// it or, if nobody has, the one whose key it names. Whatever names a key and no app
// that there is comes from a stranger; other requests are none of ours.
func (a *Handler) tracerOf(c *call, key string) hub.Tracer {
	app := c.app
	if app == nil {
		app = a.apps.ByKey(key)
		if app != nil && !c.names(app) {
			app = nil
		}
	}
	switch {
	case app != nil && a.tracer != nil:
		return a.tracer(app.ID)
	case app == nil && key != "" && a.strangers != nil:
		return a.strangers
	}
	return nil
}

// about is the event that a request would have triggered, as far as that can be
// read, and its first channel.
func (c *call) about() (event, channel string) {
	if c.route == routeChannelEvents {
		channel = c.target
	}
	var f fields
	if c.route == nil || len(c.body) == 0 || rawjson.Object(c.body, f.set) != nil {
		return "", channel
	}
	event, _ = rawjson.String(f.name)
	if f.channel != nil {
		channel, _ = rawjson.String(f.channel)
	}
	if f.channels != nil && channel == "" {
		_ = rawjson.Array(f.channels, func(element []byte) {
			if channel == "" {
				channel, _ = rawjson.String(element)
			}
		})
	}
	return event, channel
}
