package natsbroker

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/belfryhq/belfry/internal/cluster/broker"
	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/natstest"
)

// network is nodes with a server of their own each, as they are in a process,
// whose routes lead through proxies that can be cut.
type network struct {
	cfg Config

	mu      sync.Mutex
	servers map[string]*natsserver.Server // by the node's name
	proxies map[[2]string]*proxy          // by the names of both, sorted
}

func newNetwork(cfg Config) *network {
	return &network{cfg: cfg, servers: map[string]*natsserver.Server{}, proxies: map[[2]string]*proxy{}}
}

func (n *network) MaxPending() int      { return int(n.cfg.MaxPending) }
func (n *network) MaxMessage() int      { return 1 << 20 }
func (n *network) Lease() time.Duration { return n.cfg.Lease }

func (n *network) Join(t testing.TB, name string) broker.Broker {
	t.Helper()
	return newBroker(t, n.cfg, connect(t, n.server(t, name)), name)
}

func newBroker(t testing.TB, cfg Config, conn *nats.Conn, name string) *Broker {
	t.Helper()
	cfg.Conn, cfg.ID, cfg.Name = conn, node.NewID(), name
	b, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// connect is how a node reaches the server in its process.
func connect(t testing.TB, s *natsserver.Server) *nats.Conn {
	t.Helper()
	conn, err := nats.Connect("", nats.InProcessServer(s), nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

// server returns the server of a node, which is started if there is none.
func (n *network) server(t testing.TB, name string) *natsserver.Server {
	t.Helper()
	n.mu.Lock()
	defer n.mu.Unlock()
	if s := n.servers[name]; s != nil {
		return s
	}
	o := natstest.Loopback(natstest.AnyPort)
	o.ServerName = name
	o.Cluster = natsserver.ClusterOpts{
		Name: "test", Host: "127.0.0.1", Port: -1,
		// What servers tell each other must not lead around the proxies.
		Advertise: "127.0.0.1:1", NoAdvertise: true,
	}
	for other, s := range n.servers {
		p := newProxy(t, s.ClusterAddr().String())
		n.proxies[pair(name, other)] = p
		o.Routes = append(o.Routes, &url.URL{Scheme: "nats", Host: p.address()})
	}
	s := natstest.Start(t, o)
	n.servers[name] = s
	for other := range n.servers {
		if other != name {
			n.awaitRoute(t, name, other)
		}
	}
	return s
}

func pair(a, b string) [2]string { return [2]string{min(a, b), max(a, b)} }

// awaitRoute waits until what one node publishes would reach the other.
func (n *network) awaitRoute(t testing.TB, a, b string) {
	t.Helper()
	from, to := connect(t, n.servers[a]), connect(t, n.servers[b])
	defer from.Close()
	defer to.Close()
	heard := make(chan *nats.Msg, 1)
	if _, err := to.ChanSubscribe("probe", heard); err != nil {
		t.Fatal(err)
	}
	eventually(t, "there is a route from "+a+" to "+b, func() bool {
		if err := from.Publish("probe", nil); err != nil {
			t.Fatal(err)
		}
		return len(heard) > 0
	})
}

func (n *network) Cut(t testing.TB, a, b string)  { n.proxies[pair(a, b)].cut(true) }
func (n *network) Heal(t testing.TB, a, b string) { n.proxies[pair(a, b)].cut(false) }

// eventually waits for what has to come.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// A proxy passes connections on, and can be cut.
type proxy struct {
	listener net.Listener
	target   string
	running  sync.WaitGroup

	mu    sync.Mutex
	isCut bool
	conns map[net.Conn]bool
}

func newProxy(t testing.TB, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, target: target, conns: map[net.Conn]bool{}}
	p.running.Go(p.serve)
	t.Cleanup(func() {
		l.Close()
		p.cut(true)
		p.running.Wait()
	})
	return p
}

func (p *proxy) address() string { return p.listener.Addr().String() }

// cut ends all connections and lets no others come about.
func (p *proxy) cut(cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.isCut = cut
	for c := range p.conns {
		c.Close()
	}
	clear(p.conns)
}

// admit reports whether the connections may be; if not, they are closed.
func (p *proxy) admit(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		if p.isCut {
			c.Close()
		} else {
			p.conns[c] = true
		}
	}
	return !p.isCut
}

func (p *proxy) serve() {
	for {
		in, err := p.listener.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", p.target)
		if err != nil {
			in.Close()
			continue
		}
		if p.admit(in, out) {
			p.running.Go(func() { p.pass(in, out) })
			p.running.Go(func() { p.pass(out, in) })
		}
	}
}

func (p *proxy) pass(from, to net.Conn) {
	io.Copy(to, from)
	from.Close()
	to.Close()
}
