package webhook

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/engine"
	"github.com/belfryhq/belfry/internal/natstest"
	"github.com/belfryhq/belfry/internal/webhook/delivery"
	"github.com/belfryhq/belfry/internal/webhook/queue"
	"github.com/belfryhq/belfry/internal/webhook/queue/queuetest"
)

// observe observes so many client events after the first ones of a tally.
func (b *bench) observe(from, to int) {
	for i := from; i < to; i++ {
		b.Observe(b.app, clientEvent("private-a", strconv.Itoa(i)))
	}
}

// What waits for an engine that comes back without its store is delivered,
// although the new store counts from one again.
func TestEventsThatWaitWhileTheStoreIsLostAreDelivered(t *testing.T) {
	onBench(t, Config{}, apps.Webhook{ID: "main"}, func(b *bench) {
		y := newTally(b.T, 400)
		b.receiver("a", func(_ int, d arrival) int { y.take(d); return 200 })
		for i := range 100 { // a number for each
			b.observe(i, i+1)
			synctest.Wait()
		}
		b.memory.Refuse(queuetest.ErrDown)
		b.observe(100, 200)
		pass(time.Minute)
		b.memory.Lose()
		b.memory.Refuse(nil)
		pass(time.Second)
		b.observe(200, 400)
		pass(time.Minute)
		if y.missing != 0 || y.repeats != 0 {
			b.Errorf("%d events are missing and %d came twice", y.missing, y.repeats)
		}
		if records, _ := b.memory.Left(); records != 0 {
			b.Errorf("%d records are left in the queue", records)
		}
		if age := b.oldest(); age != 0 {
			b.Errorf("the oldest event is said to be %v old", age)
		}
	})
}

// What was not in memory when the store was lost is gone, and is not counted
// as queued any more; what comes afterwards goes its way.
func TestQueueThatWasLostIsNotCounted(t *testing.T) {
	onBench(t, Config{Delivery: delivery.Policy{MaxEndpoint: 8 << 20}}, apps.Webhook{ID: "main"}, func(b *bench) {
		var up atomic.Bool
		in := b.receiver("a", func(int, arrival) int {
			if up.Load() {
				return 200
			}
			return 500
		})
		for i := range 40 { // more than the window
			n := clientEvent("private-a", strconv.Itoa(i))
			n.Event = fmt.Sprintf("client-%0200000d", i)
			b.Observe(b.app, n)
			synctest.Wait()
		}
		b.memory.Lose()
		b.Observe(b.app, clientEvent("private-a", "after"))
		pass(10 * time.Second)
		if got := b.dispatcher.Totals().QueuedBytes; got > 5<<20 {
			b.Errorf("%d bytes are said to be queued, want what is in memory", got)
		}
		up.Store(true)
		pass(time.Minute)
		events := in.events()
		if last := events[len(events)-1]; last != "client_event private-a client-e after" {
			b.Errorf("the last event is %.60s, want the one that came after the loss", last)
		}
		if got := b.dispatcher.Totals().QueuedBytes; got != 0 {
			b.Errorf("%d bytes are said to be queued in the end", got)
		}
	})
}

// Removals that carry numbers of the lost store remove nothing of the new one.
func TestRemovalsOfALostStoreRemoveNothing(t *testing.T) {
	onBench(t, Config{}, apps.Webhook{ID: "main"}, func(b *bench) {
		var up atomic.Bool
		b.receiver("a", func(int, arrival) int {
			if up.Load() {
				return 200
			}
			return 500
		})
		for i := range 20 {
			b.Observe(b.app, clientEvent(fmt.Sprint("private-", i), "x"))
			synctest.Wait()
		}
		b.memory.Lose()
		for i := range 20 { // of another node, and of this one's earlier life
			e := newEvent(clientEvent("private-new", "x"), time.Now())
			e.ID = queue.EventID{Origin: "other", Number: uint64(i)}
			of := []queue.Owner{"other", "%"}[i%2]
			if _, err := b.memory.Publish(of, queue.Address{App: "1", Endpoint: "main"}, &queue.Record{ID: fmt.Sprint("other.", i), Events: []queue.Event{e}, Bytes: e.Size()}); err != nil {
				b.Fatal(err)
			}
		}
		up.Store(true)
		pass(time.Minute)
		if records, _ := b.memory.Left(); records != 20 {
			b.Errorf("%d of 20 records of the new store are left", records)
		}
	})
}

// openExternal opens an engine that stands on a NATS.
func openExternal(t *testing.T, s *natsserver.Server) *engine.Engine {
	t.Helper()
	e, err := engine.Open(t.Context(), engine.Config{URL: s.ClientURL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close(context.Background()) })
	return e
}

// Two nodes use a NATS that comes back without its store. Each delivers what
// it had, what waited and what is new, and neither removes anything of the
// other's.
func TestNATSThatComesBackWithoutItsStore(t *testing.T) {
	server := natstest.Start(t, natstest.Kept(natstest.AnyPort, t.TempDir()))
	port := server.Addr().(*net.TCPAddr).Port
	var up atomic.Bool
	answer := func(y *tally) func(int, arrival) int {
		return func(_ int, d arrival) int {
			if !up.Load() {
				return 500
			}
			y.take(d)
			return 200
		}
	}
	const each = 90
	var nodes [2]*Sender
	var tallies [2]*tally
	for i, name := range []string{"one", "two"} {
		tallies[i] = newTally(t, each)
		hook := apps.Webhook{ID: "main", URL: receive(t, answer(tallies[i])).url, Events: everything}
		nodes[i] = start(t, Config{Apps: registry(t, newApp("1", hook)), Engine: openExternal(t, server), Node: name, publishEvery: -1, Delivery: delivery.Policy{RetryFirst: 50 * time.Millisecond}})
	}
	observe := func(from, to int) {
		for i := from; i < to; i++ {
			for _, s := range nodes {
				s.Observe(s.cfg.Apps.ByID("1"), clientEvent("private-a", strconv.Itoa(i)))
			}
			time.Sleep(time.Millisecond) // so that there are many records
		}
	}
	observe(0, 30)
	until(t, "all is queued", func() bool { return nodes[0].recorder.pending()+nodes[1].recorder.pending() == 0 })
	natstest.Stop(server)
	observe(30, 60)
	server = natstest.Start(t, natstest.Kept(port, t.TempDir()))
	if _, err := queue.Open(t.Context(), queue.Config{Engine: openExternal(t, server), MaxBytes: 1 << 30, MaxDeadLetters: 1 << 20}); err != nil { // as any node does
		t.Fatal(err)
	}
	until(t, "what waited is queued", func() bool { return nodes[0].recorder.pending()+nodes[1].recorder.pending() == 0 })
	up.Store(true)
	observe(60, 90)
	for _, y := range tallies {
		y.await()
	}
	until(t, "nothing is left", func() bool {
		left, err := nodes[0].store.Queue.Owners(t.Context())
		return err == nil && len(left) == 0
	})
}
