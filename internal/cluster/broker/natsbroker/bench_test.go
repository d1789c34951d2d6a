package natsbroker

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/belfryhq/belfry/internal/cluster/broker"
	"github.com/belfryhq/belfry/internal/natstest"
)

// A counter is a receiver that counts, and tells when a number was reached.
type counter struct {
	joined  chan broker.Link
	got     atomic.Int64
	want    atomic.Int64
	reached chan struct{}
	lost    atomic.Int64
}

func newCounter() *counter {
	return &counter{joined: make(chan broker.Link, 8), reached: make(chan struct{}, 1)}
}

func (c *counter) Joined(l broker.Link) { c.joined <- l }
func (c *counter) Left(broker.Link)     {}
func (c *counter) Lost(broker.Link)     { c.lost.Add(1) }
func (c *counter) Receive(broker.Link, *broker.Message) {
	if c.got.Add(1) == c.want.Load() {
		c.reached <- struct{}{}
	}
}

// overServers runs a benchmark between two nodes at one server, and between
// two at servers that are joined by a route.
func overServers(b *testing.B, bench func(b *testing.B, to broker.Link, at *counter)) {
	run := func(name string, connections func(b *testing.B) [2]*nats.Conn) {
		b.Run(name, func(b *testing.B) {
			conns := connections(b)
			from, at := newCounter(), newCounter()
			for i, c := range []*counter{from, at} {
				n := newBroker(b, Config{}, conns[i], []string{"a", "b"}[i])
				if err := n.Start(c); err != nil {
					b.Fatal(err)
				}
				b.Cleanup(func() { n.Close(b.Context()) })
			}
			l := <-from.joined
			<-at.joined
			bench(b, l, at)
			if at.lost.Load() > 0 {
				b.Errorf("%d losses", at.lost.Load())
			}
		})
	}
	run("one server", func(b *testing.B) [2]*nats.Conn {
		s := natstest.Start(b, natstest.Loopback(natstest.AnyPort))
		return [2]*nats.Conn{connect(b, s), connect(b, s)}
	})
	run("two servers", func(b *testing.B) [2]*nats.Conn {
		first := natstest.Loopback(natstest.AnyPort)
		first.ServerName = "a"
		first.Cluster = natsserver.ClusterOpts{Name: "test", Host: "127.0.0.1", Port: -1}
		s := natstest.Start(b, first)
		second := natstest.Loopback(natstest.AnyPort)
		second.ServerName = "b"
		second.Cluster = first.Cluster
		second.Cluster.Port = -1
		second.Routes = natsserver.RoutesFromStr("nats://" + s.ClusterAddr().String())
		return [2]*nats.Conn{connect(b, s), connect(b, natstest.Start(b, second))}
	})
}

func event() *broker.Message {
	return &broker.Message{
		Kind: broker.Event, App: "app-id", Name: "private-room-4711",
		Text: []byte(`{"event":"client-moved","channel":"private-room-4711","data":"` + strings.Repeat("x", 130) + `"}`),
	}
}

func BenchmarkThroughput(b *testing.B) {
	overServers(b, func(b *testing.B, to broker.Link, at *counter) {
		m, sent := event(), int64(0)
		b.ReportAllocs()
		for b.Loop() {
			to.Send(m)
			if sent++; sent%1000 == 0 {
				if err := to.Room(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		}
		at.want.Store(sent)
		for at.got.Load() < sent {
			time.Sleep(100 * time.Microsecond)
		}
		b.ReportMetric(float64(sent)/b.Elapsed().Seconds(), "messages/s")
	})
}

func BenchmarkLatency(b *testing.B) {
	overServers(b, func(b *testing.B, to broker.Link, at *counter) {
		m, sent := event(), int64(0)
		var all []time.Duration
		for b.Loop() {
			sent++
			at.want.Store(sent)
			begin := time.Now()
			to.Send(m)
			<-at.reached
			all = append(all, time.Since(begin))
		}
		slices.Sort(all)
		b.ReportMetric(float64(all[len(all)/2].Microseconds()), "p50-µs")
		b.ReportMetric(float64(all[len(all)*99/100].Microseconds()), "p99-µs")
	})
}

// BenchmarkSync is how long a confirmation takes.
func BenchmarkSync(b *testing.B) {
	overServers(b, func(b *testing.B, to broker.Link, _ *counter) {
		m, done := event(), make(chan struct{})
		var all []time.Duration
		for b.Loop() {
			begin := time.Now()
			to.Send(m)
			to.Sync(func() { done <- struct{}{} })
			<-done
			all = append(all, time.Since(begin))
		}
		slices.Sort(all)
		b.ReportMetric(float64(all[len(all)/2].Microseconds()), "p50-µs")
		b.ReportMetric(float64(all[len(all)*99/100].Microseconds()), "p99-µs")
	})
}
