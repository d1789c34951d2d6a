package tables

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/belfryhq/belfry/cmd/belfry/internal/adminclient"
)

// A cluster is what is shown of a cluster.
type cluster struct {
	Node struct {
		Name, Version, State string
		Since                time.Time
	}
	Quorum bool
	Engine struct {
		Embedded bool
		Peers    []peer
	}
	Nodes []node
	Log   *struct {
		Stream, Leader string
		Position, Lag  uint64
	}
	Counters struct {
		Decisions, Repairs, Drops uint64
		SlowConsumers             uint64 `json:"slow_consumers"`
	}
	Problems, Notes []struct{ Text, Advice string }
}

type peer struct {
	Name                     string
	Leader, Current, Offline bool
	Lag                      uint64
}

type node struct {
	Name, Version, State string
	Self, Witness        bool
	LastHeard            int64 `json:"last_heard_ms"`
	Sockets              int
	Leader               bool  // of the log
	Pending              int64 `json:"pending_bytes"`
	Lost, Dropped        uint64
	RoundTrip            float64 `json:"round_trip_ms"`
	Lease                *struct {
		LastBatch     int64 `json:"last_batch_ms"`
		Suspect       bool
		Contributions int
	}
}

// Cluster writes everything about a cluster but what is wrong with it, which
// is the error that it returns.
func Cluster(out io.Writer, reply []byte) error {
	var c cluster
	if err := adminclient.Read(reply, &c); err != nil {
		return err
	}
	if err := c.write(out); err != nil || len(c.Problems) == 0 {
		return err
	}
	return c.wrong()
}

// wrong is what is wrong, and what to do.
func (c *cluster) wrong() error {
	lines := []string{"something is wrong with the cluster"}
	for _, p := range c.Problems {
		lines = append(lines, "  "+p.Text)
		if p.Advice != "" {
			lines = append(lines, "    "+p.Advice)
		}
	}
	return errors.New(strings.Join(lines, "\n"))
}

// write writes everything for a person but what is wrong.
func (c *cluster) write(out io.Writer) error {
	up := time.Since(c.Node.Since).Round(time.Second)
	fmt.Fprintf(out, "%s (%s), %s, for %s\n\n", c.Node.Name, c.Node.Version, words(c.Node.State), up)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NODE\tSTATE\tSOCKETS\tHEARD\tTRIP\tLEASE\tHOLDS\tPENDING\tLOST\tENGINE")
	for _, n := range c.Nodes {
		c.writeNode(table, n)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(out, "\nquorum      %s\n", c.quorum())
	if c.Log != nil {
		fmt.Fprintf(out, "log         %s, at %d, %d to read\n", c.Log.Stream, c.Log.Position, c.Log.Lag)
	}
	n := c.Counters
	fmt.Fprintf(out, "counted     %d decisions, %d repairs, %d drops, %d times a slow consumer\n", n.Decisions, n.Repairs, n.Drops, n.SlowConsumers)
	for _, note := range c.Notes {
		fmt.Fprintf(out, "note        %s\n", note.Text)
	}
	if len(c.Problems) == 0 {
		_, err := fmt.Fprintf(out, "\nall is well: %s\n", c.summary())
		return err
	}
	_, err := fmt.Fprintln(out)
	return err
}

func (c *cluster) writeNode(table io.Writer, n node) {
	name, state, sockets, lease, holds := n.Name, words(n.State), strconv.Itoa(n.Sockets), "-", "-"
	if n.Self {
		name += " *"
	}
	if n.Witness {
		state, sockets = state+", witness", "-"
	}
	if n.Lease != nil {
		lease, holds = ago(n.Lease.LastBatch), strconv.Itoa(n.Lease.Contributions)
		if n.Lease.Suspect {
			lease += " over"
		}
	}
	heard, trip := ago(n.LastHeard), "-"
	if n.LastHeard == 0 {
		heard = "-"
	}
	if n.RoundTrip > 0 {
		trip = fmt.Sprintf("%.1fms", n.RoundTrip)
	}
	fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\n",
		name, state, sockets, heard, trip, lease, holds, bytesText(n.Pending), n.Lost+n.Dropped, c.engineRole(n))
}

// engineRole is what a node is to the engine.
func (c *cluster) engineRole(n node) string {
	var roles []string
	for _, p := range c.Engine.Peers {
		switch {
		case p.Name != n.Name:
			continue
		case p.Offline:
			roles = append(roles, "away")
		case p.Current:
			roles = append(roles, "current")
		default:
			roles = append(roles, fmt.Sprintf("%d behind", p.Lag))
		}
		if p.Leader {
			roles = append(roles, "leads")
		}
	}
	if n.Leader {
		roles = append(roles, "leads the log")
	}
	if len(roles) == 0 {
		return "-"
	}
	return strings.Join(roles, ", ")
}

// spare is how many members are there, how many are needed, and how many there
// are.
func (c *cluster) spare() (here, needed, all int) {
	all = len(c.Engine.Peers)
	for _, p := range c.Engine.Peers {
		if !p.Offline {
			here++
		}
	}
	return here, all/2 + 1, all
}

func (c *cluster) quorum() string {
	text := "no"
	if c.Quorum {
		text = "yes"
	}
	if !c.Engine.Embedded {
		return text + ", of the external NATS"
	}
	here, needed, all := c.spare()
	return fmt.Sprintf("%s: %d of %d are here, %d are needed", text, here, all, needed)
}

// summary is a sentence about a cluster with which nothing is wrong.
func (c *cluster) summary() string {
	connections, serving, witnesses := 0, 0, 0
	for _, n := range c.Nodes {
		connections += n.Sockets
		switch {
		case n.Witness:
			witnesses++
		case n.State != "unheard":
			serving++
		}
	}
	text := count(serving, "node", "s")
	if witnesses > 0 {
		text += " and " + count(witnesses, "witness", "es")
	}
	text += ", " + count(connections, "connection", "s")
	here, needed, all := c.spare()
	switch {
	case !c.Engine.Embedded || all == 0:
	case here > needed:
		text += fmt.Sprintf("; %d may fail and all goes on", here-needed)
	default:
		text += "; if one fails, nothing can be written until it is back"
	}
	return text
}

// count is a number of things, whose name in the plural ends so.
func count(n int, what, plural string) string {
	if n == 1 {
		plural = ""
	}
	return fmt.Sprintf("%d %s%s", n, what, plural)
}

// words is a state as people write it.
func words(state string) string { return strings.ReplaceAll(state, "_", " ") }

// ago is a time since something for people.
func ago(ms int64) string {
	if ms < 1000 {
		return fmt.Sprintf("%dms", ms)
	}
	return (time.Duration(ms) * time.Millisecond).Round(time.Second).String()
}
