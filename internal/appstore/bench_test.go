package appstore

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
)

// fill puts many apps into the bucket, without waiting for each.
func (s *service) fill(n int) {
	s.t.Helper()
	js := s.engine.JetStream()
	for i := range n {
		a := apps.New()
		a.ID, a.Name = fmt.Sprint(1_000_000+i), "an app"
		a.Keys = []apps.Key{apps.NewKey(time.Unix(1e9, 0))}
		value, err := (&record{app: a, created: time.Unix(1e9, 0), updated: time.Unix(1e9, 0)}).encode()
		if err != nil {
			s.t.Fatal(err)
		}
		if _, err := js.PublishAsync("$KV."+Bucket+"."+bucketKey(a.ID), value); err != nil {
			s.t.Fatal(err)
		}
		if i%100 == 99 {
			<-js.PublishAsyncComplete()
		}
	}
	<-js.PublishAsyncComplete()
}

// BenchmarkOpen is how long a node takes for its apps when it starts, and what
// they cost it.
func BenchmarkOpen(b *testing.B) {
	for _, n := range []int{1, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := newService(b, b.TempDir())
			s.fill(n)
			before := heap()
			open := s.node()
			if open.registry.Len() != n {
				b.Fatalf("%d apps, want %d", open.registry.Len(), n)
			}
			held := float64(heap()-before) / float64(n)
			open.Close()
			for b.Loop() {
				s.node().Close()
			}
			b.ReportMetric(held, "heap-B/app")
		})
	}
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// BenchmarkCreate makes an app beside many, on disk.
func BenchmarkCreate(b *testing.B) {
	for _, n := range []int{1, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := newService(b, b.TempDir())
			s.fill(n)
			node := s.node()
			for b.Loop() {
				node.create(apps.New())
			}
		})
	}
}
