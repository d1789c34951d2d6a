package cluster

import (
	"fmt"
	"slices"
	"testing"

	"github.com/belfryhq/belfry/e2e/service"
)

// TestFiguresOfAllNodesAreAddedUp: what an app uses now, its minutes, who uses its
// keys, and what its endpoints were sent. A node that does not answer is named.
func TestFiguresOfAllNodesAreAddedUp(t *testing.T) {
	t.Parallel()
	c := Start(t, Options{Nodes: 3})
	for _, n := range c.Nodes {
		c.Dial(ClientOptions{Name: "client-" + n.Name, Node: n, Once: true}).Subscribe("presence-room", "news-"+n.Name)
	}
	c.Settle()
	asked, paused := c.Nodes[0], c.Nodes[2]
	var now struct {
		list
		Connections, Channels, Subscriptions int
	}
	asked.admin("GET", "/apps/"+AppID+"/now", nil, &now)
	if now.Connections != 3 || now.Channels != 4 || now.Subscriptions != 6 || len(now.Nodes) != 3 {
		t.Errorf("now = %+v, want 3 connections, 4 channels and 6 subscriptions on 3 nodes", now)
	}
	var minutes struct {
		list
		Slots []struct {
			PeakConnections int `json:"peak_connections"`
		}
	}
	asked.admin("GET", "/apps/"+AppID+"/usage/minutes", nil, &minutes)
	if n := len(minutes.Slots); n == 0 || minutes.Slots[n-1].PeakConnections != 3 {
		t.Errorf("minutes = %+v, want a peak of 3 at the end", minutes)
	}
	var keys struct {
		list
		Keys []struct {
			LastHour int `json:"last_hour"`
			Uses     []struct {
				Kind     string
				LastHour int `json:"last_hour"`
			}
		}
	}
	asked.admin("GET", "/apps/"+AppID+"/key-uses", nil, &keys)
	connections := 0
	for _, u := range keys.Keys[0].Uses {
		if u.Kind == "connection" {
			connections += u.LastHour
		}
	}
	if connections != 3 {
		t.Errorf("keys = %+v, want 3 connections", keys)
	}
	path := "/apps/" + AppID + "/webhooks/deliveries"
	var sent struct {
		list
		Deliveries []struct{ ID, Node string }
	}
	elsewhere := ""
	c.await(service.Patience, "no other node has sent a webhook", func() string {
		asked.admin("GET", path+"?state=delivered", nil, &sent)
		for _, d := range sent.Deliveries {
			if d.Node != asked.Name {
				elsewhere = d.ID
				return ""
			}
		}
		return fmt.Sprintf("%+v", sent)
	})
	var detail struct{ ID, Body string }
	asked.admin("GET", path+"/"+elsewhere+"?payloads=true", nil, &detail)
	if detail.ID != elsewhere || detail.Body == "" {
		t.Errorf("the delivery of another node is %+v", detail)
	}

	paused.Pause()
	c.await(service.Patience, "the paused node still answers", func() string {
		asked.admin("GET", "/apps/"+AppID+"/now", nil, &now)
		if missing := now.missing(); len(missing) == 1 && now.Connections == 2 {
			return ""
		}
		return fmt.Sprintf("%+v", now)
	})
	asked.admin("GET", path, nil, &sent)
	if missing := sent.missing(); len(sent.Nodes) > 2 && len(missing) != 1 || slices.ContainsFunc(sent.Deliveries, func(d struct{ ID, Node string }) bool { return d.Node == paused.Name }) {
		t.Errorf("deliveries are of %+v, missing %q", sent.Nodes, missing)
	}
	paused.Resume()
}
