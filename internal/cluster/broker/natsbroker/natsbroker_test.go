package natsbroker

import (
	"bytes"
	"context"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/belfryhq/belfry/internal/cluster/broker"
	"github.com/belfryhq/belfry/internal/cluster/broker/brokertest"
	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/natstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// impatient is for tests in which nodes die.
var impatient = Config{Lease: 2 * time.Second, Grace: time.Second, MaxPending: 1 << 20}

// TestContract runs over servers with routes between each two of them.
func TestContract(t *testing.T) {
	brokertest.Run(t, func(t *testing.T, test func(*testing.T, brokertest.Network)) {
		t.Parallel()
		test(t, newNetwork(impatient))
	})
}

// A listener is a receiver that remembers what it has heard.
type listener struct {
	mu     sync.Mutex
	links  map[string]broker.Link // those who are there
	counts map[string][]uint64    // of messages, by the name of the sender
	lost   int
	left   int
}

func newListener() *listener {
	return &listener{links: map[string]broker.Link{}, counts: map[string][]uint64{}}
}

func (l *listener) Joined(k broker.Link) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.links[k.Name()] = k
}

func (l *listener) Left(k broker.Link) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.left++
	delete(l.links, k.Name())
}

func (l *listener) Lost(broker.Link) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lost++
}

func (l *listener) Receive(k broker.Link, m *broker.Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts[k.Name()] = append(l.counts[k.Name()], m.Count)
}

func (l *listener) link(name string) broker.Link {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.links[name]
}

// last is the last number of a sender, zero if there is none.
func (l *listener) last(name string) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if c := l.counts[name]; len(c) > 0 {
		return c[len(c)-1]
	}
	return 0
}

func numbered(n uint64) *broker.Message {
	return &broker.Message{Kind: broker.Subscribers, Count: n}
}

// begin starts a broker until the test ends.
func begin(t testing.TB, b *Broker) *listener {
	t.Helper()
	l := newListener()
	if err := b.Start(l); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := b.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	return l
}

// couple starts two nodes and waits until they know each other.
func couple(t testing.TB, a, b *Broker) (la, lb *listener) {
	t.Helper()
	la, lb = begin(t, a), begin(t, b)
	eventually(t, "both have joined", func() bool { return la.link("b") != nil && lb.link("a") != nil })
	return la, lb
}

// TestServerStartsAgain: while there is no server, nothing blocks and what is
// sent waits; when it is back, nobody has to do anything.
func TestServerStartsAgain(t *testing.T) {
	// Patient nodes: it is the connection that is tested.
	cfg := Config{Lease: 30 * time.Second, MaxPending: 1 << 20}
	first := natstest.Start(t, natstest.Loopback(natstest.AnyPort))
	dial := func() *nats.Conn {
		conn, err := nats.Connect(first.ClientURL(), nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(conn.Close)
		return conn
	}
	ca, cb := dial(), dial()
	a, b := newBroker(t, cfg, ca, "a"), newBroker(t, cfg, cb, "b")
	la, lb := couple(t, a, b)
	la.link("b").Send(numbered(1))
	eventually(t, "a message has come", func() bool { return lb.last("a") == 1 })

	port := first.Addr().(*net.TCPAddr).Port
	first.Shutdown()
	first.WaitForShutdown()
	eventually(t, "the connections are lost", func() bool { return !ca.IsConnected() && !cb.IsConnected() })
	text := make([]byte, 1000)
	for range 4 * cfg.MaxPending / 1000 { // more than can wait
		la.link("b").Send(&broker.Message{Kind: broker.Event, Text: text})
	}
	if p := a.Peers()[0]; p.PendingBytes > cfg.MaxPending || p.DroppedMessages == 0 {
		t.Errorf("without a server %d bytes wait and %d messages were dropped, want up to %d and some", p.PendingBytes, p.DroppedMessages, cfg.MaxPending)
	}
	again := natstest.Loopback(natstest.AnyPort)
	again.Port = port
	natstest.Start(t, again)
	eventually(t, "the loss is known", func() bool {
		lb.mu.Lock()
		defer lb.mu.Unlock()
		return lb.lost > 0
	})
	eventually(t, "messages come again", func() bool {
		la.link("b").Send(numbered(99))
		lb.link("a").Send(numbered(99))
		return lb.last("a") == 99 && la.last("b") == 99
	})
	if la.left > 0 || lb.left > 0 {
		t.Error("a node left because of a server that was started again within the lease")
	}
}

// TestStrangers: whoever can publish to the subjects can not do harm with what
// no node says.
func TestStrangers(t *testing.T) {
	reg := prometheus.NewRegistry()
	s := natstest.Start(t, natstest.Loopback(natstest.AnyPort))
	cfg := impatient
	other := newBroker(t, cfg, connect(t, s), "b")
	cfg.Registerer = reg
	b := newBroker(t, cfg, connect(t, s), "a")
	la, lb := couple(t, b, other)
	stranger := connect(t, s)
	junk := [][]byte{nil, []byte("hello"), bytes.Repeat([]byte{0xBE}, 1000), {0xBE, 1, 3}, append([]byte{0xBE, 1, 1}, strings.Repeat("A", 16)...)}
	for _, subject := range []string{"belfry.belfry.bus." + string(b.ID()), "belfry.belfry.beat"} {
		for _, packet := range junk {
			if err := stranger.Publish(subject, packet); err != nil {
				t.Fatal(err)
			}
		}
	}
	eventually(t, "what is no packet was refused", func() bool { return value(t, reg, "belfry_cluster_refused_packets_total") >= 8 })
	lb.link("a").Send(numbered(5))
	eventually(t, "messages come", func() bool { return la.last("b") == 5 })
	if p := b.Peers(); len(p) != 1 || p[0].Gaps != 0 {
		t.Errorf("peers are %+v, want one and no gaps", p)
	}
}

func TestClustersAreApart(t *testing.T) {
	s := natstest.Start(t, natstest.Loopback(natstest.AnyPort))
	cfg := Config{Cluster: "other"}
	cfg.Lease = time.Second
	c := newBroker(t, cfg, connect(t, s), "c")
	begin(t, c)
	a, b := newBroker(t, impatient, connect(t, s), "a"), newBroker(t, impatient, connect(t, s), "b")
	couple(t, a, b)
	// By then c has beaten as well.
	eventually(t, "two pulses have come", func() bool { return a.Peers()[0].ReceivedPackets > 2 })
	if len(a.Peers()) != 1 || len(c.Peers()) != 0 {
		t.Errorf("a has %d peers and c %d, want 1 and none: they are of two clusters", len(a.Peers()), len(c.Peers()))
	}
}

func TestStatus(t *testing.T) {
	s := natstest.Start(t, natstest.Loopback(natstest.AnyPort))
	cfg := impatient
	cfg.Info = map[string]string{"version": "1.2.3", "witness": "true"}
	a, b := newBroker(t, impatient, connect(t, s), "a"), newBroker(t, cfg, connect(t, s), "b")
	couple(t, a, b)
	eventually(t, "the round trip is known", func() bool { return a.Peers()[0].RoundTrip > 0 })
	p := a.Peers()[0]
	if p.ID != b.ID() || p.Name != "b" || p.Info["version"] != "1.2.3" || p.Info["witness"] != "true" || p.Suspect || p.Leaving {
		t.Errorf("status is %+v, want b's", p)
	}
}

func TestConfigIsChecked(t *testing.T) {
	conn := connect(t, natstest.Start(t, natstest.Loopback(natstest.AnyPort)))
	good := Config{Conn: conn, ID: node.NewID(), Name: "a"}
	tests := map[string]func(*Config){
		"no connection":     func(c *Config) { c.Conn = nil },
		"no id":             func(c *Config) { c.ID = "" },
		"no name":           func(c *Config) { c.Name = "" },
		"cluster of tokens": func(c *Config) { c.Cluster = "a.b" },
		"cluster wildcard":  func(c *Config) { c.Cluster = ">" },
	}
	if _, err := New(good); err != nil {
		t.Errorf("New of a good configuration = %v", err)
	}
	for name, spoil := range tests {
		bad := good
		spoil(&bad)
		if _, err := New(bad); err == nil {
			t.Errorf("%s: New is no error", name)
		}
	}
}

func TestStartNeedsAConnection(t *testing.T) {
	conn := connect(t, natstest.Start(t, natstest.Loopback(natstest.AnyPort)))
	b := newBroker(t, Config{}, conn, "a")
	conn.Close()
	if err := b.Start(newListener()); err == nil {
		t.Error("Start over a closed connection is no error")
	}
	if err := b.Close(t.Context()); err != nil {
		t.Errorf("Close = %v", err)
	}
}

// value is that of a counter.
func value(t *testing.T, reg *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	var names []string
	for _, f := range families {
		names = append(names, f.GetName())
	}
	slices.Sort(names)
	t.Fatalf("no metric %s among %v", name, names)
	return 0
}
