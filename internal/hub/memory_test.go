package hub

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/belfryhq/belfry/internal/cluster/broker"
)

// What a node pays for what its peers hold: reported as bytes, for
// docs/performance.md.
func BenchmarkHeldByPeer(b *testing.B) {
	const many = 100_000
	for _, bm := range []struct {
		name string
		make func(i int) *broker.Message
	}{
		{"channel", func(i int) *broker.Message {
			return &broker.Message{Kind: broker.Subscribers, App: "1", Name: fmt.Sprintf("private-user-%d", i), On: true, Count: 1}
		}},
		{"member", func(i int) *broker.Message {
			return &broker.Message{Kind: broker.Member, App: "1", Name: fmt.Sprintf("presence-room-%d", i/100), User: fmt.Sprint("user-", i), On: true}
		}},
		{"user", func(i int) *broker.Message {
			return &broker.Message{Kind: broker.SignedIn, App: "1", Name: fmt.Sprint("user-", i), On: true}
		}},
	} {
		b.Run(bm.name, func(b *testing.B) {
			for b.Loop() {
				n := newTestNode(b, nil)
				before := heapBytes()
				for i := range many {
					n.hub.receive("", 1, bm.make(i))
				}
				b.ReportMetric(float64(heapBytes()-before)/many, "B/"+bm.name)
				runtime.KeepAlive(n)
			}
		})
	}
}

func heapBytes() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
