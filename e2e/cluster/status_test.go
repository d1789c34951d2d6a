package cluster

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/belfryhq/belfry/e2e/service"
)

// A Status is what belfry cluster status --json says.
type Status struct {
	Settled  bool // all peers that are there have said what they hold
	Quorum   bool
	Nodes    []NodeStatus
	Problems []struct{ Text string }
}

// A NodeStatus is what one node knows of another, or of itself.
type NodeStatus struct {
	Name     string
	State    string
	Leader   bool // of the log of decisions
	Self     bool
	Received int // packets from it
}

// present is the state of a node that is there.
const present = "ready"

// run runs the binary with arguments that concern this node, and returns what
// it prints. It runs in the node's network.
func (n *Node) run(args ...string) (string, error) {
	words := n.c.network.command(n.number, service.Binary(), args...)
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Env = append(service.Environment(), "BELFRY_ADMIN_URL=http://"+n.AdminAddr, "BELFRY_ADMIN_TOKEN="+adminToken)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	return out.String() + errs.String(), err
}

// Status asks a node about the cluster.
func (n *Node) Status() (Status, error) {
	out, err := n.run("cluster", "status", "--json")
	if err != nil {
		return Status{}, &statusError{n.Name, out, err}
	}
	var s Status
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		return Status{}, &statusError{n.Name, out, err}
	}
	return s, nil
}

// A statusError is why there is no status.
type statusError struct {
	node, out string
	err       error
}

func (e *statusError) Error() string {
	return "cluster status of " + e.node + ": " + e.err.Error() + ": " + e.out
}

// names are those of the nodes that are there, sorted.
func (s Status) names() []string {
	var names []string
	for _, n := range s.Nodes {
		if n.State == present {
			names = append(names, n.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// leader is the name of the log's leader, empty if there is none.
func (s Status) leader() string {
	for _, n := range s.Nodes {
		if n.Leader {
			return n.Name
		}
	}
	return ""
}

// AwaitTogether waits until every node that nothing is wrong with says that
// exactly those are there. What faults of theirs may have lost is over then.
func (c *Cluster) AwaitTogether() {
	c.t.Helper()
	if len(c.Nodes) == 1 {
		c.recovered()
		return
	}
	var want []string
	for _, n := range c.Nodes {
		if n.whole() {
			want = append(want, n.Name)
		}
	}
	slices.Sort(want)
	for _, n := range c.Nodes {
		if n.whole() {
			c.await(service.Patience, n.Name+" does not see its peers", func() string {
				return n.sees(want)
			})
		}
	}
	c.recovered()
}

// sees says what is missing until the node sees others.
func (n *Node) sees(want []string) string {
	s, err := n.Status()
	if err != nil {
		return err.Error()
	}
	got := s.names()
	decides := 2*len(want) <= len(n.c.Nodes) || s.Quorum
	if slices.Equal(got, want) && s.Settled && decides {
		return ""
	}
	return fmt.Sprintf("sees %q, want %q; settled %t, quorum %t, problems %v", got, want, s.Settled, s.Quorum, s.Problems)
}

// recovered ends what may be lost because of nodes that are whole again.
func (c *Cluster) recovered() {
	for _, n := range c.Nodes {
		if n.recovered != nil && n.whole() {
			n.recovered()
			n.recovered = nil
		}
	}
}

// Leader returns the leader of the log of decisions, once there is one that
// runs.
func (c *Cluster) Leader() *Node {
	c.t.Helper()
	var leader *Node
	c.await(service.Patience, "the log has no leader", func() string {
		for _, n := range c.Nodes {
			if !n.whole() {
				continue
			}
			s, err := n.Status()
			if err != nil {
				return err.Error()
			}
			if leader = c.node(s.leader()); leader != nil && leader.whole() {
				return ""
			}
		}
		return "no node names one"
	})
	return leader
}

// node returns the node of a name, or nil.
func (c *Cluster) node(name string) *Node {
	i := slices.IndexFunc(c.Nodes, func(n *Node) bool { return n.Name == name })
	if i < 0 {
		return nil
	}
	return c.Nodes[i]
}

// await looks at something again and again until it is not said to be missing
// any more, and returns how long that took.
func (c *Cluster) await(patience time.Duration, what string, missing func() string) time.Duration {
	c.t.Helper()
	start := time.Now()
	for {
		text := missing()
		if text == "" {
			return time.Since(start)
		}
		if time.Since(start) > patience {
			c.t.Fatalf("%s after %v: %s", what, patience, text)
		}
		time.Sleep(poll)
	}
}
