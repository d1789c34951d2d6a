//go:build unix

package alerts

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pusher/pusher-http-go/v5"

	"github.com/belfryhq/belfry/e2e/service"
)

// cluster starts nodes that are one service, and begins a timeline of them. Every
// node knows of all others by then.
func cluster(t *testing.T, nodes int, settings string) ([]*service.Service, *Timeline) {
	t.Helper()
	var configs []service.Config
	var addresses []string
	ports := service.FreePorts(t, nodes)
	for _, port := range ports {
		addresses = append(addresses, fmt.Sprintf("127.0.0.1:%d", port))
	}
	for i := range nodes {
		configs = append(configs, service.Config{Settings: fmt.Sprintf(
			"cluster: {listen: %q, name: node-%d, secret: a-secret-of-the-cluster%s}\njoin: [%s]",
			addresses[i], i+1, settings, strings.Join(addresses, ", "))})
	}
	all := service.StartAll(t, configs...)
	targets := map[string]string{}
	for i, s := range all {
		targets[fmt.Sprintf("node-%d", i+1)] = s.AdminAddr
	}
	l := Watch(t, targets)
	for i := range all {
		l.scrapes = nil
		l.await(fmt.Sprintf("node-%d", i+1), "belfry_engine_members", func(v float64) bool { return v == float64(nodes) })
		l.scrapes = nil
		l.await(fmt.Sprintf("node-%d", i+1), "belfry_cluster_peers", func(v float64) bool { return v == float64(nodes-1) })
	}
	return all, l
}

func TestNodeMissing(t *testing.T) {
	t.Parallel()
	all, l := cluster(t, 3, "")
	all[2].Kill()
	for _, instance := range []string{"node-1", "node-2"} {
		l.await(instance, "belfry_cluster_peers", func(v float64) bool { return v == 1 })
	}
	l.Expect("BelfryDown node-3", "BelfryNodeMissing node-1", "BelfryNodeMissing node-2")
}

// TestNoQuorum looks at the node that is left alone, as where targets come and go
// with their nodes.
func TestNoQuorum(t *testing.T) {
	t.Parallel()
	all, l := cluster(t, 3, "")
	l.Forget("node-2")
	l.Forget("node-3")
	all[1].Kill()
	all[2].Kill()
	l.Await("belfry_engine_quorum", func(v float64) bool { return v == 0 })
	l.Expect("BelfryNoQuorum node-1")
}

func TestProcessSuspended(t *testing.T) {
	t.Parallel()
	all, l := cluster(t, 3, ", lease: 1s, grace: 1s")
	l.Forget("node-2")
	all[2].Signal(syscall.SIGSTOP)
	t.Cleanup(func() { all[2].Signal(syscall.SIGCONT) })
	l.Await("belfry_cluster_peers", func(v float64) bool { return v == 1 })
	all[2].Signal(syscall.SIGCONT)
	l.await("node-3", "belfry_cluster_suspensions_total", Above(0))
	l.scrapes = l.scrapes[:len(l.scrapes)-1]
	l.Await("belfry_cluster_peers", func(v float64) bool { return v == 2 })
	l.Expect("BelfryProcessSuspended node-3")
}

// TestClusterMessagesLost has a node send more to a peer that hangs than may wait.
func TestClusterMessagesLost(t *testing.T) {
	t.Parallel()
	all, l := cluster(t, 2, ", lease: 30s")
	connect(t, all[1])
	l.await("node-2", "belfry_subscriptions", Above(0))
	l.Forget("node-2")
	all[1].Signal(syscall.SIGSTOP)
	defer all[1].Signal(syscall.SIGCONT)
	data, b := strings.Repeat("x", 10_000), backend(all[0], "app-secret")
	var batch []pusher.Event
	for range 10 {
		batch = append(batch, pusher.Event{Channel: "news", Name: "e", Data: data})
	}
	sent := time.Now()
	l.Await(`belfry_cluster_messages_dropped_total{reason="full"}`, func(dropped float64) bool {
		for range 20 {
			if _, err := b.TriggerBatch(batch); err != nil {
				t.Fatal(err)
			}
		}
		return dropped > 0
	})
	t.Logf("messages were dropped after %v", time.Since(sent).Round(time.Second))
	l.Expect("BelfryClusterMessagesLost node-1")
}
