package server

import (
	"context"
	"crypto/rand"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/belfryhq/belfry/internal/datadir"
	"github.com/belfryhq/belfry/internal/engine"
)

// A ClusterConfig says how a node and its peers find and treat each other. The
// zero value is a node that is alone.
type ClusterConfig struct {
	// Name is what the node is called; it must be different for every node.
	// Empty means one that is made once and kept in DataDir.
	Name string
	// Listen is where peers connect, as in "0.0.0.0:6003". Empty means that
	// the engine in this process has no peers.
	Listen string
	// Advertise is the address by which peers reach Listen, if it is not the
	// one that this node's connections come from.
	Advertise string
	// Join are addresses of nodes, of which this one may be one.
	Join []string
	// Secret is what all nodes know.
	Secret string
	// These make peers encrypt what they say, and show certificates; all or
	// none.
	TLSCertFile, TLSKeyFile, TLSCAFile string

	// Witness is a node without clients, which counts when more than half of
	// the nodes are asked for.
	Witness bool

	// Lease is how long a peer is silent until it counts as dead. Zero means
	// DefaultLease.
	Lease time.Duration
	// Grace is how long the clients of a dead peer have to come back before
	// they count as gone. Zero means DefaultGrace, negative none.
	Grace time.Duration
	// DrainDelay is how long a node that stops is not ready and still has all
	// its clients, so that a load balancer sends new ones elsewhere.
	DrainDelay time.Duration
}

// The defaults of ClusterConfig.
const (
	DefaultLease = 5 * time.Second
	DefaultGrace = 5 * time.Second
)

// Clustered reports whether the node may have peers: those of its own engine,
// or of one elsewhere.
func (c *Config) Clustered() bool { return c.Cluster.Listen != "" || c.EngineURL != "" }

// engine is the part that the engine knows.
func (c *ClusterConfig) engine(name string) engine.Cluster {
	return engine.Cluster{
		Name:      name,
		Listen:    c.Listen,
		Advertise: c.Advertise,
		Join:      c.Join,
		Lease:     c.Lease,
		Secret:    c.Secret,
		CertFile:  c.TLSCertFile,
		KeyFile:   c.TLSKeyFile,
		CAFile:    c.TLSCAFile,
	}
}

// starting bounds the start of the engine. Peers are waited for until the
// process is told to stop.
func (p *process) starting() (context.Context, context.CancelFunc) {
	if p.cfg.Cluster.Listen == "" {
		return context.WithTimeout(context.Background(), stateTimeout)
	}
	return signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
}

// nodeFile is the name of a file in the data directory.
const nodeFile = "node"

// nodeName tells this node from others on the same engine. It is the same
// after another start on the same data directory.
func (c *Config) nodeName() (string, error) {
	switch {
	case !c.Clustered():
		return "", nil
	case c.Cluster.Name != "":
		return c.Cluster.Name, nil
	case c.DataDir == "":
		return madeName(), nil
	}
	name, _, err := datadir.Text(c.DataDir, nodeFile, madeName)
	return name, err
}

// madeName is the name of the host, as far as it can stand in a subject, and
// something that tells its nodes apart.
func madeName() string {
	const most = 40
	host, _ := os.Hostname() // without one it is the rest alone
	host, _, _ = strings.Cut(host, ".")
	name := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-', r == '_':
			return r
		}
		return '-'
	}, host)
	if name == "" {
		name = "node"
	}
	return name[:min(len(name), most)] + "-" + strings.ToLower(rand.Text()[:6])
}
