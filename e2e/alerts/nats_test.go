//go:build unix

package alerts

import (
	"testing"

	natsserver "github.com/nats-io/nats-server/v2/server"
	natsclient "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/belfryhq/belfry/e2e/service"
)

func TestEngineDown(t *testing.T) {
	t.Parallel()
	nats := startNATS(t)
	s := service.Start(t, service.Config{Settings: "nats_url: " + nats.ClientURL()})
	l := one(t, s)
	stopNATS(nats)
	l.Await("belfry_engine_up", func(v float64) bool { return v == 0 })
	l.Expect("BelfryEngineDown node-1")
}

func TestStoreLost(t *testing.T) {
	t.Parallel()
	nats := startNATS(t)
	s := service.Start(t, service.Config{Settings: "nats_url: " + nats.ClientURL()})
	l := one(t, s)
	conn, err := natsclient.Connect(nats.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	if err := js.DeleteKeyValue(t.Context(), "belfry_usage"); err != nil {
		t.Fatal(err)
	}
	l.Await(`belfry_engine_streams_lost_total{stream="KV_belfry_usage"}`, Above(0))
	l.Expect("BelfryStoreLost node-1")
}

// startNATS runs a NATS with JetStream until the end of the test.
func startNATS(t *testing.T) *natsserver.Server {
	t.Helper()
	s, err := natsserver.NewServer(&natsserver.Options{
		Host: "127.0.0.1", Port: natsserver.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { stopNATS(s) })
	if !s.ReadyForConnections(service.Patience) {
		t.Fatal("the NATS server does not start")
	}
	return s
}

func stopNATS(s *natsserver.Server) {
	s.Shutdown()
	s.WaitForShutdown()
}
