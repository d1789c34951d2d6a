package webhook

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/webhook/delivery"
	"github.com/belfryhq/belfry/internal/webhook/queue"
	"github.com/belfryhq/belfry/internal/webhook/queue/queuetest"
)

// Headers of package delivery.
const (
	headerIDs     = "X-Belfry-Event-Ids"
	headerAttempt = "X-Belfry-Attempt"
)

func always(status int) func(int, arrival) int { return func(int, arrival) int { return status } }

// failFirst answers the first n requests with 500.
func failFirst(n int) func(int, arrival) int {
	return func(i int, _ arrival) int {
		if i <= n {
			return http.StatusInternalServerError
		}
		return http.StatusOK
	}
}

func testRetrySchedule(t *testing.T) {
	onBench(t, Config{}, apps.Webhook{}, func(b *bench) {
		r := b.receiver("a", always(500))
		b.tell(apps.ChannelOccupied, "news")
		pass(10 * time.Minute)
		all := r.all()
		if n := len(all); n < 8 || n > 9 { // the last may be too late, by the jitter
			b.Fatalf("%d attempts, want the first and 7 or 8 more", n)
		}
		wait := time.Second
		odd := 0
		for i := 1; i < len(all); i++ {
			got := all[i].at.Sub(all[i-1].at)
			if got < wait*8/10 || got > wait*12/10 {
				b.Errorf("attempt %d came %v after the one before, want about %v", i+1, got, wait)
			}
			if got != wait {
				odd++
			}
			wait *= 2
			if !bytes.Equal(all[i].body, all[0].body) || all[i].header.Get("X-Pusher-Signature") != all[0].header.Get("X-Pusher-Signature") ||
				all[i].header.Get("X-Pusher-Key") != all[0].header.Get("X-Pusher-Key") || all[i].header.Get(headerIDs) != all[0].header.Get(headerIDs) {
				b.Errorf("attempt %d is not like the first", i+1)
			}
			if got, want := all[i].header.Get(headerAttempt), fmt.Sprint(i+1); got != want {
				b.Errorf("%s = %s, want %s", headerAttempt, got, want)
			}
		}
		if odd == 0 {
			b.Error("all waits are exact, want jitter")
		}
		last := all[len(all)-1]
		if late := last.at.UnixMilli() - last.time; late > 290_000 {
			b.Errorf("the last attempt came %d ms after time_ms, want at most 290 s", late)
		}
		if records, letters := b.memory.Left(); records != 0 || letters != 1 {
			b.Errorf("%d records are left and %d letters, want 0 and 1", records, letters)
		}
	})
}

func testWhatCountsAsDelivered(t *testing.T) {
	for _, status := range []int{200, 201, 202, 204, 299} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			onBench(t, Config{}, apps.Webhook{}, func(b *bench) {
				r := b.receiver("a", always(status))
				b.tell(apps.ChannelOccupied, "news")
				pass(10 * time.Minute)
				if n := len(r.all()); n != 1 {
					b.Errorf("%d requests, want 1", n)
				}
			})
		})
	}
	for _, status := range []int{300, 301, 302, 304, 307, 308, 400, 401, 404, 410, 429, 500, 503} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			onBench(t, Config{}, apps.Webhook{}, func(b *bench) {
				r := b.receiver("a", func(n int, _ arrival) int {
					if n == 1 {
						return status
					}
					return http.StatusNoContent
				})
				b.tell(apps.ChannelOccupied, "news")
				pass(10 * time.Minute)
				if n := len(r.all()); n != 2 {
					b.Errorf("%d requests, want a second that is the last", n)
				}
			})
		})
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	tests := map[string]struct {
		header string
		least  time.Duration
		most   time.Duration
	}{
		"fits":            {"60", 60 * time.Second, 61 * time.Second},
		"too short":       {"0", 800 * time.Millisecond, 1200 * time.Millisecond},
		"beyond the end":  {"300", 800 * time.Millisecond, 1200 * time.Millisecond},
		"not a number":    {"Fri, 31 Dec 1999 23:59:59 GMT", 800 * time.Millisecond, 1200 * time.Millisecond},
		"negative number": {"-5", 800 * time.Millisecond, 1200 * time.Millisecond},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			onBench(t, Config{}, apps.Webhook{}, func(b *bench) {
				r := newReceiver(b.T, failFirst(1))
				b.hosts.serve("a", http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
					w.Header().Set("Retry-After", tt.header)
					r.ServeHTTP(w, req)
				}))
				b.tell(apps.ChannelOccupied, "news")
				pass(10 * time.Minute)
				all := r.all()
				if len(all) != 2 {
					b.Fatalf("%d requests, want 2", len(all))
				}
				if got := all[1].at.Sub(all[0].at); got < tt.least || got > tt.most {
					b.Errorf("the second attempt came after %v, want %v to %v", got, tt.least, tt.most)
				}
			})
		})
	}
}

// While a request waits to be tried again, later events of its channel wait
// behind it, and those of others do not.
func TestChannelKeepsItsOrderBehindARetry(t *testing.T) {
	onBench(t, Config{}, apps.Webhook{}, func(b *bench) {
		r := b.receiver("a", func(_ int, d arrival) int {
			if d.events[0].Data == "1" && d.header.Get(headerAttempt) != "3" {
				return 500
			}
			return 200
		})
		for i := range 4 {
			b.Observe(b.app, clientEvent("private-a", fmt.Sprint(i)))
			b.Observe(b.app, clientEvent("private-b", fmt.Sprint(i+10)))
		}
		synctest.Wait()
		var b2 []any
		for _, d := range r.all() {
			if d.events[0].Channel == "private-b" {
				b2 = append(b2, d.events[0].Data)
			}
		}
		if !slices.Equal(b2, []any{"10", "11", "12", "13"}) {
			b.Errorf("private-b got %v, want all of its events at once", b2)
		}
		pass(time.Minute)
		var a []any
		for _, d := range r.all() {
			if d.events[0].Channel == "private-a" {
				a = append(a, d.events[0].Data)
			}
		}
		if want := []any{"0", "1", "1", "1", "2", "3"}; !slices.Equal(a, want) {
			b.Errorf("private-a got %v, want %v", a, want)
		}
	})
}

// An endpoint that hangs or refuses delays neither another of its app nor
// that of another app.
func testDeadEndpointDelaysNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hook := func(id string) apps.Webhook {
			return apps.Webhook{ID: id, URL: "http://" + id + "/", Events: everything}
		}
		one, two := newApp("1", hook("hanging"), hook("refusing"), hook("fine")), newApp("2", hook("hanging"), hook("other"))
		fine, other := newReceiver(t, nil), newReceiver(t, nil)
		hanging := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		hosts := &roundTrip{}
		hosts.serve("hanging", hanging)
		hosts.serve("fine", fine)
		hosts.serve("other", other)
		s := start(t, Config{Apps: registry(t, one, two), Store: queuetest.New().Store(), publishEvery: -1, Delivery: delivery.Policy{Transport: hosts}})
		begin := time.Now()
		for i := range 1000 {
			s.Observe(one, clientEvent(fmt.Sprintf("private-%d", i%40), fmt.Sprint(i)))
			s.Observe(two, clientEvent(fmt.Sprintf("private-%d", i%40), fmt.Sprint(i)))
		}
		synctest.Wait()
		for name, r := range map[string]*receiver{"fine": fine, "other": other} {
			if n := len(r.all()); n != 1000 {
				t.Errorf("%s got %d events, want 1000", name, n)
			}
		}
		if took := time.Since(begin); took != 0 {
			t.Errorf("it took %v, want no time", took)
		}
	})
}

// An endpoint that does not answer gets one request at a time; once it answers,
// everything goes at once.
func TestDownEndpointIsTriedWithOneRequest(t *testing.T) {
	onBench(t, Config{}, apps.Webhook{}, func(b *bench) {
		h := &hanging{seen: map[string]bool{}}
		b.hosts.serve("a", h)
		for i := range 100 {
			b.tell(apps.CacheMiss, fmt.Sprintf("cache-%d", i))
		}
		synctest.Wait()
		if most := h.reset(); most != delivery.DefaultConcurrency {
			b.Errorf("%d requests at once, want %d", most, delivery.DefaultConcurrency)
		}
		pass(2*delivery.DefaultTimeout + 5*time.Second) // what was begun before it counted as down
		h.reset()
		pass(time.Minute)
		if most := h.reset(); most > 1 {
			b.Errorf("%d requests at once while the endpoint is down, want one", most)
		}
		if got := b.dispatcher.Totals().Down; got != 1 {
			b.Errorf("%d endpoints are down, want 1", got)
		}
		h.up.Store(true)
		pass(2 * delivery.DefaultTimeout)
		if len(h.seen) != 100 || b.dispatcher.Totals().Down != 0 {
			b.Errorf("%d events came and %d endpoints are down, want all and none", len(h.seen), b.dispatcher.Totals().Down)
		}
	})
}

// A hanging endpoint does not answer until it is up.
type hanging struct {
	up atomic.Bool

	mu          sync.Mutex
	under, most int
	seen        map[string]bool
}

func (h *hanging) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	h.under++
	h.most = max(h.most, h.under)
	h.mu.Unlock()
	if !h.up.Load() {
		<-r.Context().Done()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seen[r.Header.Get(headerIDs)] = h.up.Load()
	h.under--
}

// reset returns how many requests there were at once since the last call.
func (h *hanging) reset() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	most := h.most
	h.most = h.under
	return most
}

// What waits behind an endpoint that is down is kept elsewhere after the retry
// window, so that the queue has an end.
func TestDownEndpointGivesUpWhatWaits(t *testing.T) {
	onBench(t, Config{}, apps.Webhook{}, func(b *bench) {
		for i := range 1000 {
			b.Observe(b.app, clientEvent(fmt.Sprintf("private-%d", i%10), fmt.Sprint(i)))
		}
		pass(20 * time.Minute)
		events := map[queue.Reason]int{}
		b.store.DeadLetters.List(b.Context(), queue.Address{}, 0, func(g *queue.DeadLetter) bool { events[g.Reason] += len(g.Events); return true })
		if events[queue.Exhausted]+events[queue.Down] != 1000 || events[queue.Down] == 0 || events[queue.Exhausted] == 0 {
			b.Errorf("given up: %v, want all 1000 and both reasons", events)
		}
		if records, _ := b.memory.Left(); records != 0 {
			b.Errorf("%d records are left", records)
		}
		if busy := b.dispatcher.Totals().Busy; busy != 0 {
			b.Errorf("%d endpoints are busy, want none", busy)
		}
	})
}
