package webhook

import (
	"context"
	"strconv"
	"testing"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/engine"
)

// What one process has queued and not delivered, the next one delivers.
func TestQueueOutlivesTheSender(t *testing.T) {
	dir := t.TempDir()
	down := receive(t, func(int, delivery) int { return 500 })
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
	up := receive(t, func(_ int, d delivery) int { y.take(d); return 200 })
	app = newApp("1", apps.Webhook{ID: "main", URL: up.url, Events: everything})
	start(t, Config{Apps: registry(t, app), Engine: openEngine(t, dir)})
	y.await()
}
