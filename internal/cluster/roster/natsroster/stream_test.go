package natsroster

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/cluster/roster"
	"github.com/belfryhq/belfry/internal/cluster/roster/rostertest"
	"github.com/belfryhq/belfry/internal/engine"
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
	return New(engineConfig(t, e, name))
}

func engineConfig(t testing.TB, e *engine.Engine, name string) Config {
	return Config{
		JetStream: e.JetStream(), Stream: e.Stream, Name: name,
		Lease: 5 * time.Second, Grace: time.Second, WebhookGrace: 2 * time.Second,
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
}

func TestContractOnJetStream(t *testing.T) {
	t.Parallel()
	e := openEngine(t)
	var n atomic.Int32
	rostertest.Run(t, rostertest.Rig{
		Nodes: 3,
		New: func(t *testing.T, nodes int) (list []roster.Roster) {
			prefix := fmt.Sprint("test", n.Add(1))
			for i := range nodes {
				cfg := engineConfig(t, e, fmt.Sprint("node", i))
				cfg.Prefix = prefix
				list = append(list, New(cfg))
			}
			return list
		},
	})
}

// The consumer that a node reads with is taken away: it reads on with another.
func TestConsumerIsTakenAway(t *testing.T) {
	t.Parallel()
	e := openEngine(t)
	r, other := onEngine(t, e, "node0"), onEngine(t, e, "node1")
	c := rostertest.Start(t, r, other)
	defer c.Close()
	for i := range 3 {
		name := fmt.Sprint(i)
		c.Channel(i%2, name, true)
		c.Want(name, "occupied")
		stream, err := e.JetStream().Stream(t.Context(), "belfry-roster")
		if err != nil {
			t.Fatal(err)
		}
		names := stream.ConsumerNames(t.Context())
		for name := range names.Name() {
			if err := stream.DeleteConsumer(t.Context(), name); err != nil {
				t.Fatal(err)
			}
		}
		if names.Err() != nil {
			t.Fatal(names.Err())
		}
	}
	c.Channel(0, "last", true)
	c.Want("last", "occupied")
	c.Settled()
	c.Check()
}

// The streams are taken away: they are made again, with what holds.
func TestStreamsAreTakenAway(t *testing.T) {
	t.Parallel()
	e := openEngine(t)
	r, other := onEngine(t, e, "node0"), onEngine(t, e, "node1")
	c := rostertest.Start(t, r, other)
	defer c.Close()
	c.Channel(0, "news", true)
	c.Want("news", "occupied")
	log := r.Status().Log
	for _, name := range []string{"belfry-roster", "belfry-roster-images"} {
		if err := e.JetStream().DeleteStream(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	c.Until("both know another log", func() bool {
		a, b := r.Status(), other.Status()
		return a.Log != "" && a.Log != log && a.Log == b.Log && a.Subjects == 1 && b.Subjects == 1 && a.Current && b.Current
	})
	c.Settled()
	c.Until("markers are gone", func() bool { return r.Status().Subjects == 1 })
	c.Channel(0, "news", false)
	c.Until("what is gone is decided", func() bool {
		return slices.ContainsFunc(c.Decisions(), func(d roster.Decision) bool {
			return d.Gone && d.Channel == "news" && d.ID.Log != log
		})
	})
}

// The log is cut off behind snapshots, and who starts then reads these.
func TestSnapshotsOnJetStream(t *testing.T) {
	t.Parallel()
	e := openEngine(t)
	var rosters []roster.Roster
	for i := range 2 {
		cfg := engineConfig(t, e, fmt.Sprint("node", i))
		cfg.archive = 4000
		rosters = append(rosters, New(cfg))
	}
	c := rostertest.Start(t, rosters...)
	defer c.Close()
	long := strings.Repeat("x", 1000)
	for i := range 1500 {
		c.Channel(i%2, fmt.Sprint(i, long), true) // more than one chunk
	}
	bounds := func() (first uint64) {
		first, _, err := rosters[0].(*Roster).journal.bounds(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return first
	}
	c.Until("the log is cut off", func() bool { return bounds() > 1 })
	late := rostertest.Start(t, onEngine(t, e, "late"))
	c.Hosts = append(c.Hosts, late.Hosts...)
	c.Until("the late one knows everything", func() bool {
		a, b := rosters[0].(*Roster).Status(), late.Hosts[0].Roster.(*Roster).Status()
		return a.Subjects == 1500 && b.Subjects == 1500
	})
	c.Settled()
}
