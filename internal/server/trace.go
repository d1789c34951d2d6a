package server

import (
	"reflect"
	"strings"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/survey"
	"github.com/belfryhq/belfry/internal/tap"
	"github.com/belfryhq/belfry/internal/trace"
)

// A tracing is who is told of what happens to apps.
type tracing struct {
	logs trace.Logs
	taps *tap.Taps
}

// app returns where what happens to an app is written.
func (t *tracing) app(id string) hub.Tracer { return t.logs.App(id) }

// openTracing begins to tell of what happens to apps, to whoever wants to know.
func (s *Server) openTracing(registry *apps.Registry) {
	s.tracing.taps = tap.New(tap.Config{
		Logs:  &s.tracing.logs,
		Known: func(id string) bool { return registry.ByID(id) != nil },
		Node:  s.name,
		Peers: func() survey.Peers { return nil },
		Log:   s.log,
	})
	registry.Watch(s.tracing.appChanged)
	s.onStop("taps", s.tracing.taps.Close)
}

// appChanged tells of a change of an app's settings.
func (t *tracing) appChanged(c apps.Change) {
	switch {
	case c.Old == nil:
		return
	case c.New == nil:
		t.logs.App(c.Old.ID).Trace(trace.Record{Kind: trace.ConfigChange, Text: "The app was deleted."})
		t.logs.Forget(c.Old.ID)
	default:
		if l := t.logs.App(c.New.ID); l.Wants(trace.ConfigChange) != trace.Nothing {
			l.Trace(trace.Record{Kind: trace.ConfigChange, Text: changed(c.Old, c.New)})
		}
	}
}

// changed names what differs between two forms of an app, and tells no value: some
// are secret.
func changed(was, now *apps.App) string {
	var names []string
	for _, setting := range apps.Settings {
		if !reflect.DeepEqual(setting.Get(was), setting.Get(now)) {
			names = append(names, setting.Name)
		}
	}
	hooks, keys := *was, *was
	hooks.Webhooks, keys.Keys = now.Webhooks, now.Keys
	if !hooks.Same(was) {
		names = append(names, "webhooks")
	}
	if !keys.Same(was) {
		names = append(names, "keys")
	}
	if len(names) == 0 {
		return "The app was changed."
	}
	return "Changed: " + strings.Join(names, ", ") + "."
}
