package fallback_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfryhq/belfry/internal/fallback"
	nodeid "github.com/belfryhq/belfry/internal/node"
	"github.com/belfryhq/belfry/internal/relay"
)

// TestChecklistAcrossNodes holds three servers that take requests in turns to
// the same statements. They share a hub, as if a cluster had no delay, and
// each has its own sessions; the others' they reach over relays.
func TestChecklistAcrossNodes(t *testing.T) {
	for _, s := range checklist() {
		t.Run(fmt.Sprintf("%03d_%s", s.number, s.name), func(t *testing.T) {
			t.Parallel()
			s.test(t)
		})
	}
}

// acrossNodes reports whether the test is one of TestChecklistAcrossNodes.
func acrossNodes(t *testing.T) bool { return strings.HasPrefix(t.Name(), "TestChecklistAcrossNodes/") }

// servers is how many there are.
const servers = 3

// join replaces the server by several that are joined by relays.
func (n *node) join(cfg fallback.Config) {
	n.t.Helper()
	bus, err := natsserver.NewServer(&natsserver.Options{DontListen: true, NoSigs: true})
	if err != nil {
		n.t.Fatal(err)
	}
	bus.Start()
	n.t.Cleanup(func() {
		bus.Shutdown()
		bus.WaitForShutdown()
	})
	var ids []nodeid.ID
	for range servers {
		ids = append(ids, nodeid.NewID())
	}
	for _, id := range ids {
		conn, err := nats.Connect("", nats.InProcessServer(bus))
		if err != nil {
			n.t.Fatal(err)
		}
		metrics := prometheus.NewRegistry()
		r, err := relay.New(relay.Config{Conn: conn, ID: id, Peers: func() []nodeid.ID { return ids }, Registerer: metrics})
		if err != nil {
			n.t.Fatal(err)
		}
		cfg.Elsewhere = r
		s := n.serve(cfg)
		if err := r.Start(relay.Host{Has: s.Has, Handler: s.Relayed()}); err != nil {
			n.t.Fatal(err)
		}
		n.metrics, n.relays = append(n.metrics, metrics), append(n.relays, r)
		n.t.Cleanup(func() {
			if err := r.Close(context.Background()); err != nil {
				n.t.Error(err)
			}
			conn.Close()
		})
	}
}
