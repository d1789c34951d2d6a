package hub

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/protocol"
)

// What a history costs, for docs/performance.md.

// keptEvent is an event of the usual size.
var keptEvent = Event{"price", []byte(quote(`{"symbol":"ABC","price":12.5,"at":1700000000}`))}

// keepingAll is a node whose app has no limits, and keeps what it is told to.
func keepingAll(b *testing.B, on bool) *testNode {
	return newTestNode(b, func(a *apps.App) {
		a.Limits = apps.Unlimited()
		a.History = apps.History{Enabled: on, TTL: time.Hour, Events: 1000, Bytes: 512 << 10, AppBytes: math.MaxInt, Rewind: 100}
	})
}

func (n *testNode) mustTrigger(b *testing.B, channel string) {
	if _, err := n.hub.Trigger(context.Background(), n.app, []string{channel}, keptEvent, protocol.SocketID{}); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkHistoryTrigger is the way of an event with a history and without.
func BenchmarkHistoryTrigger(b *testing.B) {
	for _, many := range []int{0, 1, 1000} {
		for _, on := range []bool{false, true} {
			b.Run(fmt.Sprintf("%d/history=%t", many, on), func(b *testing.B) {
				n := keepingAll(b, on)
				for _, s := range sinks(b, n, many) {
					s.Receive(time.Now(), subscribeText(s, "news", ""))
				}
				n.loops.drain()
				b.ReportAllocs()
				for b.Loop() {
					n.mustTrigger(b, "news")
					n.loops.drain()
				}
			})
		}
	}
}

// BenchmarkHistoryMemory is what a kept event takes beside the message.
func BenchmarkHistoryMemory(b *testing.B) {
	const channels, each = 100, 1000
	for b.Loop() {
		n := keepingAll(b, true)
		for c := range channels {
			n.mustTrigger(b, fmt.Sprint("news-", c))
		}
		before := heapBytes()
		for range each - 1 {
			for c := range channels {
				n.mustTrigger(b, fmt.Sprint("news-", c))
			}
		}
		frame := len(protocol.AppendPlaced(nil, keptEvent.Name, "news-10", keptEvent.Data, "", "ABCDEFGHIJKLMNOP"))
		b.ReportMetric(float64(heapBytes()-before)/(channels*(each-1))-float64(frame), "B/event-beside-frame")
		runtime.KeepAlive(n)
	}
}

// BenchmarkHistoryResume is a subscription that gets so many events.
func BenchmarkHistoryResume(b *testing.B) {
	for _, many := range []int{0, 100} {
		b.Run(fmt.Sprint(many), func(b *testing.B) {
			n := keepingAll(b, true)
			for range many {
				n.mustTrigger(b, "news")
			}
			s := sinks(b, n, 1)[0]
			ask := fmt.Appendf(nil, `{"event":"pusher:subscribe","data":{"channel":"news","resume":{"rewind":%d}}}`, many)
			leave := []byte(`{"event":"pusher:unsubscribe","data":{"channel":"news"}}`)
			for b.Loop() {
				s.Receive(time.Now(), ask)
				n.loops.drain()
				s.Receive(time.Now(), leave)
				n.loops.drain()
			}
		})
	}
}
