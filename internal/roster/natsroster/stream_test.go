package natsroster

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/engine"
	"github.com/belfryhq/belfry/internal/roster"
	"github.com/belfryhq/belfry/internal/roster/rostertest"
)

// openEngine returns a server in the process.
func openEngine(t testing.TB) *engine.Engine {
	t.Helper()
	e, err := engine.Open(t.Context(), engine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return e
}

// onEngine returns a roster whose times suit a machine that is busy.
func onEngine(t testing.TB, e *engine.Engine, name string) *Roster {
	return New(Config{
		JetStream: e.JetStream(), Stream: e.Stream, Name: name,
		Lease: 5 * time.Second, Grace: time.Second, WebhookGrace: 2 * time.Second,
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
}

func TestContractOnJetStream(t *testing.T) {
	t.Parallel()
	e := openEngine(t)
	n := 0
	rostertest.Run(t, rostertest.Rig{
		Nodes: 3,
		New: func(t *testing.T, nodes int) (list []roster.Roster) {
			n++
			for i := range nodes {
				r := onEngine(t, e, fmt.Sprint("node", i))
				r.cfg.Prefix = fmt.Sprint("test", n)
				r.journal = newStreams(r.cfg)
				list = append(list, r)
			}
			return list
		},
	})
}
