package cluster

import (
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/belfryhq/belfry/e2e/cluster/history"
	"github.com/belfryhq/belfry/e2e/service"
)

// TestFullDisk fills the disk of the log's leader to the last byte. It says
// so, the others go on, decisions included, and when there is room again the
// node is as the others are.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Nodes: 3, DataDirSize: 192 << 20})
	leader := c.Leader()
	others := c.others(leader)
	for _, n := range c.Nodes {
		c.Dial(ClientOptions{Name: "client-" + n.Name, Node: n}).Subscribe(room, "home-"+n.Name)
	}
	c.Flow(room)
	c.Settle()
	leader.fails()
	full := leader.fillDisk()
	c.await(service.Patience, leader.Name+" does not say that its disk is full", func() string {
		if leader.metric("belfry_engine_disk_full") != "1" {
			return "belfry_engine_disk_full is " + leader.metric("belfry_engine_disk_full")
		}
		return ""
	})
	if len(lines(leader.Log(), "disk")) == 0 {
		t.Errorf("the log of %s does not speak of the disk", leader.Name)
	}
	for i, n := range others {
		channel := "meanwhile-" + n.Name
		cl := c.Dial(ClientOptions{Name: channel, Node: n, Once: true})
		cl.Subscribe(channel)
		c.AwaitHooks(channel, history.Occupied)
		c.flow(others[1-i], channel)
		cl.Close()
		c.AwaitHooks(channel, history.Occupied, history.Vacated)
	}
	if err := os.Remove(full); err != nil {
		t.Fatal(err)
	}
	c.await(service.Patience, leader.Name+" does not notice that there is room again", func() string {
		if leader.metric("belfry_engine_disk_full") != "0" {
			return "belfry_engine_disk_full is " + leader.metric("belfry_engine_disk_full")
		}
		return ""
	})
	c.AwaitTogether()
	late := c.Dial(ClientOptions{Name: "late", Node: leader})
	late.Subscribe(room, "late")
	c.AwaitHooks("late", history.Occupied)
	c.Settle()
	c.Flow(room)
}

// fillDisk writes a file on the node's disk until there is no room, and
// returns its name.
func (n *Node) fillDisk() string {
	n.c.t.Helper()
	name := filepath.Join(n.disk, "filler")
	f, err := os.Create(name)
	if err != nil {
		n.c.t.Fatal(err)
	}
	defer f.Close()
	for chunk := make([]byte, 1<<20); len(chunk) > 0; {
		if _, err := f.Write(chunk); errors.Is(err, syscall.ENOSPC) {
			chunk = chunk[:len(chunk)/2]
		} else if err != nil {
			n.c.t.Fatal(err)
		}
	}
	return name
}

// metrics returns what the node tells about itself.
func (n *Node) metrics() string {
	n.c.t.Helper()
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: service.Patience}
	resp, err := client.Get("http://" + n.AdminAddr + "/metrics")
	if err != nil {
		n.c.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		n.c.t.Fatal(err)
	}
	return string(text)
}

// metric returns the value of a metric, with its labels in the name, as it is
// written; empty if there is none.
func (n *Node) metric(name string) string {
	n.c.t.Helper()
	_, rest, _ := strings.Cut(n.metrics(), "\n"+name+" ")
	value, _, _ := strings.Cut(rest, "\n")
	return value
}

// TestClockJump sets the clock of one node after the other ahead by an hour,
// and back. Nothing is given up because of it.
func TestClockJump(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Nodes: 3})
	var watches []*watch
	for _, n := range c.Nodes {
		cl := c.Dial(ClientOptions{Name: "client-" + n.Name, Node: n})
		cl.Subscribe(room, "home-"+n.Name)
	}
	c.Flow(room)
	c.Settle()
	for _, cl := range c.allClients() {
		watches = append(watches, cl.watch(room))
	}
	want := map[string]string{}
	for _, n := range []*Node{c.Leader(), c.others(c.Leader())[0]} {
		for _, by := range []time.Duration{time.Hour, -time.Hour} {
			n.JumpClock(by)
			name := n.Name + by.String()
			cl := c.Dial(ClientOptions{Name: name, Node: n})
			cl.Subscribe(room, "home-"+name)
			want[name] = "+"
			for _, w := range watches {
				w.await(want)
			}
			c.AwaitHooks("home-"+name, history.Occupied)
			c.Flow(room)
			c.Settle()
			if by < 0 {
				n.JumpClock(0)
			}
		}
		if len(lines(n.Log(), "clock")) <= len(lines(n.Log(), "--- "+n.Name+": the clock")) {
			t.Errorf("the log of %s does not speak of its clock", n.Name)
		}
	}
	// Longer than anything is waited for, so that a lease that was judged by
	// another clock would have lapsed by now.
	for start := time.Now(); time.Since(start) < Lease+Grace; time.Sleep(100 * time.Millisecond) {
		if _, err := c.deliver(c.Nodes[0], room); err != nil {
			t.Fatal(err)
		}
	}
	for _, w := range watches {
		w.expect(want)
	}
	c.Settle()
}
