package cluster

import (
	"net/http"
	"slices"
	"testing"
	"time"
)

// TestOneNode: a node that is alone settles too. It is also the test of
// everything here that does not need a cluster.
func TestOneNode(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{})
	n := c.Nodes[0]
	ann := c.Dial(ClientOptions{Name: "ann", Node: n})
	ann.Subscribe("presence-room", "news")
	bob := c.Dial(ClientOptions{Name: "bob", Node: n})
	bob.Subscribe("presence-room")
	ann.AwaitChanges("presence-room", "+bob")
	c.Flow("presence-room", "news")
	c.Settle()
	c.AwaitHooks("presence-room", "channel_occupied", "member_added ann", "member_added bob")

	load := c.StartLoad(100, "news", "presence-room")
	bob.Close()
	ann.AwaitChanges("presence-room", "+bob", "-bob")
	load.Stop()
	c.Settle()
	c.AwaitHooks("presence-room", "channel_occupied", "member_added ann", "member_added bob", "member_removed bob")
	ann.Leave("news")
	c.Settle()
	c.AwaitHooks("news", "channel_occupied", "channel_vacated")

	n.Pause()
	ann.Join("news")
	n.Resume()
	c.Settle()
}

// TestClientsComeBack: what a client wants outlives its connections.
func TestClientsComeBack(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{NoHooks: true})
	n := c.Nodes[0]
	ann := c.Dial(ClientOptions{Name: "ann", Node: n})
	ann.Subscribe("presence-room", "news")
	n.Terminate()
	n.start()
	n.awaitReady()
	ann.Subscribe("news")
	c.Flow("news")
	c.Settle()
	if got := ann.Closes(); !slices.Equal(slices.Compact(got), []int{4200}) {
		t.Errorf("connections ended or were refused with %v, want 4200", got)
	}
}

// TestLeavesNothing: networks of a cluster end with it.
func TestLeavesNothing(t *testing.T) {
	n, err := newNamespaces(2)
	if err != nil {
		t.Skipf("no network: %v", err)
	}
	if err := n.close(); err != nil {
		t.Fatal(err)
	}
	names, err := namespaceNames()
	if err != nil {
		t.Fatal(err)
	}
	if i := slices.IndexFunc(names, func(name string) bool { return name == n.prefix+"hub" || name == n.name(1) }); i >= 0 {
		t.Errorf("%s is left", names[i])
	}
}

// TestJumpClock: the clock of a node is another one after it, and its own
// alone.
func TestJumpClock(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{})
	n := c.Nodes[0]
	n.JumpClock(time.Hour)
	for _, want := range []time.Duration{time.Hour, -time.Hour} {
		n.JumpClock(want)
		resp, err := http.Get("http://" + n.AdminAddr + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		date, err := http.ParseTime(resp.Header.Get("Date"))
		if err != nil {
			t.Fatal(err)
		}
		if off := time.Until(date) - want; off.Abs() > time.Minute {
			t.Errorf("after a jump by %v the node's clock is off by %v", want, time.Until(date))
		}
	}
	http.DefaultClient.CloseIdleConnections()
}
