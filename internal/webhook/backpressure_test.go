package webhook

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/webhook/delivery"
	"github.com/belfryhq/belfry/internal/webhook/queue/queuetest"
)

// An app of which too much waits for the engine is held, and no other: neither
// one without webhooks, nor one of whose events few wait, nor the node.
func TestOnlyTheAppThatHasTooMuchIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hook := apps.Webhook{ID: "main", URL: "http://a", Events: everything}
		one, two := newApp("1", hook), newApp("2", hook)
		g, memory, hosts, r := &gate{}, queuetest.New(), &roundTrip{}, newReceiver(t, nil)
		hosts.serve("a", r)
		s := start(t, Config{Apps: registry(t, one, two), Store: memory.Store(), Gate: g, MaxPending: 400, publishEvery: -1, Delivery: delivery.Policy{Transport: hosts}})
		want := func(step string, held ...string) {
			t.Helper()
			synctest.Wait()
			if got := g.heldApps(); !slices.Equal(got, held) {
				t.Errorf("%s, %q are held, want %q", step, got, held)
			}
			if g.holds.Load() != 0 {
				t.Errorf("%s, the node is held", step)
			}
		}
		memory.Refuse(queuetest.ErrDown)
		for i := range 100 {
			s.Observe(one, clientEvent("private-a", fmt.Sprint(i)))
		}
		want("with a quarter of what may wait")
		s.Observe(one, clientEvent("private-a", "100"))
		for i := range 90 {
			s.Observe(two, clientEvent("private-a", fmt.Sprint(i)))
		}
		want("with one more", "1")
		pass(time.Minute)
		want("a minute later", "1")
		memory.Refuse(nil)
		pass(time.Second)
		want("when the engine has taken all")
		if n := len(r.events()); n != 191 {
			t.Errorf("%d events came, want all 191", n)
		}
	})
}

// The share of an app is counted in bytes too, and what an app has left when it
// is removed does not keep one of its name held.
func TestShareOfAnAppThatIsRemoved(t *testing.T) {
	g := &gate{}
	onBench(t, Config{Gate: g}, apps.Webhook{ID: "main"}, func(b *bench) {
		b.receiver("a", nil)
		b.memory.Refuse(queuetest.ErrDown)
		for range maxPendingBytes/appsShare>>20 + 1 {
			n := clientEvent("private-a", "x")
			n.Event = "client-" + strings.Repeat("x", 1<<20)
			b.Observe(b.app, n)
		}
		if got := g.heldApps(); !slices.Equal(got, []string{"1"}) {
			b.Errorf("%q are held, want the app with many bytes", got)
		}
		if err := b.registry.Remove("1"); err != nil {
			b.Fatal(err)
		}
		if err := b.registry.Put(b.app); err != nil {
			b.Fatal(err)
		}
		b.memory.Refuse(nil)
		pass(time.Minute)
		if got := g.heldApps(); len(got) != 0 {
			b.Errorf("%q are still held", got)
		}
	})
}

// A stop leaves nobody held.
func TestStopReleasesApps(t *testing.T) {
	g := &gate{}
	onBench(t, Config{Gate: g, MaxPending: 40}, apps.Webhook{ID: "main"}, func(b *bench) {
		b.memory.Refuse(queuetest.ErrDown)
		for i := range 20 {
			b.Observe(b.app, clientEvent("private-a", fmt.Sprint(i)))
		}
		time.AfterFunc(time.Second, func() { b.memory.Refuse(nil) })
		stop(b.T, b.Sender)
		if got := g.heldApps(); len(got) != 0 {
			b.Errorf("%q are still held", got)
		}
	})
}
