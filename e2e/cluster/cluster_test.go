package cluster

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfryhq/belfry/e2e/cluster/history"
	"github.com/belfryhq/belfry/e2e/service"
)

// A Cluster is nodes, their clients, and who is told of it all.
type Cluster struct {
	Nodes   []*Node // the witness is the last one
	Hooks   *Receiver
	History *history.History
	Seed    uint64
	Rand    *rand.Rand // of Seed; the test's goroutine alone uses it

	t       testing.TB
	options Options
	dir     string // of the nodes' directories
	network network
	reason  string // why there are no namespaces; empty if there are

	mu      sync.Mutex
	clients []*Client
	streams map[history.Stream]*sync.Mutex
}

// Start starts a cluster and waits until its nodes are together. The test's
// end stops it and fails the test for everything that must not have happened.
func Start(t testing.TB, o Options) *Cluster {
	t.Helper()
	o.Nodes = max(o.Nodes, 1)
	c := &Cluster{t: t, options: o, History: history.New(!o.NoHooks && o.Hooks == ""), streams: make(map[history.Stream]*sync.Mutex)}
	c.Seed = seed(t)
	c.Rand = rand.New(rand.NewPCG(c.Seed, 0))
	count := o.Nodes
	if o.Witness {
		count++
	}
	c.dir = t.TempDir() // before stop is registered, so that it is removed after it
	c.network, c.reason = newNetwork(t, count)
	t.Cleanup(c.stop)
	c.Hooks = startReceiver(t, c.network.gateway(), c.History)
	for i := 1; i <= count; i++ {
		c.addNode(i)
	}
	for _, n := range c.Nodes {
		if err := os.WriteFile(n.dir+"/belfry.yaml", []byte(c.file(n)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range c.Nodes {
		n.start()
	}
	for _, n := range c.Nodes {
		n.awaitReady()
	}
	c.AwaitTogether()
	t.Logf("%d nodes are together after %v", len(c.Nodes), time.Duration(c.History.Now()).Round(time.Millisecond))
	return c
}

// fixedSeed is that of every run, unless $CLUSTER_SEED is another one.
const fixedSeed = 20251

// seed returns the seed of this run, and prints it.
func seed(t testing.TB) uint64 {
	s := uint64(fixedSeed)
	if text := os.Getenv("CLUSTER_SEED"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("CLUSTER_SEED=%s is no number", text)
		}
		s = n
	}
	t.Logf("seed %d (CLUSTER_SEED)", s)
	return s
}

// addNode makes a node that does not run yet.
func (c *Cluster) addNode(number int) {
	c.t.Helper()
	n := &Node{Name: "n" + strconv.Itoa(number), number: number, c: c}
	if number > c.options.Nodes {
		n.Name, n.Witness = witnessName, true
	}
	n.dir = filepath.Join(c.dir, n.Name)
	if err := os.Mkdir(n.dir, 0o700); err != nil {
		c.t.Fatal(err)
	}
	n.Addr, n.AdminAddr, n.peers = c.network.addresses(number)
	n.state.stopped = true
	var err error
	if n.backend, n.http, err = n.newBackend(AppID, Key, Secret); err != nil {
		c.t.Fatal(err)
	}
	if c.options.DataDirSize > 0 {
		n.mountDisk(c.options.DataDirSize)
	}
	c.Nodes = append(c.Nodes, n)
}

// RequireNamespaces skips the test where nodes can not be cut off, unless they
// have to be: for root on Linux in a full run with E2E_REQUIRED. Not every
// machine that runs the tests lets its root make namespaces.
func (c *Cluster) RequireNamespaces() {
	c.t.Helper()
	switch {
	case c.reason == "":
	case os.Getenv("E2E_REQUIRED") != "" && full() && os.Geteuid() == 0:
		c.t.Fatalf("nodes can not be cut off: %s", c.reason)
	default:
		c.t.Skipf("nodes can not be cut off: %s", c.reason)
	}
}

// stop ends everything and says what was wrong.
func (c *Cluster) stop() {
	if doubtful := c.History.Doubtful(); c.t.Failed() && len(doubtful) > 0 {
		c.t.Logf("of what is in doubt the backend was told:\n\t%s", strings.Join(doubtful[max(0, len(doubtful)-60):], "\n\t"))
	}
	for _, cl := range c.allClients() {
		cl.Close()
	}
	var ended sync.WaitGroup
	for _, n := range c.Nodes {
		n.release()
		ended.Go(n.Terminate)
	}
	ended.Wait()
	if c.Hooks != nil {
		c.Hooks.close()
	}
	for _, n := range c.Nodes {
		n.http.CloseIdleConnections()
		n.checkLog()
		if err := n.unmountDisk(); err != nil {
			c.t.Errorf("the disk of %s: %v", n.Name, err)
		}
	}
	if err := c.network.close(); err != nil {
		c.t.Errorf("the network: %v", err)
	}
	c.checkFaults()
	if repeats, overtaken := c.History.Repeats(); repeats+overtaken > 0 {
		c.t.Logf("%d webhooks were told again, %d were overtaken", repeats, overtaken)
	}
	if c.t.Failed() {
		for _, n := range c.Nodes {
			c.t.Logf("%s wrote:\n%s", n.Name, tail(n.Log(), 150))
		}
	}
}

// few returns the first lines of a long list, as one text.
func few(list []string) string {
	const most = 15
	if len(list) > most {
		list = append(list[:most:most], fmt.Sprintf("and %d more", len(list)-most))
	}
	return strings.Join(list, "\n\t")
}

// tail returns the last lines of a text.
func tail(text string, lines int) string {
	all := strings.Split(text, "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// checkFaults fails the test for what must not have happened.
func (c *Cluster) checkFaults() {
	c.t.Helper()
	if faults := c.History.Faults(); len(faults) > 0 {
		c.t.Errorf("%d faults:\n\t%s", len(faults), few(faults))
	}
}

// Serving returns the nodes that clients can be connected to.
func (c *Cluster) Serving() []*Node {
	var list []*Node
	for _, n := range c.Nodes {
		if n.Serves() {
			list = append(list, n)
		}
	}
	return list
}

func (c *Cluster) allClients() []*Client {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.clients[:len(c.clients):len(c.clients)]
}

// atATime is how many tests run at a time: most of what they do is to wait
// until a node is given up.
const atATime = "4"

func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", atATime); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	flag.Parse() // the command line has the last word
	os.Exit(service.Main(m))
}
