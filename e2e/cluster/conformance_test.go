package cluster

import (
	"bytes"
	"io"
	"net"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
)

// TestConformanceAcrossNodes runs the conformance suite against three nodes,
// each connection to the next of them: a cluster is to nobody anything else
// than one service. One statement is left out: 129 takes it that a client that
// subscribes has got what others have sent on other channels before, which is
// so for none that is on another node.
func TestConformanceAcrossNodes(t *testing.T) {
	if !full() {
		t.Skip("takes all of the machine: CLUSTER_FULL=1 runs it")
	}
	c := Start(t, Options{Nodes: 3, NoHooks: true})
	a := c.makeApp(c.Nodes[0], map[string]any{"name": "conformance", "client_events": true, "watchlist_events": true})
	suite := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-timeout=5m", "-skip=TestWebSocket/129_", "github.com/belfryhq/belfry/conformance")
	suite.Env = append(os.Environ(),
		"BELFRY_TEST_URL=http://"+inTurn(t, c.Nodes),
		"BELFRY_TEST_APP_ID="+a.ID, "BELFRY_TEST_KEY="+a.Keys[0].Key, "BELFRY_TEST_SECRET="+a.Keys[0].Secret,
		"BELFRY_TEST_SWITCHES=client_events,watchlist_events")
	var out bytes.Buffer
	suite.Stdout, suite.Stderr = &out, &out
	if err := suite.Run(); err != nil {
		t.Errorf("the suite: %v\n%s", err, out.String())
	}
}

// inTurn is the address of a balancer that hands each connection to the next
// node, until the test ends.
func inTurn(t *testing.T, nodes []*Node) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var next atomic.Int64
	var running sync.WaitGroup
	running.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return // closed
			}
			to := nodes[int(next.Add(1))%len(nodes)].Addr
			running.Go(func() { carry(client, to) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		running.Wait()
	})
	return l.Addr().String()
}

// carry hands a connection on, in both directions, until both ends are done.
func carry(client net.Conn, to string) {
	defer client.Close()
	node, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer node.Close()
	there := make(chan struct{})
	go func() {
		defer close(there)
		_, _ = io.Copy(node, client) // how it ends is for the suite to judge
		_ = node.(*net.TCPConn).CloseWrite()
	}()
	_, _ = io.Copy(client, node)
	_ = client.(*net.TCPConn).CloseWrite()
	<-there
}
