package hub

import (
	"testing"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/protocol"
)

// change puts a changed copy of the first app into the registry.
func (n *testNode) change(edit func(*apps.App)) {
	n.t.Helper()
	app := *n.app
	edit(&app)
	if err := n.hub.cfg.Apps.Put(&app); err != nil {
		n.t.Fatal(err)
	}
	n.app = &app
}

func (n *testNode) remove() {
	n.t.Helper()
	if err := n.hub.cfg.Apps.Remove(n.app.ID); err != nil {
		n.t.Fatal(err)
	}
}

func TestChangedSettingsHoldForThoseWhoAreThere(t *testing.T) {
	n := newNode(t)
	a, b := n.connect(), n.connect()
	a.subscribe("private-x")
	b.subscribe("private-x")
	a.read()
	b.read()
	n.change(func(app *apps.App) { app.ClientEvents = false })
	a.receive(`{"event":"client-e","channel":"private-x"}`)
	a.expect(complaint(protocol.ErrClientEventsDisabled))
	n.change(func(app *apps.App) { app.ClientEvents, app.Limits.ChannelsPerConnection = true, 1 })
	a.receive(`{"event":"client-e","channel":"private-x"}`)
	b.expect("client-e @private-x null")
	a.subscribe("news")
	a.expect(complaint(protocol.ErrTooManyChannels), subscriptionError("news", "LimitReached", 4004))
	// A key that is taken away authorizes nothing any more.
	n.change(func(app *apps.App) { app.Keys = []apps.Key{{Key: "new", Secret: "s"}} })
	a.unsubscribe("private-x")
	a.subscribe("private-x")
	a.expect(complaint(protocol.InvalidKey("key")), subscriptionError("private-x", "AuthError", 401))
	n.connectTo("new")
	if _, refused := n.dial(request("key")); refused == nil || refused.Code != protocol.CloseUnknownApp {
		t.Errorf("Connect with a key that is gone = %v, want %d", refused, protocol.CloseUnknownApp)
	}
}

func TestDisabledAppDismissesEverybody(t *testing.T) {
	other := testApp()
	other.ID, other.Keys = "2", []apps.Key{{Key: "other", Secret: "s"}}
	n := newNode(t, testApp(), other)
	a, b, c := n.connect(), n.connect(), n.connectTo("other")
	a.subscribe("news")
	a.read()
	n.change(func(app *apps.App) { app.Disabled = true })
	a.expectClosed(protocol.ErrAppDisabled)
	b.expectClosed(protocol.ErrAppDisabled)
	c.expectClosed(nil)
	if _, refused := n.dial(request("key")); refused != protocol.ErrAppDisabled {
		t.Errorf("Connect = %v, want %v", refused, protocol.ErrAppDisabled)
	}
	n.change(func(app *apps.App) { app.Disabled = false })
	n.connect().session.End(Ending{})
	c.session.End(Ending{})
	n.expectNothing()
}

func TestRemovedAppDismissesEverybodyAndForgets(t *testing.T) {
	n := newNode(t)
	a := n.connect()
	a.subscribe("cache-x")
	n.trigger("cache-x", "e", "")
	a.read()
	n.remove()
	n.loops.run()
	if a.closed == nil || a.closed.Code != protocol.CloseUnknownApp {
		t.Errorf("the client was closed with %v, want %d", a.closed, protocol.CloseUnknownApp)
	}
	n.change(func(*apps.App) {}) // is there again
	b := n.connect()
	b.subscribe("cache-x")
	b.expect(succeeded("cache-x"), miss("cache-x"))
	b.session.End(Ending{})
	n.expectNothing()
}

// A call that found an app just before it was removed must not make the next
// app of that id have the settings of the old one.
func TestAppOfTheSameIDHasItsOwnSettings(t *testing.T) {
	n := newNode(t)
	old := n.app
	n.remove()
	n.hub.Channel(old, "news")
	n.change(func(app *apps.App) { app.Limits.ChannelsPerConnection = 1 })
	c := n.connect()
	c.subscribe("a")
	c.subscribe("b")
	c.expect(succeeded("a"), complaint(protocol.ErrTooManyChannels), subscriptionError("b", "LimitReached", 4004))
	c.session.End(Ending{})
	n.expectNothing()
}
