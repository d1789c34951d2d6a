package hub

import (
	"context"
	"maps"
	"sync"
	"testing"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/protocol"
)

// usage returns what TakeUsage tells.
func (n *testNode) usage() map[string]Usage {
	all := map[string]Usage{}
	n.hub.TakeUsage(func(app string, u Usage) { all[app] = u })
	return all
}

func (n *testNode) expectUsage(want Usage) {
	n.t.Helper()
	if got := n.usage(); !maps.Equal(got, map[string]Usage{n.app.ID: want}) {
		n.t.Errorf("TakeUsage tells %+v, want %+v of %s alone", got, want, n.app.ID)
	}
}

func TestUsage(t *testing.T) {
	n := newNode(t)
	if got := n.usage(); len(got) != 0 {
		t.Errorf("TakeUsage of a hub that nobody used = %v", got)
	}
	a, b, c := n.connect(), n.connect(), n.connect()
	for _, s := range []*client{a, b} {
		s.join("presence-x", `{"user_id":"7"}`) // whose frames are no messages of the app
		s.subscribe("news")
	}
	c.session.End(Ending{})
	n.loops.run()
	n.expectUsage(Usage{Connections: 2, PeakConnections: 3})

	n.trigger("news", "e", "")
	n.trigger("empty", "e", "")
	if _, err := n.hub.TriggerBatch(context.Background(), n.app, []Targeted{
		{Event: Event{"e", []byte(`""`)}, Channel: "news", Except: a.session.ID()},
		{Event: Event{"e", []byte(`""`)}, Channel: "presence-x"},
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := n.hub.Trigger(context.Background(), n.app, []string{"news", "presence-x"}, Event{"e", []byte(`""`)}, protocol.SocketID{}); err != nil {
		t.Fatal(err)
	}
	a.receive(`{"event":"client-e","channel":"presence-x"}`)
	a.receive(`{"event":"client-e","channel":"news"}`) // refused
	n.loops.run()
	n.expectUsage(Usage{Connections: 2, PeakConnections: 2, BackendEvents: 6, ClientEvents: 1, Deliveries: 2 + 1 + 2 + 4 + 1})
	n.expectUsage(Usage{Connections: 2, PeakConnections: 2})
	a.session.End(Ending{})
	b.session.End(Ending{})
	n.expectUsage(Usage{PeakConnections: 2})
	n.expectUsage(Usage{})
	n.expectNothing()
}

// Whoever is refused for the quota was never connected.
func TestPeakIsNotAboveTheQuota(t *testing.T) {
	app := testApp()
	app.Limits.Connections = 1
	n := newNode(t, app)
	a := n.connect()
	if _, refused := n.dial(request("key")); refused != protocol.ErrOverQuota {
		t.Fatalf("Connect = %v, want %v", refused, protocol.ErrOverQuota)
	}
	n.expectUsage(Usage{Connections: 1, PeakConnections: 1})
	a.session.End(Ending{})
}

func TestNothingIsCountedTwiceOrLost(t *testing.T) {
	n := newNode(t)
	n.change(func(a *apps.App) { a.Limits = apps.Unlimited() })
	const triggers = 1000
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range triggers {
				n.hub.Trigger(context.Background(), n.app, []string{"news"}, Event{"e", []byte(`""`)}, protocol.SocketID{})
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	total := uint64(0)
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		total += n.usage()[n.app.ID].BackendEvents
	}
	if total != 4*triggers {
		t.Errorf("%d events were counted, want %d", total, 4*triggers)
	}
}
