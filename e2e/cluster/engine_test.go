package cluster

import (
	"errors"
	"fmt"
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

// TestClockJump sets the clock of a node ahead by an hour, and right again; in
// a full run also back, and that of another node. It says so, and nothing is
// given up because of it.
func TestClockJump(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Nodes: 3})
	j := &jumps{c: c, told: make(map[string]string)}
	for _, n := range c.Nodes {
		c.Dial(ClientOptions{Name: "client-" + n.Name, Node: n}).Subscribe(room, "home-"+n.Name)
	}
	c.Flow(room)
	c.Settle()
	for _, cl := range c.allClients() {
		j.watches = append(j.watches, cl.watch(room))
	}
	leader := c.Leader()
	j.jump(leader, time.Hour)
	j.jump(leader, 0)
	if full() {
		j.jump(leader, -time.Hour)
		j.jump(leader, 0)
		other := c.others(c.Leader())[0]
		j.jump(other, time.Hour)
		j.jump(other, 0)
	}
	c.Settle()
}

// jumps are those of a cluster with clients in a room.
type jumps struct {
	c       *Cluster
	watches []*watch
	told    map[string]string // what those were told since
}

// jump sets a clock and has everything work for longer than a node may be
// silent: a lease that was judged by that clock has lapsed then.
func (j *jumps) jump(n *Node, by time.Duration) {
	j.c.t.Helper()
	spoken := len(lines(n.Log(), "clock"))
	n.JumpClock(by)
	name := fmt.Sprintf("jumped-%d", len(j.told))
	j.c.Dial(ClientOptions{Name: name, Node: n}).Subscribe(room, "home-"+name)
	j.told[name] = "+"
	for _, w := range j.watches {
		w.await(j.told)
	}
	for start := time.Now(); time.Since(start) < Lease+Grace+time.Second; time.Sleep(100 * time.Millisecond) {
		for _, publisher := range j.c.Nodes {
			if _, err := j.c.deliver(publisher, room); err != nil {
				j.c.t.Fatal(err)
			}
		}
	}
	for _, w := range j.watches {
		w.expect(j.told)
	}
	j.c.AwaitHooks("home-"+name, history.Occupied)
	j.c.Settle()
	if len(lines(n.Log(), "clock")) <= spoken+1 { // one is ours
		j.c.t.Errorf("the log of %s does not say that its clock was set", n.Name)
	}
}
