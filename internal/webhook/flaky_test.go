package webhook

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/webhook/delivery"
)

// flakyEvents is how many events TestHalfOfTheRequestsFail sends to each of
// its endpoints: WEBHOOK_EVENTS, or enough for a test that runs always.
func flakyEvents(t *testing.T) int {
	text := os.Getenv("WEBHOOK_EVENTS")
	if text == "" {
		return 20_000
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("WEBHOOK_EVENTS=%s is not a number", text)
	}
	return n
}

// A tally checks what an endpoint gets: events numbered from 0 in each channel,
// each at least once, in order but for repeats.
type tally struct {
	t *testing.T

	mu      sync.Mutex
	next    map[string]int // by channel
	seen    map[string]bool
	repeats int
	failed  int
	done    chan struct{}
	missing int
}

func newTally(t *testing.T, events int) *tally {
	return &tally{t: t, next: make(map[string]int), seen: make(map[string]bool), done: make(chan struct{}), missing: events}
}

// take looks at a request. The receiver drops what it has seen, by the ids.
func (y *tally) take(d arrival) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if len(d.ids) != len(d.events) {
		y.t.Errorf("a request of %d events has %d ids", len(d.events), len(d.ids))
		return
	}
	for i, e := range d.events {
		if y.seen[d.ids[i]] {
			y.repeats++
			continue
		}
		y.seen[d.ids[i]] = true
		n, err := strconv.Atoi(e.Data.(string))
		if err != nil || n != y.next[e.Channel] {
			y.t.Errorf("channel %s got %v, want %d", e.Channel, e.Data, y.next[e.Channel])
		}
		y.next[e.Channel] = n + 1
		if y.missing--; y.missing == 0 {
			close(y.done)
		}
	}
}

// flaky answers half of the requests with a failure: before it has looked at
// the events, or after.
func (y *tally) flaky(_ int, d arrival) int {
	switch rand.IntN(4) {
	case 0:
		return http.StatusInternalServerError
	case 1:
		y.take(d)
		y.mu.Lock()
		y.failed++
		y.mu.Unlock()
		return http.StatusServiceUnavailable
	default:
		y.take(d)
		return http.StatusOK
	}
}

func (y *tally) await() {
	y.t.Helper()
	select {
	case <-y.done:
	case <-time.After(10 * patience):
		y.mu.Lock()
		defer y.mu.Unlock()
		y.t.Fatalf("%d events are missing", y.missing)
	}
}

func TestHalfOfTheRequestsFail(t *testing.T) {
	const channels = 200
	events := flakyEvents(t)
	single := events
	if os.Getenv("WEBHOOK_EVENTS") == "" {
		single /= 5 // each is two requests
	}
	tests := map[string]struct {
		batch  bool
		events int
	}{
		"batches":      {true, events},
		"single event": {false, single},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			y := newTally(t, tt.events)
			r := receive(t, y.flaky)
			app := newApp("1", apps.Webhook{URL: r.url, Events: everything, Batch: tt.batch})
			s := start(t, Config{Apps: registry(t, app), Engine: openEngine(t, t.TempDir()), Delivery: delivery.Policy{RetryFirst: time.Millisecond, BatchInterval: 2 * time.Millisecond}})
			begin := time.Now()
			for i := range tt.events {
				s.Observe(app, clientEvent(fmt.Sprintf("private-%d", i%channels), strconv.Itoa(i/channels)))
			}
			y.await()
			y.mu.Lock()
			defer y.mu.Unlock()
			if y.failed == 0 {
				t.Error("no request failed after its events were taken; the test proves nothing")
			}
			t.Logf("%d events in %v with %d requests; %d repeats dropped by id", tt.events, time.Since(begin).Round(time.Millisecond), len(r.all()), y.repeats)
		})
	}
}

// The same with the documented schedule, on a clock of its own: nothing is
// given up.
func TestHalfOfTheRequestsFailOnTheDocumentedSchedule(t *testing.T) {
	for name, batch := range map[string]bool{"batches": true, "single event": false} {
		t.Run(name, func(t *testing.T) {
			onBench(t, Config{}, apps.Webhook{Batch: batch}, func(b *bench) {
				const channels, events = 200, 4000
				y := newTally(b.T, events)
				b.receiver("a", y.flaky)
				for i := range events {
					b.Observe(b.app, clientEvent(fmt.Sprintf("private-%d", i%channels), strconv.Itoa(i/channels)))
				}
				begin := time.Now()
				<-y.done
				b.Logf("%d events took %v of that clock", events, time.Since(begin))
				pass(time.Hour)
				if _, letters := b.memory.Left(); letters != 0 {
					b.Errorf("events were given up %d times", letters)
				}
			})
		})
	}
}

// An event that an endpoint does not want, while it takes all others, is tried
// often enough, and given up in the end.
func TestPoisonIsTriedWhileOthersPass(t *testing.T) {
	onBench(t, Config{}, apps.Webhook{}, func(b *bench) {
		var times []time.Time
		b.receiver("a", func(_ int, d arrival) int {
			if d.events[0].Channel == "private-poison" {
				times = append(times, time.Now())
				return 500
			}
			return 200
		})
		b.Observe(b.app, clientEvent("private-poison", "x"))
		for i := range 400 {
			b.Observe(b.app, clientEvent("private-fine", fmt.Sprint(i)))
			time.Sleep(time.Second)
		}
		pass(time.Minute)
		if n := len(times); n < 30 || n > 60 {
			b.Errorf("%d attempts, want one every 8 seconds or so", n)
		}
		if last := times[len(times)-1].Sub(times[0]); last > delivery.DefaultRetryWindow {
			b.Errorf("the last attempt came after %v", last)
		}
		if records, letters := b.memory.Left(); records != 0 || letters != 1 {
			b.Errorf("%d records are left and %d letters, want 0 and 1", records, letters)
		}
	})
}
