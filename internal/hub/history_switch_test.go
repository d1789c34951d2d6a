package hub

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
)

// keep switches the history of the node's app on or off.
func (n *testNode) keep(on bool) {
	n.t.Helper()
	n.change(func(app *apps.App) { app.History.Enabled = on })
}

// A client that was waiting for missed events when the history was switched off is
// told that it does not get them, and gets what is published from then on.
func TestHistorySwitchedOffDuringAResume(t *testing.T) {
	for name, ask := range map[string]string{"before it was answered": "nothing", "in the middle": "some"} {
		synctest.Test(t, func(t *testing.T) {
			n := keepingNode(t)
			n.triggerNumbers("news", 1, 3)
			r := newReturner(n, "news")
			if ask == "nothing" {
				r.waiting = replayAhead // the client takes nothing yet
			}
			if ask == "some" {
				n.trigger("news", "e", string(make([]byte, replayAhead/6)))
				n.trigger("news", "e", "5")
			}
			r.ask(`{"position":"` + string(n.hub.cfg.Node) + `-000000000000"}`)
			n.loops.run()
			n.keep(false)
			r.waiting = 0
			n.pause(2)
			time.Sleep(2 * sweepInterval)
			synctest.Wait()
			n.loops.run()
			if len(r.verdicts) != 1 || *r.verdicts[0].Recovered || r.verdicts[0].Reason != "expired" {
				t.Errorf("%s: the verdicts are %v, want expired", name, r.verdicts)
			}
			r.client.read()
			n.trigger("news", "e", "6")
			r.client.expect("e @news 6")
		})
	}
}

// The same for one that asks peers which do not answer.
func TestHistorySwitchedOffWhilePeersAreAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := keepingMesh(t, 2)
		m.silence(1)
		n := m.nodes[0]
		r := newReturner(n, "news")
		r.ask(`{"position":"node1-000000000007"}`)
		n.loops.run()
		n.keep(false)
		time.Sleep(2 * sweepInterval)
		synctest.Wait()
		n.loops.run()
		r.expectVerdicts("expired 0")
		r.client.read()
		n.trigger("news", "e", "1")
		r.client.expect("e @news 1")
	})
}

// What was published while nothing was kept is missing, however short that was.
func TestHistorySwitchedOffAndOnIsInterrupted(t *testing.T) {
	for name, interrupt := range map[string]func(*testNode){
		"switched off and on": func(n *testNode) {
			n.keep(false)
			n.trigger("news", "e", "2")
			n.keep(true)
		},
		"kept for others meanwhile": func(n *testNode) {
			n.change(func(app *apps.App) { app.History.Prefixes = []string{"chat-"} })
			n.trigger("news", "e", "2")
			n.change(func(app *apps.App) { app.History.Prefixes = nil })
		},
		"removed and made again": func(n *testNode) {
			n.remove()
			if err := n.hub.cfg.Apps.Put(n.app); err != nil {
				n.t.Fatal(err)
			}
			n.triggerNumbers("news", 2, 3)
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			n := keepingNode(t)
			r := newReturner(n, "news")
			r.ask(`{}`)
			n.trigger("news", "e", "1")
			r.expectMessages("1")
			time.Sleep(time.Second)
			r.session.End(Ending{})
			r.verdicts = nil
			interrupt(n)
			r.connect(n)
			r.resume()
			n.loops.run()
			if len(r.verdicts) != 1 || r.verdicts[0].String() != "expired 0" {
				t.Errorf("%s: the verdicts are %v, want expired", name, r.verdicts)
			}
		})
	}
}

// Channels that keep their history all the time are not concerned.
func TestOtherChannelsKeepTheirHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := keepingNode(t)
		r := newReturner(n, "chat-1")
		r.ask(`{}`)
		n.trigger("chat-1", "e", "1")
		r.expectMessages("1")
		r.session.End(Ending{})
		r.verdicts = nil
		n.trigger("chat-1", "e", "2")
		n.change(func(app *apps.App) { app.History.Prefixes = []string{"chat-"} })
		n.trigger("chat-1", "e", "3")
		r.connect(n)
		r.resume()
		r.expectVerdicts("recovered 2")
		r.expectMessages("2", "3")
	})
}
