package relay

import (
	"context"
	"io"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/belfryhq/belfry/internal/cluster/broker/natsbroker"
	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/natstest"
)

// BenchmarkForward is what a request costs that came to the wrong node of
// three: the question who has its session, and the way there and back.
func BenchmarkForward(b *testing.B) {
	first := benchRelays(b, 3, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "a[\"hello\"]\n") })
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			pass(b, first)
		}
	})
	b.Run("many", func(b *testing.B) {
		b.ReportAllocs()
		b.SetParallelism(64)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				pass(b, first)
			}
		})
	})
}

func pass(b *testing.B, r *Relay) {
	to, ok := r.Find(b.Context(), "session")
	if !ok {
		b.Error("the session is not found")
		return
	}
	req, err := http.NewRequestWithContext(b.Context(), "POST", "/pusher/app/key/123/abcdefgh/xhr?n=1", nil)
	if err != nil {
		b.Error(err)
		return
	}
	if s := newSink(); !r.Forward(s, req, to) || s.status != http.StatusOK {
		b.Errorf("status %d", s.status)
	}
}

// benchRelays starts relays on one server in memory, of which the last has all
// sessions, and returns the first.
func benchRelays(b *testing.B, n int, handler http.HandlerFunc) *Relay {
	bus := natstest.Start(b, natstest.InProcess())
	var first *Relay
	for i := range n {
		conn, err := nats.Connect("", nats.InProcessServer(bus))
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(conn.Close)
		br, err := natsbroker.New(natsbroker.Config{Conn: conn, ID: node.NewID(), Name: name(i)})
		if err != nil {
			b.Fatal(err)
		}
		r := New(Config{})
		r.Start(Host{Has: func(string) bool { return i == n-1 }, Handler: handler})
		if err := br.Start(r.Receiver(nobody{})); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() {
			r.Close(context.Background())
			br.Close(context.Background())
		})
		if first == nil {
			first = r
		}
	}
	for len(first.allPeers()) < n-1 { // until they know each other
		time.Sleep(time.Millisecond)
	}
	return first
}

// BenchmarkOpen is the memory of a request that is passed on, whose answer has
// begun and is silent, at both nodes together.
func BenchmarkOpen(b *testing.B) {
	const open = 2000
	first := benchRelays(b, 2, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "o\n")
		http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	to, ok := first.Find(b.Context(), "session")
	if !ok {
		b.Fatal("the session is not found")
	}
	for b.Loop() {
		before := used()
		ctx, cancel := context.WithCancel(b.Context())
		var begun, ended sync.WaitGroup
		for range open {
			begun.Add(1)
			ended.Go(func() {
				req, err := http.NewRequestWithContext(ctx, "POST", "/pusher/app/key/123/abcdefgh/xhr_streaming", nil)
				if err != nil {
					b.Error(err)
				}
				first.Forward(&quiet{begun: begun.Done, header: make(http.Header)}, req, to)
			})
		}
		begun.Wait()
		b.ReportMetric(float64(used()-before)/open, "B/request")
		cancel()
		ended.Wait()
	}
}

// used is the memory in use.
func used() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// A quiet is the ResponseWriter of a client of which nothing is kept.
type quiet struct {
	header http.Header
	begun  func()
}

func (q *quiet) Header() http.Header                { return q.header }
func (q *quiet) WriteHeader(int)                    {}
func (q *quiet) Write(b []byte) (int, error)        { return len(b), nil }
func (q *quiet) SetWriteDeadline(t time.Time) error { return nil }
func (q *quiet) Flush() {
	if q.begun != nil {
		q.begun()
		q.begun = nil
	}
}

// BenchmarkBulk is how fast one long answer passes.
func BenchmarkBulk(b *testing.B) {
	piece := make([]byte, 32<<10)
	const pieces = 64
	first := benchRelays(b, 2, func(w http.ResponseWriter, r *http.Request) {
		for range pieces {
			w.Write(piece)
		}
	})
	to, ok := first.Find(b.Context(), "session")
	if !ok {
		b.Fatal("the session is not found")
	}
	b.SetBytes(int64(pieces * len(piece)))
	for b.Loop() {
		req, err := http.NewRequestWithContext(b.Context(), "POST", "/", nil)
		if err != nil {
			b.Fatal(err)
		}
		first.Forward(&quiet{header: make(http.Header)}, req, to)
	}
}
