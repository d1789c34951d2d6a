package webhook

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/hub"
)

const manyChannels = 40_000

// What was queued for an endpoint that is gone is put aside in few writes,
// however many channels it is of, and all of it is kept.
func TestManyChannelsOfAnEndpointThatIsGoneArePutAsideTogether(t *testing.T) {
	onBench(t, Config{publishEvery: 10 * time.Millisecond}, apps.Webhook{ID: "main", Batch: true}, func(b *bench) {
		b.receiver("a", always(503))
		for i := range manyChannels {
			b.tell(apps.CacheMiss, fmt.Sprint("cache-", i))
		}
		pass(time.Second)
		if err := b.registry.Remove("1"); err != nil {
			b.Fatal(err)
		}
		pass(10 * time.Minute)
		b.wantAside(buryRemoved)
	})
}

// The same of one that is down.
func TestManyChannelsOfAnEndpointThatIsDownArePutAsideTogether(t *testing.T) {
	onBench(t, Config{publishEvery: 10 * time.Millisecond}, apps.Webhook{ID: "main", Batch: true}, func(b *bench) {
		b.receiver("a", always(503))
		for i := range manyChannels {
			b.tell(apps.CacheMiss, fmt.Sprint("cache-", i))
		}
		pass(11 * time.Minute)
		b.wantAside(buryDown)
	})
}

// And of one for which too much is queued.
func TestManyChannelsThatAreTooMuchArePutAsideTogether(t *testing.T) {
	onBench(t, Config{publishEvery: 10 * time.Millisecond, MaxEndpoint: 1}, apps.Webhook{ID: "main", Batch: true}, func(b *bench) {
		b.receiver("a", always(503))
		for i := range manyChannels {
			b.tell(apps.CacheMiss, fmt.Sprint("cache-", i))
		}
		pass(11 * time.Minute)
		b.wantAside(buryOverflow)
	})
}

// wantAside checks that all events of the many channels were put aside, nearly
// all of them for that reason, in few writes.
func (b *bench) wantAside(reason buryReason) {
	b.Helper()
	events, writes := map[buryReason]int{}, 0
	all := 0
	err := b.queue.buried(b.Context(), address{}, 0, func(g *burial) bool {
		events[g.reason] += len(g.events)
		all += len(g.events)
		writes++
		return true
	})
	if err != nil {
		b.Fatal(err)
	}
	if records, _ := b.queue.left(); records != 0 || all != manyChannels || events[reason] < manyChannels/2 {
		b.Errorf("%d records are left, and put aside are %v, want %d and most as %s", records, events, manyChannels, reason)
	}
	if writes > manyChannels/100 {
		b.Errorf("that took %d writes, want few", writes)
	}
	if busy := b.totals().busy; busy != 0 {
		b.Errorf("%d endpoints are busy", busy)
	}
}

// Replaying goes past what is of endpoints that are gone, however much that is,
// with a cursor that says where to go on.
func TestReplayGoesPastEndpointsThatAreGone(t *testing.T) {
	var up atomic.Bool
	onBench(t, Config{}, apps.Webhook{ID: "main"}, func(b *bench) {
		b.receiver("a", func(int, delivery) int {
			if up.Load() {
				return 200
			}
			return 418
		})
		bury := func(endpoint string, n int) {
			for i := range n {
				e := newEvent(hub.News{Kind: apps.CacheMiss, Channel: "cache-a"}, time.Now())
				e.id = eventID{endpoint, uint64(i)}
				if err := b.queue.bury(b.Context(), &burial{to: address{"1", endpoint}, reason: buryRemoved, events: []event{e}}); err != nil {
					b.Fatal(err)
				}
			}
		}
		bury("gone", 2*replayMost+1)
		bury("main", 3)
		bury("gone", 1)
		up.Store(true)
		replayed, skipped, after, calls := 0, 0, "", 0
		for more := true; more; calls++ {
			var answer struct {
				Replayed int
				Skipped  []uint64
				More     bool
				Next     string
			}
			if status := ask(b, b.Sender, "POST", "/replay", fmt.Sprintf(`{"after":%q}`, after), &answer); status != 200 {
				b.Fatalf("replay = %d", status)
			}
			if answer.More != (answer.Next != "") || calls > 3 {
				b.Fatalf("call %d: %+v", calls, answer)
			}
			replayed, skipped = replayed+answer.Replayed, skipped+len(answer.Skipped)
			more, after = answer.More, answer.Next
		}
		if replayed != 3 || skipped != 2*replayMost+2 || calls != 3 {
			b.Errorf("%d were replayed and %d skipped in %d calls, want 3, %d and 3", replayed, skipped, calls, 2*replayMost+2)
		}
		for _, body := range []string{`{"after":"x"}`, `{"after":"1","ids":[1]}`, `{"after":1}`} {
			if status := ask(b, b.Sender, "POST", "/replay", body, nil); status != 400 {
				b.Errorf("replay of %s = %d, want 400", body, status)
			}
		}
	})
}
