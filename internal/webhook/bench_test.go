//go:build unix

package webhook

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/cluster/roster/local"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/webhook/delivery"
)

// cpu is the processor time that this process has used.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// taker is an endpoint without a network that takes everything.
type taker struct{}

func (taker) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Body: http.NoBody, Header: http.Header{}, Request: r}, nil
}

// absent is an endpoint that is not there until the request times out.
type absent struct{}

func (absent) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// BenchmarkObserve is what news costs: the time under the hub's lock (ns/op),
// and all processor time until the engine has it on disk (cpu-ns/op), or until
// it is delivered by an HTTP that costs nothing.
func BenchmarkObserve(b *testing.B) {
	wants := func(e apps.WebhookEvents) []apps.Webhook {
		return []apps.Webhook{{URL: "http://a", Events: e, Batch: true}}
	}
	tests := map[string]struct {
		hooks     []apps.Webhook
		transport http.RoundTripper
		data      int
		perMilli  int // events in a millisecond; 0 for as many as there can be
	}{
		"no webhooks":              {nil, absent{}, 100, 0},
		"nobody wants it":          {wants(apps.CacheMiss), absent{}, 100, 0},
		"queued, 100 bytes":        {wants(apps.ClientEvent), absent{}, 100, 0},
		"queued, 1000 bytes":       {wants(apps.ClientEvent), absent{}, 1000, 0},
		"delivered, 100 bytes":     {wants(apps.ClientEvent), taker{}, 100, 0},
		"1000/s, no webhooks":      {nil, absent{}, 100, 1},
		"1000/s, delivered":        {wants(apps.ClientEvent), taker{}, 100, 1},
		"10000/s, no webhooks":     {nil, absent{}, 100, 10},
		"10000/s, delivered":       {wants(apps.ClientEvent), taker{}, 100, 10},
		"delivered to 2, 100 byte": {[]apps.Webhook{{URL: "http://a", Events: apps.ClientEvent, Batch: true}, {URL: "http://b", Events: apps.ClientEvent, Batch: true}}, taker{}, 100, 0},
	}
	for name, tt := range tests {
		b.Run(name, func(b *testing.B) {
			app := newApp("1", tt.hooks...)
			gate := &benchGate{}
			s, err := New(b.Context(), Config{Apps: registry(b, app), Engine: openEngine(b, b.TempDir()), Roster: local.New(local.Config{}), Gate: gate, Delivery: delivery.Policy{Transport: tt.transport}})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Stop(context.Background())
			n := hub.News{Kind: apps.ClientEvent, Event: "client-typing", Data: []byte(`"` + strings.Repeat("x", tt.data) + `"`)}
			channels := make([]string, 100)
			for i := range channels {
				channels[i] = fmt.Sprintf("private-room-%d", i)
			}
			b.ReportAllocs()
			before, under, i := cpu(b), time.Duration(0), 0
			for b.Loop() {
				if tt.perMilli > 0 && i%tt.perMilli == 0 {
					time.Sleep(time.Millisecond) // the rate of the load
				}
				gate.wait()
				n.Channel = channels[i%100]
				i++
				start := time.Now()
				s.Observe(app, n)
				under += time.Since(start)
			}
			for s.recorder.pending() > 0 {
				time.Sleep(time.Millisecond)
			}
			for tt.transport == (taker{}) && s.dispatcher.Totals().Busy > 0 {
				time.Sleep(time.Millisecond)
			}
			b.ReportMetric(float64(cpu(b)-before)/float64(i), "cpu-ns/op")
			b.ReportMetric(float64(under)/float64(i), "locked-ns/op")
		})
	}
}

// A benchGate makes the caller wait while the sender has too much to do, as
// the loops do.
type benchGate struct{ held, app atomic.Bool }

func (g *benchGate) Hold()    { g.held.Store(true) }
func (g *benchGate) Release() { g.held.Store(false) }

func (g *benchGate) HoldOwner(string)    { g.app.Store(true) }
func (g *benchGate) ReleaseOwner(string) { g.app.Store(false) }

func (g *benchGate) wait() {
	for g.held.Load() || g.app.Load() {
		time.Sleep(100 * time.Microsecond)
	}
}
