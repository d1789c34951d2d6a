package webhook

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/webhook/delivery"
	"github.com/belfryhq/belfry/internal/webhook/queue"
	"github.com/belfryhq/belfry/internal/webhook/queue/queuetest"
)

// leftBefore puts an event into the queue of this node as an earlier process
// has left it, which happened at that time by its clock.
func leftBefore(t *testing.T, m *queuetest.Memory, at time.Time, channel string) {
	t.Helper()
	e := newEvent(clientEvent(channel, "x"), at)
	records, _ := m.Left()
	e.ID = queue.EventID{Origin: "before", Number: uint64(records)}
	if _, err := m.Publish(queue.OwnerOf(""), queue.Address{App: "1", Endpoint: "main"}, &queue.Record{ID: e.ID.String(), Events: []queue.Event{e}, Bytes: e.Size()}); err != nil {
		t.Fatal(err)
	}
}

// A clock that is set back makes what happened before lie ahead of now. It is
// delivered at once, and holds up nothing that comes after it.
func TestClockThatIsSetBackStopsNoWebhook(t *testing.T) {
	for name, batch := range map[string]bool{"one by one": false, "in batches": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				memory, hosts, r := queuetest.New(), &roundTrip{}, newReceiver(t, nil)
				hosts.serve("a", r)
				leftBefore(t, memory, time.Now().Add(time.Hour), "private-ahead")
				app := newApp("1", apps.Webhook{ID: "main", URL: "http://a", Events: everything, Batch: batch})
				s := start(t, Config{Apps: registry(t, app), Store: memory.Store(), publishEvery: -1, Delivery: delivery.Policy{Transport: hosts}})
				s.Observe(app, clientEvent("private-a", "now"))
				pass(time.Second)
				if n := len(r.events()); n != 2 {
					t.Errorf("%d events came within a second, want both: %q", n, r.events())
				}
				if records, _ := memory.Left(); records != 0 {
					t.Errorf("%d records are left", records)
				}
			})
		})
	}
}

// While an endpoint is down, what lies ahead of now is given up after the
// retry window like everything else, and not an hour later.
func TestEventAheadOfNowIsGivenUpInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory, r := queuetest.New(), newReceiver(t, always(500))
		hosts := &roundTrip{}
		hosts.serve("a", r)
		for i := range 200 {
			leftBefore(t, memory, time.Now().Add(time.Hour), fmt.Sprint("private-", i))
		}
		app := newApp("1", apps.Webhook{ID: "main", URL: "http://a", Events: everything})
		s := start(t, Config{Apps: registry(t, app), Store: memory.Store(), publishEvery: -1, Delivery: delivery.Policy{Transport: hosts}})
		pass(time.Minute)
		if age := s.oldest(); age != time.Minute {
			t.Errorf("the oldest is said to be %v old after a minute", age)
		}
		pass(9 * time.Minute)
		if records, letters := memory.Left(); records != 0 || letters == 0 {
			t.Errorf("%d records are left and %d dead letters made after ten minutes", records, letters)
		}
	})
}

// What waits in memory for the engine has an age too: it is what an alert is
// about.
func TestOldestCountsWhatWaitsForTheEngine(t *testing.T) {
	onBench(t, Config{}, apps.Webhook{ID: "main"}, func(b *bench) {
		b.receiver("a", nil)
		b.memory.Refuse(queuetest.ErrDown)
		for i := range 1000 {
			b.Observe(b.app, clientEvent(fmt.Sprint("private-", i%10), fmt.Sprint(i)))
		}
		pass(90 * time.Second)
		if age := b.oldest(); age != 90*time.Second {
			b.Errorf("the oldest is said to be %v old, want 90 s", age)
		}
		if s := b.Status(queue.Address{App: "1", Endpoint: "main"}); time.Since(s.Oldest) != 90*time.Second {
			b.Errorf("the endpoint is %+v, want its oldest event 90 s old", s)
		}
		b.memory.Refuse(nil)
		pass(time.Minute)
		if age := b.oldest(); age != 0 {
			b.Errorf("after all was delivered the oldest is said to be %v old", age)
		}
	})
}

// So has a decision that waits for an app of which this node has not heard.
func TestOldestCountsDecisionsThatWaitForTheirApp(t *testing.T) {
	onMember(t, Config{}, func(b *bench, _ *scripted) {
		b.Decide(late(1, "news"))
		pass(1500 * time.Millisecond)
		if age := b.oldest(); age != 1500*time.Millisecond {
			b.Errorf("the oldest is said to be %v old, want 1.5 s", age)
		}
	})
}

// And so has what is in the queue and can not be read.
func TestOldestCountsWhatCanNotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory, hosts := queuetest.New(), &roundTrip{}
		leftBefore(t, memory, time.Now(), "private-a")
		memory.Break(queuetest.ErrDown)
		app := newApp("1", apps.Webhook{ID: "main", URL: "http://a", Events: everything})
		s := start(t, Config{Apps: registry(t, app), Store: memory.Store(), publishEvery: -1, Delivery: delivery.Policy{Transport: hosts}})
		pass(time.Minute)
		if age := s.oldest(); age != time.Minute {
			t.Errorf("the oldest is said to be %v old, want a minute", age)
		}
		memory.Break(nil)
	})
}
