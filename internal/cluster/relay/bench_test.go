package relay

import (
	"io"
	"net/http"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/natstest"
)

// BenchmarkForward is what a request costs that came to the wrong node of
// three: the question who has its session, and the way there and back.
func BenchmarkForward(b *testing.B) {
	bus := natstest.Start(b, natstest.InProcess())
	ids := []node.ID{node.NewID(), node.NewID(), node.NewID()}
	var first *Relay
	for i, id := range ids {
		conn, err := nats.Connect("", nats.InProcessServer(bus))
		if err != nil {
			b.Fatal(err)
		}
		defer conn.Close()
		r, err := New(Config{Conn: conn, ID: id, Peers: func() []node.ID { return ids }})
		if err != nil {
			b.Fatal(err)
		}
		err = r.Start(Host{Has: func(string) bool { return i == 2 }, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "a[\"hello\"]\n")
		})})
		if err != nil {
			b.Fatal(err)
		}
		defer r.Close(b.Context())
		if first == nil {
			first = r
		}
	}
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
