package webhook

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/cluster/roster/local"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/webhook/delivery"
	"github.com/belfryhq/belfry/internal/webhook/queue/queuetest"
)

// roundTrip is a transport that hands requests to receivers by their hosts,
// without a network. What has no receiver refuses connections.
type roundTrip struct{ hosts sync.Map }

func (rt *roundTrip) serve(host string, h http.Handler) { rt.hosts.Store(host, h) }

var errRefused = errors.New("connection refused")

func (rt *roundTrip) RoundTrip(r *http.Request) (*http.Response, error) {
	found, ok := rt.hosts.Load(r.URL.Host)
	if !ok {
		return nil, errRefused
	}
	h := found.(http.Handler)
	w := httptest.NewRecorder()
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		h.ServeHTTP(w, r)
	}()
	select {
	case <-answered:
		return w.Result(), nil
	case <-r.Context().Done():
		<-answered
		return nil, r.Context().Err()
	}
}

// A bench is a sender with receivers and a clock of its own.
type bench struct {
	*testing.T
	*Sender
	memory   *queuetest.Memory
	app      *apps.App
	registry *apps.Registry
	hosts    *roundTrip
}

// onBench runs a test with a clock of its own: nothing sleeps for real. The
// app has one endpoint, http://a, with everything and the settings of hook.
func onBench(t *testing.T, cfg Config, hook apps.Webhook, test func(*bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		if hook.URL == "" {
			hook.URL = "http://a/"
		}
		if hook.Events == 0 {
			hook.Events = everything
		}
		b := &bench{T: t, memory: queuetest.New(), app: newApp("1", hook), hosts: &roundTrip{}}
		b.registry = registry(t, b.app)
		cfg.Apps, cfg.Store, cfg.Delivery.Transport, cfg.publishEvery = b.registry, b.memory.Store(), b.hosts, cmp.Or(cfg.publishEvery, -1)
		b.Sender = start(t, cfg)
		test(b)
	})
}

// receiver serves a host.
func (b *bench) receiver(host string, answer func(n int, d arrival) int) *receiver {
	r := newReceiver(b.T, answer)
	b.hosts.serve(host, r)
	return r
}

func (b *bench) tell(k apps.WebhookEvents, channel string, user ...string) {
	n := hub.News{Kind: k, Channel: channel}
	if len(user) > 0 {
		n.UserID = user[0]
	}
	b.Observe(b.app, n)
}

// want checks what a receiver has got, once nothing happens any more without
// time passing.
func (b *bench) want(r *receiver, events ...string) {
	b.Helper()
	synctest.Wait()
	if got := r.events(); !slices.Equal(got, events) {
		b.Errorf("events = %q, want %q", got, events)
	}
}

func pass(d time.Duration) { time.Sleep(d); synctest.Wait() }

func testDebouncing(t *testing.T) {
	onBench(t, Config{}, apps.Webhook{}, func(b *bench) {
		r := b.receiver("a", nil)
		b.tell(apps.ChannelOccupied, "news")
		b.want(r, "channel_occupied news")
		b.tell(apps.ChannelVacated, "news")
		pass(2900 * time.Millisecond)
		b.tell(apps.ChannelOccupied, "news") // anybody's
		pass(time.Minute)
		b.want(r, "channel_occupied news")

		b.tell(apps.ChannelVacated, "news")
		pass(2999 * time.Millisecond)
		b.want(r, "channel_occupied news")
		pass(20 * time.Millisecond)
		b.want(r, "channel_occupied news", "channel_vacated news")
		b.tell(apps.ChannelOccupied, "news")
		b.want(r, "channel_occupied news", "channel_vacated news", "channel_occupied news")
	})
}

func TestDebouncingOfMembers(t *testing.T) {
	onBench(t, Config{}, apps.Webhook{}, func(b *bench) {
		r := b.receiver("a", nil)
		b.tell(apps.ChannelOccupied, "presence-a")
		b.tell(apps.MemberAdded, "presence-a", "1")
		b.tell(apps.MemberAdded, "presence-a", "2")
		both := []string{"channel_occupied presence-a", "member_added presence-a 1", "member_added presence-a 2"}
		b.want(r, both...)
		b.tell(apps.MemberRemoved, "presence-a", "1")
		pass(time.Second)
		b.tell(apps.MemberAdded, "presence-a", "1") // a reload
		pass(time.Second)
		b.tell(apps.MemberRemoved, "presence-a", "2")
		b.tell(apps.MemberRemoved, "presence-a", "1")
		b.tell(apps.ChannelVacated, "presence-a")
		pass(2 * time.Second)
		b.want(r, both...)
		pass(2 * time.Second)
		b.want(r, append(both, "member_removed presence-a 2", "member_removed presence-a 1", "channel_vacated presence-a")...)
	})
}

// Somebody else takes the place of the last member: the channel was never
// empty, but the member is another.
func TestAnotherMemberTakesThePlace(t *testing.T) {
	onBench(t, Config{}, apps.Webhook{}, func(b *bench) {
		r := b.receiver("a", nil)
		b.tell(apps.ChannelOccupied, "presence-a")
		b.tell(apps.MemberAdded, "presence-a", "1")
		b.tell(apps.MemberRemoved, "presence-a", "1")
		b.tell(apps.ChannelVacated, "presence-a")
		pass(time.Second)
		b.tell(apps.ChannelOccupied, "presence-a")
		b.tell(apps.MemberAdded, "presence-a", "2")
		pass(time.Minute)
		b.want(r, "channel_occupied presence-a", "member_added presence-a 1", "member_added presence-a 2", "member_removed presence-a 1")
	})
}

func TestWithoutDebouncing(t *testing.T) {
	onBench(t, Config{Roster: alone{}}, apps.Webhook{}, func(b *bench) {
		r := b.receiver("a", nil)
		for range 2 {
			b.tell(apps.ChannelOccupied, "news")
			b.tell(apps.ChannelVacated, "news")
		}
		b.want(r, "channel_occupied news", "channel_vacated news", "channel_occupied news", "channel_vacated news")
	})
}

func TestDrainingNodeReportsNoEmptyChannels(t *testing.T) {
	for name, report := range map[string]bool{"forgotten": false, "reported": true} {
		t.Run(name, func(t *testing.T) {
			onBench(t, Config{Roster: alone{cfg: local.Config{Grace: 3 * time.Second, TellOnClose: report}}}, apps.Webhook{}, func(b *bench) {
				r := b.receiver("a", nil)
				b.tell(apps.ChannelOccupied, "news")
				b.cfg.Roster.Drain()
				b.tell(apps.ChannelVacated, "news")
				pass(time.Minute)
				b.want(r, "channel_occupied news")
				stop(b.T, b.Sender)
				want := []string{"channel_occupied news"}
				if report {
					want = append(want, "channel_vacated news")
				}
				b.want(r, want...)
			})
		})
	}
}

func TestCacheMissesOfACrowdAreOne(t *testing.T) {
	onBench(t, Config{}, apps.Webhook{}, func(b *bench) {
		r := b.receiver("a", nil)
		miss := "cache_miss cache-a"
		for range 50 {
			b.tell(apps.CacheMiss, "cache-a")
		}
		b.want(r, miss)
		pass(4900 * time.Millisecond)
		b.tell(apps.CacheMiss, "cache-a")
		b.want(r, miss)
		pass(200 * time.Millisecond)
		b.tell(apps.CacheMiss, "cache-a")
		b.want(r, miss, miss)
		b.tell(hub.CacheFilled, "cache-a") // and expired at once
		b.tell(apps.CacheMiss, "cache-a")
		b.want(r, miss, miss, miss)
	})
}

func testEventsShareARequest(t *testing.T) {
	onBench(t, Config{}, apps.Webhook{Batch: true}, func(b *bench) {
		r := b.receiver("a", nil)
		var want []string
		for i := range 30 {
			channel := fmt.Sprintf("news-%d", i%7)
			b.tell(apps.ChannelOccupied, channel)
			want = append(want, "channel_occupied "+channel)
			time.Sleep(time.Millisecond)
		}
		pass(15 * time.Millisecond)
		b.want(r) // 45 ms after the first
		pass(10 * time.Millisecond)
		b.want(r, want...)
		all := r.all()
		if len(all) != 1 {
			b.Errorf("there were %d requests, want one", len(all))
		}
		if age := all[0].at.UnixMilli() - all[0].time; age != 0 {
			b.Errorf("time_ms is %d ms before the request", age)
		}
	})
}

func TestBatchIsSentWhenItIsFull(t *testing.T) {
	onBench(t, Config{Delivery: delivery.Policy{BatchInterval: time.Hour}}, apps.Webhook{Batch: true}, func(b *bench) {
		r := b.receiver("a", nil)
		for i := range 250 {
			b.tell(apps.CacheMiss, fmt.Sprintf("cache-%d", i))
		}
		synctest.Wait()
		sizes := []int{}
		for _, d := range r.all() {
			sizes = append(sizes, len(d.events))
		}
		if !slices.Equal(sizes, []int{100, 100}) {
			b.Errorf("requests have %v events, want [100 100] and 50 that wait", sizes)
		}
		pass(time.Hour)
		if n := len(r.events()); n != 250 {
			b.Errorf("%d events came, want 250", n)
		}
	})
}

func TestLargeEventsDoNotShareARequest(t *testing.T) {
	onBench(t, Config{Delivery: delivery.Policy{BatchBytes: 1000}}, apps.Webhook{Batch: true}, func(b *bench) {
		r := b.receiver("a", nil)
		for i := range 4 {
			b.Observe(b.app, clientEvent(fmt.Sprintf("private-%d", i), fmt.Sprintf("%0700d", i)))
		}
		pass(time.Second)
		if all := r.all(); len(all) != 2 || len(all[0].events) != 2 || len(all[1].events) != 2 {
			b.Errorf("there are %d requests, want 2 with 2 events", len(all))
		}
	})
}
