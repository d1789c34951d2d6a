package cluster

import (
	"testing"

	"github.com/belfryhq/belfry/e2e/service"
)

// A network is what nodes are in. Nodes have the numbers from 1 to those that
// it was made for.
type network interface {
	// gateway is the address of this process, as nodes reach it.
	gateway() string
	// addresses are those of a node: for clients, for the administration, and
	// for the other nodes.
	addresses(node int) (client, admin, peers string)
	// command is what runs a program as a node.
	command(node int, program string, args ...string) []string
	// cut takes the node away from other nodes, but not from clients; without
	// any notice, as a broken switch does.
	cut(node int) error
	heal(node int) error
	close() error
}

// newNetwork returns a network for so many nodes. The reason says why it is
// not one of namespaces, if it is not.
func newNetwork(t testing.TB, nodes int) (n network, reason string) {
	t.Helper()
	n, err := newNamespaces(nodes)
	if err == nil {
		return n, ""
	}
	return newLoopback(t, nodes), err.Error()
}

// A loopback is a network in which nothing can be cut.
type loopback struct{ ports []int }

func newLoopback(t testing.TB, nodes int) *loopback {
	return &loopback{service.FreePorts(t, 3*nodes)}
}

func (l *loopback) gateway() string { return "127.0.0.1" }

func (l *loopback) addresses(node int) (client, admin, peers string) {
	p := l.ports[3*(node-1):]
	return join("127.0.0.1", p[0]), join("127.0.0.1", p[1]), join("127.0.0.1", p[2])
}

func (l *loopback) command(_ int, program string, args ...string) []string {
	return append([]string{program}, args...)
}

func (l *loopback) cut(int) error  { return errNoNamespaces }
func (l *loopback) heal(int) error { return errNoNamespaces }
func (l *loopback) close() error   { return nil }
