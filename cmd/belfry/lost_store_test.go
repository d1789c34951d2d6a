package main

import (
	"net"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/internal/natstest"
)

// TestNodesGoOnWhenNATSComesBackWithoutItsStore: apps that were made at run
// time are there and can be changed, on all nodes, and the status says what was
// lost.
func TestNodesGoOnWhenNATSComesBackWithoutItsStore(t *testing.T) {
	server := natstest.Start(t, natstest.Kept(natstest.AnyPort, t.TempDir()))
	var nodes []*running
	for range 2 {
		dir := t.TempDir()
		env := []string{"BELFRY_NATS_URL=" + server.ClientURL()}
		p := start(t, setup{dir: dir, env: env}, append([]string{"serve"}, onEphemeralPorts...)...)
		plain := address(p.err.await(t, "listener=plain"))
		nodes = append(nodes, &running{p, t, dir, plain, address(p.err.await(t, "listener=admin"))})
	}
	app := nodes[0].create()
	eventually(t, "the app is on the other node", func() bool {
		_, out, _ := nodes[1].apps("list")
		return strings.Contains(out, app.ID)
	})
	nodes[1].do("usage")
	before := nodes[1].connect(app.Keys[0].Key)
	port := server.Addr().(*net.TCPAddr).Port
	natstest.Stop(server)
	natstest.Start(t, natstest.Kept(port, t.TempDir()))
	for _, r := range nodes {
		eventually(t, "an app can be changed", func() bool {
			status, _, _ := r.apps("update", app.ID, "--name", "again")
			return status == 0
		})
		eventually(t, "an app can be made", func() bool {
			status, _, _ := r.apps("create")
			return status == 0
		})
	}
	eventually(t, "both nodes know all apps", func() bool {
		_, a, _ := nodes[0].apps("list")
		_, b, _ := nodes[1].apps("list")
		return a == b && strings.Count(a, "\n") == strings.Count(nodes[0].do("list"), "\n") && strings.Contains(a, "again")
	})
	if err := nodes[0].trigger(app.ID, app.Keys[0].Key, app.Keys[0].Secret); !strings.HasPrefix(err, "triggered hello on news\n") {
		t.Errorf("trigger: %s", err)
	}
	before.alive()
	for _, r := range nodes {
		status, out, err := runCommand(t, setup{dir: r.dir, env: []string{"BELFRY_ADMIN_URL=http://" + r.admin}}, "cluster", "status")
		for _, store := range []string{"KV_belfry_apps", "KV_belfry_usage", "belfry-webhooks", "belfry-roster"} {
			if !strings.Contains(out, "The store "+store+" was lost") {
				t.Errorf("cluster status = %d, %s%s, want a word of %s", status, out, err, store)
			}
		}
	}
}
