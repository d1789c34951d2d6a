package cluster

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/e2e/service"
)

// A list is what tests look at of answers about connections, users, errors and
// events.
type list struct {
	Connections []struct{ Socket, Node string }
	Subscribers []struct{ Socket, Node string }
	Channels    []struct{ Name string }
	Groups      []struct{ Connections int }
	Total       int
	Findings    []struct {
		Verdict, Text string
		Unknown       []string
	}
	Nodes []struct {
		Name     string
		Answered bool
		Problem  string // of lists
		Detail   string // of explanations
	}
}

// of are the nodes that rows of a list are of, sorted.
func (l *list) of() (names []string) {
	for _, c := range slices.Concat(l.Connections, l.Subscribers) {
		names = append(names, c.Node)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// missing are the nodes that have no part in a list, with why.
func (l *list) missing() (names []string) {
	for _, n := range l.Nodes {
		if !n.Answered {
			names = append(names, n.Name+": "+n.Problem+n.Detail)
		}
	}
	return names
}

// TestListsHaveRowsOfAllNodes and name the one that does not answer, while the rest
// is there: connections, one channel's subscribers, users, errors, explanations.
func TestListsHaveRowsOfAllNodes(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Nodes: 3, NoHooks: true})
	for _, n := range c.Nodes {
		c.Dial(ClientOptions{Name: "client-" + n.Name, Node: n, Once: true}).Subscribe("presence-room", "news-"+n.Name)
	}
	c.Settle()
	asked, paused := c.Nodes[0], c.Nodes[2]
	all := []string{c.Nodes[0].Name, c.Nodes[1].Name, c.Nodes[2].Name}
	ask := func(path string) (l list, took time.Duration) {
		begun := time.Now()
		asked.admin("GET", "/apps/"+AppID+path, nil, &l)
		return l, time.Since(begun)
	}
	c.Flow("news-" + paused.Name)
	number, err := asked.Trigger("news-" + paused.Name)
	if err != nil {
		t.Fatal(err)
	}
	c.Settle()
	paths := []string{"/connections", "/channels/presence-room", "/users", "/errors", "/connections?by=node", "/explain?channel=news-" + paused.Name}
	for _, path := range paths {
		l, took := ask(path)
		if missing := l.missing(); len(missing) > 0 || len(l.Nodes) != 3 {
			t.Errorf("%s is of %d nodes without %q, want all three", path, len(l.Nodes), missing)
		}
		if of := l.of(); len(of) > 0 && !slices.Equal(of, all) {
			t.Errorf("%s has rows of %q, want %q", path, of, all)
		}
		t.Logf("%s of three nodes took %v", path, took)
	}
	if l, _ := ask("/connections"); len(l.Connections) != 3 {
		t.Errorf("%d connections are listed, want 3", len(l.Connections))
	}
	if l, _ := ask("/connections?by=node"); len(l.Groups) != 3 || l.Groups[0].Connections != 1 {
		t.Errorf("connections by node are %+v, want one of each of three", l.Groups)
	}
	if l, _ := ask("/channels"); len(l.Channels) != 4 {
		t.Errorf("channels = %+v, want the one of all and one of each node", l.Channels)
	}
	if l, _ := ask("/explain?channel=news-" + paused.Name); len(l.Findings) != 1 || l.Findings[0].Verdict != "handed_over" {
		t.Errorf("event %d on another node: %+v, want that it was handed over", number, l.Findings)
	}

	paused.Pause()
	explain := paths[len(paths)-1]
	c.await(service.Patience, "the paused node still answers", func() string {
		l, _ := ask(explain)
		if len(l.Findings) == 1 && slices.Contains(l.Findings[0].Unknown, "node "+paused.Name+" has not answered") {
			return ""
		}
		return fmt.Sprintf("%+v", l)
	})
	for _, path := range paths[:2] { // before the others know that the node is gone
		l, took := ask(path)
		if missing := l.missing(); len(l.Nodes) != 3 || len(missing) != 1 || !strings.HasPrefix(missing[0], paused.Name+": has not answered") {
			t.Errorf("%s is of %d nodes without %q, want that %s has not answered", path, len(l.Nodes), missing, paused.Name)
		}
		if of := l.of(); !slices.Equal(of, all[:2]) {
			t.Errorf("%s has rows of %q, want %q", path, of, all[:2])
		}
		t.Logf("%s of two of three nodes took %v", path, took)
	}
	paused.Resume()
	if l, _ := ask("/connections"); len(l.missing()) > 0 {
		t.Errorf("without %q after the node went on", l.missing())
	}
}
