package httpapi

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/keyuse"
	"github.com/belfryhq/belfry/protocol"
)

// idleHub delivers nothing.
type idleHub struct{ fakeHub }

func (h *idleHub) Trigger(context.Context, *apps.App, []string, hub.Event, protocol.SocketID) (hub.Receipt, error) {
	return hub.Receipt{}, nil
}

func (h *idleHub) TriggerBatch(context.Context, *apps.App, []hub.Targeted) (hub.Receipt, error) {
	return hub.Receipt{}, nil
}

// discard is a response that nobody reads.
type discard struct {
	header http.Header
	status int
}

func (w *discard) Header() http.Header         { return w.header }
func (w *discard) WriteHeader(status int)      { w.status = status }
func (w *discard) Write(p []byte) (int, error) { return len(p), nil }

// rewound is a body that can be sent again.
type rewound struct{ bytes.Reader }

func (*rewound) Close() error { return nil }

var _ io.ReadCloser = (*rewound)(nil)

func BenchmarkTrigger(b *testing.B) {
	for name, q := range map[string]request{
		"one":     event(`{"name":"price","channels":["ticker-eur-usd"],"data":"{\"usd\":12,\"at\":\"2024-01-01T00:00:00Z\",\"text\":\"` + strings.Repeat("x", 50) + `\"}"}`),
		"hundred": event(`{"name":"price","channels":` + names(100) + `,"data":"{\"usd\":12}"}`),
		"large":   event(`{"name":"price","channels":["ticker"],"data":"` + strings.Repeat("x", 10000) + `"}`),
		"batch":   batch(strings.Split(strings.TrimSuffix(strings.Repeat(`{"channel":"ticker","name":"price","data":"12"};`, 10), ";"), ";")...),
		"query":   get("/apps/3/channels/presence-desk", "info=user_count"),
	} {
		b.Run(name, func(b *testing.B) {
			f := newFixture()
			f.cfg.Hub, f.cfg.KeyUses = &idleHub{}, keyuse.New(nil)
			handler := f.serving(b)
			r, w, body := q.build(), &discard{header: http.Header{}}, &rewound{}
			r.Body = body
			b.ReportAllocs()
			for b.Loop() {
				body.Reset([]byte(q.body))
				handler.ServeHTTP(w, r)
			}
			if w.status != 200 {
				b.Fatalf("status = %d, want 200", w.status)
			}
		})
	}
}

// BenchmarkSignature is what no request can be faster than.
func BenchmarkSignature(b *testing.B) {
	q := event(`{"name":"price","channels":["ticker-eur-usd"],"data":"12"}`)
	params := appendParams(nil, strings.TrimPrefix(q.target(), q.path+"?"), true)
	given := q.sign(q.pairs())
	b.ReportAllocs()
	for b.Loop() {
		if !protocol.VerifySignature(testSecret, protocol.RequestText(q.method, q.path, params), given) {
			b.Fatal("wrong signature")
		}
	}
}

// BenchmarkTriggerOfAnyApp goes through the apps of a service one after the
// other, so that no two requests in a row find the same.
func BenchmarkTriggerOfAnyApp(b *testing.B) {
	for _, n := range []int{1, 10_000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			f := newFixture()
			f.cfg.Hub, f.cfg.KeyUses = &idleHub{}, keyuse.New(nil)
			handler := f.serving(b)
			list := make([]*apps.App, n)
			requests := make([]*http.Request, n)
			body := &rewound{}
			q := event(`{"name":"price","channels":["ticker-eur-usd"],"data":"{\"usd\":12}"}`)
			for i := range list {
				key := "key" + strconv.Itoa(i)
				list[i] = apps.New()
				list[i].ID, list[i].Keys = "app"+strconv.Itoa(i), []apps.Key{{Key: key, Secret: testSecret}}
				one := q
				one.path, one.set = "/apps/"+list[i].ID+"/events", map[string]string{"auth_key": key}
				requests[i] = one.build()
				requests[i].Body = body
			}
			if err := f.cfg.Apps.Apply(list, nil); err != nil {
				b.Fatal(err)
			}
			w, i := &discard{header: http.Header{}}, 0
			b.ReportAllocs()
			for b.Loop() {
				body.Reset([]byte(q.body))
				handler.ServeHTTP(w, requests[i%n])
				i++
			}
			if w.status != 200 {
				b.Fatalf("status = %d, want 200", w.status)
			}
		})
	}
}
