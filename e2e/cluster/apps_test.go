package cluster

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/belfryhq/belfry/backend"
	"github.com/belfryhq/belfry/e2e/service"
)

// TestAppsAcrossNodes: an app that is made, changed and removed by way of one
// node is so on all.
func TestAppsAcrossNodes(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Nodes: 3, NoHooks: true})
	t.Run("life", func(t *testing.T) { c.during(t, appLife) })
	t.Run("quota", func(t *testing.T) { c.during(t, appQuota) })
	t.Run("rate", func(t *testing.T) { c.during(t, appRate) })
}

// An app is one that was made at run time.
type app struct {
	ID   string
	Keys []struct{ Key, Secret string }
}

// admin calls the admin API of a node.
func (n *Node) admin(method, path string, body, answer any) {
	n.c.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		n.c.t.Fatal(err)
	}
	r, err := http.NewRequest(method, "http://"+n.AdminAddr+"/api/v1"+path, bytes.NewReader(text))
	if err != nil {
		n.c.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+adminToken)
	r.Header.Set("Content-Type", "application/json")
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: service.Patience}
	resp, err := client.Do(r)
	if err != nil {
		n.c.t.Fatal(err)
	}
	defer resp.Body.Close()
	out, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		n.c.t.Fatalf("%s %s: %s: %s (%v)", method, path, resp.Status, out, err)
	}
	if answer != nil {
		if err := json.Unmarshal(out, answer); err != nil {
			n.c.t.Fatalf("%s %s: %s: %v", method, path, out, err)
		}
	}
}

// makeApp makes an app by way of a node and waits until all have it.
func (c *Cluster) makeApp(n *Node, settings map[string]any) app {
	c.t.Helper()
	var a app
	n.admin(http.MethodPost, "/apps", settings, &a)
	c.await(service.Patience, "the app is not everywhere", func() string {
		for _, n := range c.Nodes {
			b, transport, err := n.newBackend(a.ID, a.Keys[0].Key, a.Keys[0].Secret)
			if err != nil {
				return err.Error()
			}
			_, err = b.Channels(c.t.Context(), backend.ChannelsQuery{})
			transport.CloseIdleConnections()
			if err != nil {
				return err.Error()
			}
		}
		return ""
	})
	return a
}

// of connects a client of the app.
func (c *Cluster) of(a app, n *Node, name string) *Client {
	return c.dial(ClientOptions{Name: name, Node: n, Once: true, Key: a.Keys[0].Key, Secret: a.Keys[0].Secret})
}

func appLife(t *testing.T, c *Cluster) {
	a := c.makeApp(c.Nodes[0], map[string]any{"name": "made", "client_events": true})
	var all []*Client
	for i, n := range c.Nodes {
		cl := c.of(a, n, fmt.Sprintf("tenant%d", i))
		cl.Subscribe("presence-office")
		all = append(all, cl)
	}
	all[0].Send("client-hello", "presence-office", map[string]string{})
	all[1].AwaitFrame("client-hello", "presence-office")
	all[2].AwaitFrame("client-hello", "presence-office")
	c.Nodes[1].admin(http.MethodPatch, "/apps/"+a.ID, map[string]any{"disabled": true}, nil)
	for _, cl := range all {
		cl.gone()
		if got := cl.Closes(); !slices.Equal(got, []int{4003}) {
			t.Errorf("a connection of a disabled app ended with %v, want 4003", got)
		}
	}
	c.Nodes[2].admin(http.MethodPatch, "/apps/"+a.ID, map[string]any{"disabled": false}, nil)
	all = nil
	for _, n := range c.Nodes {
		c.await(service.Patience, "the app is not enabled again", func() string {
			cl := c.of(a, n, "tenant-again")
			if !cl.connected() {
				return fmt.Sprint(cl.Closes())
			}
			all = append(all, cl)
			return ""
		})
	}
	c.Nodes[0].admin(http.MethodDelete, "/apps/"+a.ID, nil, nil)
	for _, cl := range all {
		cl.gone()
		if got := cl.Closes(); !slices.Equal(got, []int{4001}) {
			t.Errorf("a connection of a deleted app ended with %v, want 4001", got)
		}
	}
}

// connected waits until a client that does not come back is connected or
// refused, and reports which.
func (cl *Client) connected() bool {
	cl.c.t.Helper()
	ok := false
	cl.Await("connected or refused", func() bool {
		ok = cl.socket != nil
		return ok || len(cl.closes) > 0
	})
	return ok
}

// saidAgain is how long it surely takes until nodes know of each other's
// connections: they say how many they have four times a second.
const saidAgain = 500 * time.Millisecond

// appQuota: connections count towards the quota wherever they are, but for
// those of the last moment.
func appQuota(t *testing.T, c *Cluster) {
	const quota = 9
	a := c.makeApp(c.Nodes[0], map[string]any{"name": "small", "limits": map[string]any{"connections": quota}})
	in := 0
	for ; in < quota; in++ {
		if cl := c.of(a, c.Nodes[in%3], fmt.Sprintf("quota%d", in)); !cl.connected() {
			t.Fatalf("connection %d of %d was refused: %v", in+1, quota, cl.Closes())
		}
	}
	for _, n := range c.Nodes {
		c.await(service.Patience, n.Name+" lets in more and more", func() string {
			time.Sleep(saidAgain)
			cl := c.of(a, n, "too-much")
			if cl.connected() {
				in++
				return fmt.Sprintf("%d connections are in, want %d", in, quota)
			}
			if got := cl.Closes(); !slices.Equal(got, []int{4004}) {
				t.Errorf("a connection too much ended with %v, want 4004", got)
			}
			return ""
		})
	}
	t.Logf("%d connections of %d were let in", in, quota)
	if in > quota+len(c.Nodes) {
		t.Errorf("%d connections were let in, want %d, and a few on a busy machine", in, quota)
	}
}

// appRate: events of backends count towards the app's rate on all nodes
// together.
func appRate(t *testing.T, c *Cluster) {
	const rate, long = 30, 8 * time.Second
	a := c.makeApp(c.Nodes[0], map[string]any{"name": "slow", "limits": map[string]any{"backend_events_per_second": rate}})
	var backends []*backend.Client
	for _, n := range c.Nodes {
		b, transport, err := n.newBackend(a.ID, a.Keys[0].Key, a.Keys[0].Secret)
		if err != nil {
			t.Fatal(err)
		}
		defer transport.CloseIdleConnections()
		backends = append(backends, b)
	}
	accepted, refused, start := 0, 0, time.Now()
	for i := 0; time.Since(start) < long; i++ {
		_, err := backends[i%len(backends)].Trigger(t.Context(), "news", "e", "d")
		var refusal *backend.APIError
		switch {
		case err == nil:
			accepted++
		case errors.As(err, &refusal) && refusal.Status == http.StatusTooManyRequests:
			refused++
			time.Sleep(5 * time.Millisecond)
		default:
			t.Fatal(err)
		}
	}
	allowed := rate * (1 + int(time.Since(start)/time.Second+1))
	t.Logf("%d events were accepted in %v, %d were refused; one node would accept %d", accepted, time.Since(start).Round(time.Millisecond), refused, allowed)
	if accepted > 3*allowed/2 {
		t.Errorf("%d events were accepted, want about %d", accepted, allowed)
	}
	if refused == 0 || accepted < allowed/4 {
		t.Errorf("%d events were accepted and %d refused, want about %d and some", accepted, refused, allowed)
	}
}
