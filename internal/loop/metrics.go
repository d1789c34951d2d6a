package loop

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfryhq/belfry/internal/frame"
)

// traffic is what has gone over the sockets of a loop since its start, in bytes.
// The loop alone writes it, so that counting shares no memory with other loops.
type traffic struct {
	received atomic.Uint64 // of handlers
	sent     atomic.Uint64 // taken by links, or on their way
}

// sendFrames counts frames that cost so much together.
func (t *traffic) sendFrames(frames, cost int) { t.sent.Add(uint64(cost - frames*frame.Overhead)) }

// register registers what the loops count.
func (g *Group) register(r prometheus.Registerer) {
	if r == nil {
		return
	}
	sum := func(of func(*traffic) *atomic.Uint64) func() float64 {
		return func() float64 {
			n := uint64(0)
			for _, l := range g.loops {
				n += of(&l.traffic).Load()
			}
			return float64(n)
		}
	}
	r.MustRegister(
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "belfry_client_received_bytes_total",
			Help: "Bytes that clients have sent: WebSocket frames, or messages of the HTTP transports, without TLS and headers.",
		}, sum(func(t *traffic) *atomic.Uint64 { return &t.received })),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "belfry_client_sent_bytes_total",
			Help: "Bytes of frames that were handed to the connections of clients, without TLS and headers.",
		}, sum(func(t *traffic) *atomic.Uint64 { return &t.sent })),
	)
}
