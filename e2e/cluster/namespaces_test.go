package cluster

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Ports of nodes in namespaces of their own.
const (
	clientPort = 8080
	adminPort  = 8081
	peerPort   = 8082
)

var errNoNamespaces = errors.New("nodes are not in network namespaces of their own")

// namespaces is a network of Linux namespaces:
//
//	here ── client bridge ─┬─ node 1 ─┬─ bridge of the nodes
//	                       ├─ node 2 ─┤
//	                       └─ node 3 ─┘
//
// Both bridges are in a namespace too. Their names begin with this process, so
// that what a killed one left can be told and removed.
type namespaces struct {
	prefix string // of the names of namespaces
	link   string // the interface here
	subnet string // of clients: its first three numbers
	nodes  int
}

// networks numbers the networks of this process.
var networks atomic.Int64

// leftOvers is done once, before the first network is made.
var leftOvers sync.Once

// newNamespaces makes a network, or says why it can not.
func newNamespaces(nodes int) (*namespaces, error) {
	if runtime.GOOS != "linux" {
		return nil, errors.New("network namespaces are Linux's")
	}
	if os.Geteuid() != 0 {
		return nil, errors.New("network namespaces need root")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		return nil, errors.New("there is no ip: apt-get install iproute2")
	}
	leftOvers.Do(removeLeftOvers)
	number := networks.Add(1)
	n := &namespaces{
		prefix: fmt.Sprintf("belfry%d-%d-", os.Getpid(), number),
		link:   fmt.Sprintf("bf%x.%x", os.Getpid(), number),
		nodes:  nodes,
	}
	if err := n.make(); err != nil {
		n.close()
		return nil, fmt.Errorf("network namespaces: %w", err)
	}
	return n, nil
}

// make makes all of it.
func (n *namespaces) make() error {
	subnet, err := freeSubnet()
	if err != nil {
		return err
	}
	n.subnet = subnet
	var b script
	hub := n.prefix + "hub"
	b.ip("netns add %s", hub)
	for _, bridge := range []string{"clients", "nodes"} {
		b.ip("-n %s link add %s type bridge", hub, bridge)
		b.ip("-n %s link set %s up", hub, bridge)
	}
	b.ip("link add %s type veth peer name here netns %s", n.link, hub)
	b.ip("-n %s link set here master clients up", hub)
	b.ip("addr add %s.254/24 dev %s", n.subnet, n.link)
	b.ip("link set %s up", n.link)
	for i := 1; i <= n.nodes; i++ {
		ns := n.name(i)
		b.ip("netns add %s", ns)
		b.ip("-n %s link set lo up", ns)
		b.ip("-n %s link add client type veth peer name c%d netns %s", ns, i, hub)
		b.ip("-n %s link add nodes type veth peer name n%d netns %s", ns, i, hub)
		b.ip("-n %s link set c%d master clients up", hub, i)
		b.ip("-n %s link set n%d master nodes up", hub, i)
		b.ip("-n %s addr add %s.%d/24 dev client", ns, n.subnet, i)
		b.ip("-n %s addr add 10.0.0.%d/24 dev nodes", ns, i)
		b.ip("-n %s link set client up", ns)
		b.ip("-n %s link set nodes up", ns)
	}
	return b.err
}

// A script is commands of which each is run if none before has failed.
type script struct{ err error }

// ip runs one.
func (s *script) ip(format string, args ...any) {
	if s.err != nil {
		return
	}
	command := fmt.Sprintf(format, args...)
	if out, err := exec.Command("ip", strings.Fields(command)...).CombinedOutput(); err != nil {
		s.err = fmt.Errorf("ip %s: %w: %s", command, err, strings.TrimSpace(string(out)))
	}
}

// freeSubnet returns a network that no interface here is in, of those that are
// reserved for benchmarks.
func freeSubnet() (string, error) {
	used, err := net.InterfaceAddrs()
	if err != nil {
		return "", err
	}
	for range 100 {
		subnet := fmt.Sprintf("198.%d.%d", 18+rand.IntN(2), rand.IntN(256))
		free := true
		for _, a := range used {
			free = free && !strings.HasPrefix(a.String(), subnet+".")
		}
		if free {
			return subnet, nil
		}
	}
	return "", errors.New("no network of 198.18.0.0/15 is free")
}

// name is that of a node's namespace.
func (n *namespaces) name(node int) string { return n.prefix + strconv.Itoa(node) }

func (n *namespaces) gateway() string { return n.subnet + ".254" }

func (n *namespaces) addresses(node int) (client, admin, peers string) {
	here := fmt.Sprintf("%s.%d", n.subnet, node)
	return join(here, clientPort), join(here, adminPort), join(fmt.Sprintf("10.0.0.%d", node), peerPort)
}

func (n *namespaces) command(node int, program string, args ...string) []string {
	return append([]string{"ip", "netns", "exec", n.name(node), program}, args...)
}

func (n *namespaces) cut(node int) error {
	var s script
	s.ip("-n %shub link set n%d nomaster", n.prefix, node)
	return s.err
}

func (n *namespaces) heal(node int) error {
	var s script
	s.ip("-n %shub link set n%d master nodes", n.prefix, node)
	return s.err
}

// close removes everything that there is of it.
func (n *namespaces) close() error {
	return removeNamespaces(n.prefix)
}

// removeNamespaces removes those whose names begin with a prefix, and what
// runs in them. Interfaces go with the namespaces that they are in.
func removeNamespaces(prefix string) error {
	names, err := namespaceNames()
	for _, name := range names {
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		for _, pid := range processesIn(name) {
			process, _ := os.FindProcess(pid) // finds every one
			err = errors.Join(err, process.Kill())
		}
		if out, e := exec.Command("ip", "netns", "del", name).CombinedOutput(); e != nil {
			err = errors.Join(err, fmt.Errorf("ip netns del %s: %w: %s", name, e, out))
		}
	}
	return err
}

// namespaceNames are all that there are.
func namespaceNames() ([]string, error) {
	out, err := exec.Command("ip", "netns", "list").Output()
	if err != nil {
		return nil, fmt.Errorf("ip netns list: %w", err)
	}
	var names []string
	for line := range strings.Lines(string(out)) {
		if f := strings.Fields(line); len(f) > 0 {
			names = append(names, f[0])
		}
	}
	return names, nil
}

// processesIn returns the ids of the processes in a namespace.
func processesIn(name string) []int {
	out, err := exec.Command("ip", "netns", "pids", name).Output()
	if err != nil {
		return nil // it is gone
	}
	var ids []int
	for _, f := range strings.Fields(string(out)) {
		if id, err := strconv.Atoi(f); err == nil {
			ids = append(ids, id)
		}
	}
	return ids
}

// removeLeftOvers removes namespaces of processes that are no more.
func removeLeftOvers() {
	names, err := namespaceNames()
	if err != nil {
		return // making the first one will fail and say why
	}
	for _, name := range names {
		owner, _, ok := strings.Cut(strings.TrimPrefix(name, "belfry"), "-")
		pid, err := strconv.Atoi(owner)
		if !ok || err != nil || !strings.HasPrefix(name, "belfry") || running(pid) {
			continue
		}
		if err := removeNamespaces(name); err != nil {
			fmt.Fprintln(os.Stderr, "cluster: left over:", err)
		}
	}
}

// running reports whether there is a process of that number.
func running(pid int) bool {
	process, err := os.FindProcess(pid)
	return err == nil && process.Signal(syscall.Signal(0)) == nil
}

// join returns a host and a port as one text.
func join(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }

// poll is how long to wait before something is looked at again.
const poll = 20 * time.Millisecond
