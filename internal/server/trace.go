package server

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/explain"
	"github.com/belfryhq/belfry/internal/faults"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/journal"
	"github.com/belfryhq/belfry/internal/listing"
	"github.com/belfryhq/belfry/internal/tap"
	"github.com/belfryhq/belfry/internal/trace"
	"github.com/belfryhq/belfry/internal/webhook/delivery"
	"github.com/belfryhq/belfry/protocol"
)

// A tracing is who is told of what happens to apps.
type tracing struct {
	logs      trace.Logs
	strangers trace.Logs // of who names no app that there is
	faults    *faults.Table
	taps      *tap.Taps
	journal   *journal.Journal // nil: there is none
	explainer *explain.Explainer
}

// app returns where what happens to an app is written.
func (t *tracing) app(id string) hub.Tracer { return t.logs.App(id) }

// openTracing begins to tell of what happens to apps, to whoever wants to know.
func (s *Server) openTracing(registry *apps.Registry) {
	s.tracing.taps = tap.New(tap.Config{
		Logs:  &s.tracing.logs,
		Known: func(id string) bool { return registry.ByID(id) != nil },
		Hides: func(id string) bool { app := registry.ByID(id); return app == nil || app.HidePayloads },
		Node:  s.name,
		Peers: s.peers,
		Log:   s.log,
	})
	if s.log.Enabled(context.Background(), slog.LevelDebug) {
		debug := trace.NewDebug(s.log, &s.tracing.logs, &s.tracing.strangers)
		s.onStop("debug log", debug.Close)
	}
	if s.cfg.Journal > 0 {
		s.tracing.journal = journal.New(s.cfg.Journal)
		s.tracing.logs.Attach(s.tracing.journal, s.tracing.journal.Interest())
	}
	s.tracing.explainer = explain.New(explain.Config{
		Memory: &explain.Memory{Node: s.id, Name: s.name, Began: s.since, Journal: s.tracing.journal, Waiting: s.waiting(registry)},
		Known:  func(id string) bool { return registry.ByID(id) != nil },
		Peers:  s.peers,
		Log:    s.log,
	})
	s.tracing.faults = faults.New(nil)
	s.tracing.logs.Attach(s.tracing.faults, faults.Wants)
	s.tracing.strangers.Attach(s.tracing.faults, faults.Wants)
	registry.Watch(s.tracing.appChanged)
	s.onStop("taps", s.tracing.taps.Close)
}

// waiting returns how much waits for a connection that is here now, or nil.
func (s *Server) waiting(registry *apps.Registry) func(ctx context.Context, app string, id protocol.SocketID) *explain.Waiting {
	return func(ctx context.Context, id string, socket protocol.SocketID) *explain.Waiting {
		app := registry.ByID(id)
		if app == nil {
			return nil
		}
		c, err := listing.Find(ctx, s.hub, app, socket, 0)
		if err != nil || c == nil {
			return nil
		}
		return &explain.Waiting{Socket: socket, Transport: c.Transport, Bytes: c.Waiting}
	}
}

// attempted tells of a request to an endpoint of an app.
func (t *tracing) attempted(a delivery.Attempt) {
	r := trace.Record{
		Kind: trace.WebhookSent, Event: a.Endpoint, Channel: a.Channel, Code: a.Status,
		Text: fmt.Sprintf("POST to %s: attempt %d, %d events, %v.", a.Host, a.Number, a.Events, a.Took.Round(time.Millisecond)),
	}
	if a.Err != nil {
		r.Kind = trace.WebhookFailed
		r.Text = strings.TrimSuffix(r.Text, ".") + ": " + a.Err.Error()
	}
	t.logs.App(a.App).Trace(r)
}

// appChanged tells of a change of an app's settings.
func (t *tracing) appChanged(c apps.Change) {
	switch {
	case c.Old == nil:
		return
	case c.New == nil:
		t.logs.App(c.Old.ID).Trace(trace.Record{Kind: trace.ConfigChange, Text: "The app was deleted."})
		t.logs.Forget(c.Old.ID)
		if t.journal != nil {
			t.journal.Forget(c.Old.ID)
		}
		t.faults.Forget(c.Old.ID)
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
