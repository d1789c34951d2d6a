package engine

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strconv"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"
)

// A Cluster says how an embedded server joins others. The zero value is a
// server that is alone and listens nowhere.
type Cluster struct {
	// Name is what the node is called. It must be different for every node and
	// the same after another start on the same data directory: by it the
	// others know whose copies the directory has.
	Name string
	// Listen is where the others connect, as in "0.0.0.0:6003". Empty means
	// that there are no others, and that nothing else of this counts.
	Listen string
	// Advertise is the address by which the others reach Listen, if it is not
	// the one that this node's connections come from.
	Advertise string
	// Join are addresses of other nodes. One that leads to this node does no
	// harm, and neither does a name that stands for several nodes. Without any
	// the node waits until others join it.
	Join []string
	// Lease is how long a node may be silent until the others suspect it. A
	// connection to one that does not answer ends before. Zero means
	// DefaultLease.
	Lease time.Duration
	// Secret is what all nodes of the cluster know, and nobody else.
	Secret string
	// CertFile, KeyFile and CAFile make the nodes encrypt what they say to
	// each other, and refuse whoever has no certificate of that authority.
	// Give all or none. They are read for each connection, so that files that
	// change need no restart.
	CertFile, KeyFile, CAFile string
}

// Clustered reports whether there may be other nodes.
func (c Cluster) Clustered() bool { return c.Listen != "" }

// ClusterName is what the cluster is called in JetStream, and the domain of
// its API.
const ClusterName = "belfry"

const (
	// clusterDirectory is where a clustered server keeps its part. It is not
	// the one of a server that is alone: JetStream in a cluster removes streams
	// of which the cluster does not know.
	clusterDirectory = "engine-cluster"

	clusterUser = "belfry" // goes with Cluster.Secret
	systemUser  = "system" // of connections in the process to the system account

	// routeAuth is how long a connection may take to say who it is.
	routeAuth = 5 * time.Second
	// reportEvery is how many attempts to connect, one in a second, make one
	// line of the log.
	reportEvery = 60
)

var errNoSecret = errors.New("engine: a cluster needs a secret and a name for each node")

// join makes a clustered server of the one that options describe.
func (c Cluster) join(options *natsserver.Options, log *slog.Logger) error {
	if c.Secret == "" || c.Name == "" {
		return errNoSecret
	}
	host, port, err := splitAddress(c.Listen)
	if err != nil {
		return fmt.Errorf("engine: address of the cluster: %w", err)
	}
	// Asked here, because the server says it in its log only.
	l, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("engine: %w", err)
	}
	l.Close()
	// Routes need a server that listens for clients. Nobody but this process
	// gets past insideOnly.
	options.DontListen, options.Host, options.Port = false, "127.0.0.1", natsserver.RANDOM_PORT
	options.ServerName = c.Name
	options.JetStreamDomain = ClusterName
	options.Routes = c.routes(host, port)
	options.ConnectErrorReports, options.ReconnectErrorReports = reportEvery, reportEvery
	options.Cluster = natsserver.ClusterOpts{
		Name:          ClusterName,
		Host:          host,
		Port:          port,
		Advertise:     c.Advertise,
		Username:      clusterUser,
		Password:      c.Secret,
		AuthTimeout:   routeAuth.Seconds(),
		NoAdvertise:   true, // of the listener for clients
		PingInterval:  c.routePing(),
		MaxPingsOut:   routePings,
		WriteDeadline: c.routeWrite(),
		// Two connections between two nodes: one for messages, which all
		// belong to one account, and the one that the system account always
		// has for itself, which carries replication.
		PoolSize: 1,
		// Messages are short, and nodes are near each other: compression
		// would cost more time than the network.
		Compression: natsserver.CompressionOpts{Mode: natsserver.CompressionOff},
	}
	if c.CertFile == "" {
		return nil
	}
	options.Cluster.TLSTimeout = routeAuth.Seconds()
	if options.Cluster.TLSConfig, err = c.tls(log); err != nil {
		return err
	}
	return nil
}

// DefaultLease is that of Cluster.Lease.
const DefaultLease = 5 * time.Second

// A connection between nodes ends when so many pings are unanswered: after two
// thirds of the lease. Shorter cuts are mended by TCP, which sends again what
// was lost. It tries less and less often, so that after longer ones another
// connection is there sooner: the server makes it after a second, in time
// before the lease is over. What was under way is sent again by package mesh.
const (
	routePings      = 9
	pingsOfOneLease = 14
)

func (c Cluster) routePing() time.Duration { return cmp.Or(c.Lease, DefaultLease) / pingsOfOneLease }

// routeWrite bounds how long a node that does not read holds up what is for
// the others. The first write to it that does not fit into its window may be
// made by the goroutine that reads from this process.
func (c Cluster) routeWrite() time.Duration { return 2 * cmp.Or(c.Lease, DefaultLease) / 5 }

// routes are where the server connects to. JetStream takes their number for
// that of the nodes that found a cluster together, all of which must be
// there for that. So they are each node once, and this one among them.
func (c Cluster) routes(host string, port int) []*url.URL {
	nodes := findNodes(c.Join, ownAddresses(c.Listen, c.Advertise))
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	self := cmp.Or(nodes.several, net.JoinHostPort(host, strconv.Itoa(port)))
	var list []*url.URL
	for _, address := range append(nodes.others, self) {
		list = append(list, &url.URL{Scheme: "nats-route", Host: address, User: url.UserPassword(clusterUser, c.Secret)})
	}
	return list
}

// insideOnly lets in what comes from this process, and nothing else.
type insideOnly struct{ server *natsserver.Server }

// Check is called for each new connection of a client.
func (i *insideOnly) Check(c natsserver.ClientAuthentication) bool {
	if c.RemoteAddress().Network() != "pipe" {
		return false
	}
	user := &natsserver.User{Username: c.GetOpts().Username, Account: i.server.GlobalAccount()}
	if user.Username == systemUser {
		user.Account = i.server.SystemAccount()
	}
	c.RegisterUser(user)
	return true
}

// splitAddress is a listener's address as the server wants it.
func splitAddress(address string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, err
	}
	if port, err = strconv.Atoi(text); err != nil || port <= 0 {
		return "", 0, fmt.Errorf("%s has no port that others could know", address)
	}
	return cmp.Or(host, "0.0.0.0"), port, nil
}
