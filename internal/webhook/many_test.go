package webhook

import (
	"fmt"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/webhook/delivery"
	"github.com/belfryhq/belfry/internal/webhook/queue"
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
		b.wantAside(queue.Removed)
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
		b.wantAside(queue.Down)
	})
}

// And of one for which too much is queued.
func TestManyChannelsThatAreTooMuchArePutAsideTogether(t *testing.T) {
	onBench(t, Config{publishEvery: 10 * time.Millisecond, Delivery: delivery.Policy{MaxEndpoint: 1}}, apps.Webhook{ID: "main", Batch: true}, func(b *bench) {
		b.receiver("a", always(503))
		for i := range manyChannels {
			b.tell(apps.CacheMiss, fmt.Sprint("cache-", i))
		}
		pass(11 * time.Minute)
		b.wantAside(queue.Overflow)
	})
}

// wantAside checks that all events of the many channels were put aside, nearly
// all of them for that reason, in few writes.
func (b *bench) wantAside(reason queue.Reason) {
	b.Helper()
	events, writes := map[queue.Reason]int{}, 0
	all := 0
	err := b.store.DeadLetters.List(b.Context(), queue.Address{}, 0, func(g *queue.DeadLetter) bool {
		events[g.Reason] += len(g.Events)
		all += len(g.Events)
		writes++
		return true
	})
	if err != nil {
		b.Fatal(err)
	}
	if records, _ := b.memory.Left(); records != 0 || all != manyChannels || events[reason] < manyChannels/2 {
		b.Errorf("%d records are left, and put aside are %v, want %d and most as %s", records, events, manyChannels, reason)
	}
	if writes > manyChannels/100 {
		b.Errorf("that took %d writes, want few", writes)
	}
	if busy := b.dispatcher.Totals().Busy; busy != 0 {
		b.Errorf("%d endpoints are busy", busy)
	}
}
