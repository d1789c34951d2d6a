package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/natstest"
)

// startNATS runs a NATS with JetStream, and returns its URL.
func startNATS(t *testing.T) string {
	t.Helper()
	options := natstest.Kept(natstest.AnyPort, t.TempDir())
	options.Username, options.Password = "belfry", "hunter2"
	server := natstest.Start(t, options)
	return strings.Replace(server.ClientURL(), "nats://", "nats://belfry:hunter2@", 1)
}

// eventually runs an attempt until it succeeds.
func eventually(t *testing.T, what string, attempt func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for !attempt() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: did not happen", what)
		}
	}
}

// TestNodesOnOneEngine is about what two nodes share: apps, and what is told of
// their usage.
func TestNodesOnOneEngine(t *testing.T) {
	env := []string{"BELFRY_NATS_URL=" + startNATS(t)}
	startNode := func() *running {
		dir := t.TempDir()
		p := start(t, setup{dir: dir, env: env}, append([]string{"serve"}, onEphemeralPorts...)...)
		plain := address(p.err.await(t, "listener=plain"))
		return &running{p, t, dir, plain, address(p.err.await(t, "listener=admin"))}
	}
	a := startNode()
	b := startNode()
	readFirstApp(t, a.dir)
	if _, err := os.Stat(filepath.Join(b.dir, firstAppPath)); err == nil {
		t.Error("both nodes made a first app")
	}
	app := a.create()
	onA := a.connect(app.Keys[0].Key)
	eventually(t, "the app is on the other node", func() bool {
		status, out, _ := b.apps("list")
		return status == 0 && strings.Contains(out, app.ID)
	})
	onB := b.connect(app.Keys[0].Key)
	for _, r := range []*running{a, b} {
		if err := r.trigger(app.ID, app.Keys[0].Key, app.Keys[0].Secret); !strings.HasPrefix(err, "triggered hello on news\n") {
			t.Errorf("trigger: %s", err)
		}
	}
	a.do("usage") // writes what the node has counted
	if out := b.do("usage", app.ID, "--json"); !strings.Contains(out, `"total":{"peak_connections":2,"backend_events":2,"client_events":0,"deliveries":0,"requests":2}`) {
		t.Errorf("usage of two nodes: %s", out)
	}
	b.do("disable", app.ID)
	onA.expectClosed(4003)
	onB.expectClosed(4003)
	for _, r := range []*running{a, b} {
		if strings.Contains(r.err.String(), "hunter2") {
			t.Errorf("the log has the password of the engine:\n%s", r.err)
		}
	}
}
