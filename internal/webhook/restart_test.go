package webhook

import (
	"context"
	"slices"
	"strconv"
	"testing"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/engine"
)

// What one process has queued and not delivered, the next one delivers.
func TestQueueOutlivesTheSender(t *testing.T) {
	dir := t.TempDir()
	down := receive(t, func(int, arrival) int { return 500 })
	app := newApp("1", apps.Webhook{ID: "main", URL: down.url, Events: everything})
	e, err := engine.Open(t.Context(), engine.Config{DataDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	first := start(t, Config{Apps: registry(t, app), Engine: e})
	for i := range 1000 {
		first.Observe(app, clientEvent("private-a", strconv.Itoa(i)))
	}
	down.await(1)
	stop(t, first)
	if err := e.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	y := newTally(t, 1000)
	up := receive(t, func(_ int, d arrival) int { y.take(d); return 200 })
	app = newApp("1", apps.Webhook{ID: "main", URL: up.url, Events: everything})
	start(t, Config{Apps: registry(t, app), Engine: openEngine(t, dir)})
	y.await()
}

// Nodes that share an engine deliver each what is their own.
func TestNodesOfOneEngine(t *testing.T) {
	e := openEngine(t, "")
	down := receive(t, always(500))
	app := newApp("1", apps.Webhook{ID: "main", URL: down.url, Events: everything})
	one := start(t, Config{Apps: registry(t, app), Engine: e, Node: "one"})
	one.Observe(app, clientEvent("private-a", "of one"))
	down.await(1)
	stop(t, one)

	up := receive(t, nil)
	app = newApp("1", apps.Webhook{ID: "main", URL: up.url, Events: everything})
	two := start(t, Config{Apps: registry(t, app), Engine: e, Node: "two.with.dots"})
	two.Observe(app, clientEvent("private-a", "of two"))
	up.await(1)
	again := start(t, Config{Apps: registry(t, app), Engine: e, Node: "one"})
	up.await(2)
	if got, want := up.events(), []string{"client_event private-a client-e of two", "client_event private-a client-e of one"}; !slices.Equal(got, want) {
		t.Errorf("events = %q, want %q", got, want)
	}
	stop(t, again)
}
