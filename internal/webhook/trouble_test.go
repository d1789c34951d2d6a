package webhook

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/webhook/delivery"
	"github.com/belfryhq/belfry/internal/webhook/queue"
	"github.com/belfryhq/belfry/internal/webhook/queue/queuetest"
)

// A gate counts.
type gate struct {
	held, holds atomic.Int32
	apps        sync.Map
}

func (g *gate) Hold()    { g.held.Add(1); g.holds.Add(1) }
func (g *gate) Release() { g.held.Add(-1) }

func (g *gate) HoldOwner(app string)    { g.apps.Store(app, nil) }
func (g *gate) ReleaseOwner(app string) { g.apps.Delete(app) }

func (g *gate) heldApps() (list []string) {
	g.apps.Range(func(app, _ any) bool { list = append(list, app.(string)); return true })
	return list
}

// While the engine takes nothing, events gather; when there are too many of too
// many apps, the node is held back; and when the engine is back, everything
// comes, in order.
func TestEngineThatRefusesHoldsTheNodeBack(t *testing.T) {
	g := &gate{}
	onBench(t, Config{Gate: g, MaxPending: 100}, apps.Webhook{}, func(b *bench) {
		y := newTally(b.T, 600)
		b.receiver("a", func(_ int, d arrival) int { y.take(d); return 200 })
		all := []*apps.App{b.app}
		for i := 2; i <= 6; i++ {
			app := newApp(fmt.Sprint(i), b.app.Webhooks...)
			b.put(app)
			all = append(all, app)
		}
		observe := func(app, from, to int) {
			for i := from; i < to; i++ {
				b.Observe(all[app], clientEvent(fmt.Sprintf("private-%d-%d", app, i%10), fmt.Sprint(i/10)))
			}
		}
		b.memory.Refuse(queuetest.ErrDown)
		for app := range 3 {
			observe(app, 0, 100) // of which 25 count
		}
		observe(3, 0, 20)
		observe(4, 0, 4)
		pass(time.Minute)
		if g.held.Load() != 0 || len(g.heldApps()) != 3 {
			b.Errorf("with 99 events that count, the node is held %d times, and the apps %q", g.held.Load(), g.heldApps())
		}
		observe(4, 4, 100)
		observe(3, 20, 100) // what was on its way
		observe(5, 0, 100)
		if g.held.Load() != 1 || g.holds.Load() != 1 {
			b.Errorf("the gate is held %d times of %d, want once", g.held.Load(), g.holds.Load())
		}
		pass(time.Hour)
		b.memory.Refuse(nil)
		pass(time.Second)
		if y.missing != 0 {
			b.Errorf("%d events are missing", y.missing)
		}
		if g.held.Load() != 0 || len(g.heldApps()) != 0 {
			b.Errorf("the node is still held %d times, and the apps %q", g.held.Load(), g.heldApps())
		}
	})
}

func TestStopDuringTroubleSaysWhatIsLost(t *testing.T) {
	g := &gate{}
	var log bytes.Buffer
	onBench(t, Config{Gate: g, MaxPending: 10, Log: slog.New(slog.NewTextHandler(&log, nil))}, apps.Webhook{}, func(b *bench) {
		b.memory.Refuse(queuetest.ErrDown)
		for i := range 20 {
			b.Observe(b.app, clientEvent("private-a", fmt.Sprint(i)))
		}
		ctx, cancel := context.WithTimeout(b.Context(), 5*time.Second)
		defer cancel()
		if err := b.Stop(ctx); err == nil {
			b.Error("Stop = nil, want an error")
		}
		if !strings.Contains(log.String(), "were lost") || !strings.Contains(log.String(), "events=20") {
			b.Errorf("the log is\n%s", &log)
		}
		if g.held.Load() != 0 {
			b.Error("the gate is held after the end")
		}
	})
}

// A record whose answer is lost is published again, and stored once.
func TestLostAnswersOfTheEngine(t *testing.T) {
	onBench(t, Config{}, apps.Webhook{}, func(b *bench) {
		r := b.receiver("a", nil)
		b.memory.LoseAnswers(3)
		want := []string{}
		for i := range 5 {
			b.Observe(b.app, clientEvent("private-a", fmt.Sprint(i)))
			want = append(want, fmt.Sprintf("client_event private-a client-e %d", i))
		}
		pass(time.Minute)
		b.want(r, want...)
	})
}

// An engine that can not be read or written for a while delays, and nothing
// more.
func TestEngineThatBreaks(t *testing.T) {
	onBench(t, Config{}, apps.Webhook{}, func(b *bench) {
		r := b.receiver("a", nil)
		b.memory.Break(queuetest.ErrDown)
		b.tell(apps.ChannelOccupied, "news")
		b.tell(apps.CacheMiss, "cache-a")
		pass(time.Minute)
		if got := r.events(); len(got) != 2 {
			b.Errorf("events = %q, want both", got)
		}
		b.memory.Break(nil)
		pass(time.Minute)
		if records, _ := b.memory.Left(); records != 0 {
			b.Errorf("%d records are left", records)
		}
	})
}

// inboxBytes is how much package delivery keeps of an endpoint in memory.
const inboxBytes = 4 << 20

// More than the memory of an endpoint comes in order, through the queue.
func TestMoreThanTheWindow(t *testing.T) {
	onBench(t, Config{}, apps.Webhook{Batch: true}, func(b *bench) {
		var up atomic.Bool
		const events = 600
		y := newTally(b.T, events)
		b.receiver("a", func(_ int, d arrival) int {
			if !up.Load() {
				return 500
			}
			y.take(d)
			return 200
		})
		filler := strings.Repeat("x", 10_000)
		for i := range events {
			n := clientEvent(fmt.Sprintf("private-%d", i%3), fmt.Sprint(i/3))
			n.Event = "client-" + filler
			b.Observe(b.app, n)
			if i%100 == 0 {
				synctest.Wait()
			}
		}
		synctest.Wait()
		if got := b.dispatcher.Totals().MemoryBytes; got > inboxBytes || got < inboxBytes/2 {
			b.Errorf("%d bytes are in memory, want about %d", got, inboxBytes)
		}
		up.Store(true)
		pass(4 * time.Minute)
		if y.missing != 0 {
			b.Errorf("%d events are missing", y.missing)
		}
		if got := b.dispatcher.Totals().MemoryBytes; got != 0 {
			b.Errorf("%d bytes are in memory in the end", got)
		}
	})
}

// What is queued for one endpoint is bounded: the oldest goes, and is kept
// elsewhere.
func testOverflow(t *testing.T) {
	onBench(t, Config{Delivery: delivery.Policy{MaxEndpoint: 100_000}}, apps.Webhook{}, func(b *bench) {
		b.receiver("a", always(500))
		for i := range 1000 {
			b.Observe(b.app, clientEvent(fmt.Sprintf("private-%d", i%50), fmt.Sprintf("%0100d", i)))
		}
		pass(2 * time.Second)
		if got := b.dispatcher.Totals().QueuedBytes; got > 200_000 {
			b.Errorf("%d bytes are queued, want about 100,000", got)
		}
		reasons := map[queue.Reason]int{}
		b.store.DeadLetters.List(b.Context(), queue.Address{}, 0, func(g *queue.DeadLetter) bool { reasons[g.Reason] += len(g.Events); return true })
		if reasons[queue.Overflow] < 500 || len(reasons) != 1 {
			b.Errorf("given up: %v, want more than half for overflow", reasons)
		}
	})
}

func TestEndpointThatIsRemoved(t *testing.T) {
	onBench(t, Config{}, apps.Webhook{ID: "main"}, func(b *bench) {
		b.receiver("a", always(500))
		for i := range 100 {
			b.Observe(b.app, clientEvent(fmt.Sprintf("private-%d", i%10), fmt.Sprint(i)))
		}
		synctest.Wait()
		if err := b.registry.Remove("1"); err != nil {
			b.Fatal(err)
		}
		pass(time.Minute)
		if _, letters := b.memory.Left(); letters != 0 {
			b.Error("events were given up at once; the app may come back")
		}
		pass(10 * time.Minute)
		events := 0
		b.store.DeadLetters.List(b.Context(), queue.Address{}, 0, func(g *queue.DeadLetter) bool { events += len(g.Events); return true })
		if records, _ := b.memory.Left(); records != 0 || events != 100 {
			b.Errorf("%d records are left and %d events are kept, want none and 100", records, events)
		}
		if busy := b.dispatcher.Totals().Busy; busy != 0 {
			b.Errorf("%d endpoints are busy", busy)
		}
	})
}

// An app that comes back, or whose endpoint moves, gets what is queued.
func TestEndpointThatMoves(t *testing.T) {
	onBench(t, Config{}, apps.Webhook{ID: "main"}, func(b *bench) {
		b.tell(apps.ChannelOccupied, "news")
		b.tell(apps.ChannelOccupied, "other")
		pass(time.Second)
		if err := b.registry.Remove("1"); err != nil {
			b.Fatal(err)
		}
		pass(time.Minute)
		r := b.receiver("b", nil)
		if err := b.registry.Put(newApp("1", apps.Webhook{ID: "main", URL: "http://b", Events: everything})); err != nil {
			b.Fatal(err)
		}
		pass(time.Minute)
		got := r.events()
		slices.Sort(got)
		if want := []string{"channel_occupied news", "channel_occupied other"}; !slices.Equal(got, want) {
			b.Errorf("the new address got %q, want %q", got, want)
		}
	})
}

func testRevokedKeySignsNoMore(t *testing.T) {
	onBench(t, Config{}, apps.Webhook{}, func(b *bench) {
		r := b.receiver("a", failFirst(2))
		rotated := newApp("1", b.app.Webhooks...)
		rotated.Keys = append(rotated.Keys, apps.Key{Key: testKey + "-new", Secret: testSecret})
		if err := b.registry.Put(rotated); err != nil {
			b.Fatal(err)
		}
		b.Observe(rotated, hub.News{Kind: apps.ChannelOccupied, Channel: "news"})
		synctest.Wait()
		if key := r.all()[0].header.Get("X-Pusher-Key"); key != testKey {
			b.Errorf("signed by %s, want the oldest key", key)
		}
		pass(1500 * time.Millisecond)
		revoked := newApp("1", b.app.Webhooks...)
		revoked.Keys = rotated.Keys[1:]
		if err := b.registry.Put(revoked); err != nil {
			b.Fatal(err)
		}
		b.Observe(revoked, hub.News{Kind: apps.ChannelOccupied, Channel: "other"})
		pass(time.Minute)
		keys := []string{}
		for _, d := range r.all() {
			keys = append(keys, d.header.Get("X-Pusher-Key"))
		}
		if want := []string{testKey, testKey, testKey + "-new", testKey + "-new"}; !slices.Equal(keys, want) {
			b.Errorf("signed by %q, want %q", keys, want)
		}
	})
}

func testFiltersAndHeaders(t *testing.T) {
	hook := apps.Webhook{Events: apps.ChannelOccupied | apps.CacheMiss, ChannelPrefixes: []string{"a-", "cache-"}, ChannelSuffixes: []string{"-live"},
		Batch: true, Headers: []apps.Header{{Name: "Authorization", Value: "Bearer abc"}, {Name: "X-Two", Value: "1"}, {Name: "X-Two", Value: "2"}}}
	onBench(t, Config{}, hook, func(b *bench) {
		r := b.receiver("a", nil)
		b.tell(apps.ChannelOccupied, "a-1-live")
		b.tell(apps.ChannelOccupied, "b-1-live")
		b.tell(apps.ChannelOccupied, "a-2")
		b.tell(apps.MemberAdded, "a-1-live", "1")
		b.tell(apps.SubscriptionCount, "a-1-live")
		b.Observe(b.app, clientEvent("a-1-live", "x"))
		b.tell(apps.CacheMiss, "cache-1-live")
		pass(time.Second)
		b.want(r, "channel_occupied a-1-live", "cache_miss cache-1-live")
		h := r.all()[0].header
		if h.Get("Authorization") != "Bearer abc" || !slices.Equal(h["X-Two"], []string{"1", "2"}) {
			b.Errorf("the header is %v", h)
		}
		if !slices.Equal(h["Content-Type"], []string{"application/json"}) {
			b.Errorf("Content-Type = %q, want exactly application/json", h["Content-Type"])
		}
	})
}

// Apps and endpoints never share a request.
func testRequestsAreOfOneAppAndEndpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hook := func(host string) apps.Webhook {
			return apps.Webhook{ID: host, URL: "http://" + host, Events: everything, Batch: true}
		}
		one, two, none := newApp("1", hook("a"), hook("b")), newApp("2", hook("a")), newApp("3")
		a, b := newReceiver(t, nil), newReceiver(t, nil)
		hosts := &roundTrip{}
		hosts.serve("a", a)
		hosts.serve("b", b)
		s := start(t, Config{Apps: registry(t, one, two, none), Store: queuetest.New().Store(), publishEvery: -1, Delivery: delivery.Policy{Transport: hosts}})
		for i := range 10 {
			for _, app := range []*apps.App{one, two, none} {
				s.Observe(app, hub.News{Kind: apps.ChannelOccupied, Channel: fmt.Sprintf("%s-%d", app.ID, i)})
			}
		}
		pass(time.Second)
		if len(a.all()) != 2 || len(b.all()) != 1 {
			t.Fatalf("there were %d and %d requests, want 2 and 1", len(a.all()), len(b.all()))
		}
		for _, d := range append(a.all(), b.all()...) {
			app := d.events[0].Channel[:1]
			if want := map[string]string{"1": testKey, "2": testKey + "2"}[app]; d.header.Get("X-Pusher-Key") != want || len(d.events) != 10 {
				t.Errorf("a request of app %s has %d events and is signed by %s", app, len(d.events), d.header.Get("X-Pusher-Key"))
			}
			for _, e := range d.events {
				if !strings.HasPrefix(e.Channel, app) {
					t.Errorf("a request of app %s has %s", app, e)
				}
			}
		}
	})
}

// Neither secrets nor the values of headers nor what is secret in a URL are
// ever logged, whatever goes wrong.
func testSecretsAreNotLogged(t *testing.T) {
	var log bytes.Buffer
	hook := apps.Webhook{URL: "http://user:hush-1@a/?token=hush-2", Headers: []apps.Header{{Name: "Authorization", Value: "hush-3"}}}
	onBench(t, Config{Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}, hook, func(b *bench) {
		b.tell(apps.ChannelOccupied, "news") // refused
		pass(time.Minute)
		b.receiver("a", always(500))
		pass(time.Hour)
		b.memory.Refuse(queuetest.ErrDown)
		b.tell(apps.ChannelVacated, "news")
		pass(time.Minute)
		b.memory.Refuse(nil)
		pass(time.Hour)
		for _, want := range []string{"not delivered", "given up", "does not take", "host=a"} {
			if !strings.Contains(log.String(), want) {
				b.Errorf("the log has no %q:\n%s", want, &log)
			}
		}
		for _, secret := range []string{"hush", testSecret, "token"} {
			if strings.Contains(log.String(), secret) {
				b.Errorf("the log has %q:\n%s", secret, &log)
			}
		}
	})
}

// A stop leaves nothing in memory: what is not delivered is in the queue.
func TestStopHandsEverythingOver(t *testing.T) {
	onBench(t, Config{publishEvery: time.Hour}, apps.Webhook{}, func(b *bench) { // little goes by itself
		b.receiver("a", always(500))
		for i := range 1000 {
			b.Observe(b.app, clientEvent(fmt.Sprintf("private-%d", i%10), fmt.Sprint(i)))
		}
		stop(b.T, b.Sender)
		if events := b.memory.Events(); events != 1000 {
			b.Errorf("%d events are in the queue, want 1000", events)
		}
	})
}
