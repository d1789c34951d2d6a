package httpapi

import (
	"strings"

	"github.com/belfryhq/belfry/internal/rawjson"
	"github.com/belfryhq/belfry/internal/trace"
)

// traceRefusal tells of a request that was refused, if it is about an app
// that there is. That is the one that has signed it or, if nobody has, the
// one whose key it names.
func (a *api) traceRefusal(c *call, ans answer) {
	if a.tracer == nil {
		return
	}
	key, _ := c.param("auth_key")
	app := c.app
	if app == nil {
		if app = a.apps.ByKey(key); app == nil || !c.names(app) {
			return
		}
	}
	tracer := a.tracer(app.ID)
	if tracer.Wants(trace.APIError) == trace.Nothing {
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
