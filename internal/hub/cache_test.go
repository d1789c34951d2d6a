package hub

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/protocol"
)

// cached is Cached of the first app in a form to compare.
func (n *testNode) cached(channel string) string {
	c, ok := n.hub.Cached(n.app, channel)
	if !ok {
		return ""
	}
	return string(c.Data) + " " + c.TTL.String()
}

func (n *testNode) expectCached(channel, want string) {
	n.t.Helper()
	if got := n.cached(channel); got != want {
		n.t.Errorf("Cached(%q) = %q, want %q", channel, got, want)
	}
}

func TestCacheRemembersTheLastEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		c := n.connect()
		c.subscribe("cache-x")
		c.expect(succeeded("cache-x"), miss("cache-x"))
		n.expectCached("cache-x", "")
		n.trigger("cache-x", "e", "1")
		n.trigger("cache-x", "f", "2", c) // excluded now, but not from what is remembered
		c.expect("e @cache-x 1")
		n.expectCached("cache-x", `"2" 30m0s`)
		c.unsubscribe("cache-x")
		time.Sleep(10 * time.Minute)
		n.expectCached("cache-x", `"2" 20m0s`)
		c.subscribe("cache-x")
		c.expect(succeeded("cache-x"), "f @cache-x 2")
	})
}

func TestCacheOfAllKindsWithoutSubscribers(t *testing.T) {
	n := newNode(t)
	for _, channel := range []string{"cache-x", "private-cache-x", "private-encrypted-cache-x", "presence-cache-x"} {
		n.trigger(channel, "e", `{"a":1}`)
		if got := n.hub.Channel(n.app, channel); got != (ChannelState{}) {
			t.Errorf("Channel(%q) = %+v, want unoccupied", channel, got)
		}
		c := n.connect()
		if protocol.KindOf(channel).Presence() {
			c.join(channel, `{"user_id":"1"}`)
			c.expect(snapshot(channel, "1"), "e @"+channel+` {"a":1}`)
		} else {
			c.subscribe(channel)
			c.expect(succeeded(channel), "e @"+channel+` {"a":1}`)
		}
	}
	n.hub.Channels(n.app, "", func(name string, s ChannelState) {
		if !s.Occupied || s.Subscriptions != 1 {
			t.Errorf("Channels tells of %q with %+v, want one subscription", name, s)
		}
	})
	c := n.connect()
	n.trigger("news", "e", "1")
	c.subscribe("news")
	c.expect(succeeded("news"))
	n.expectCached("news", "")
}

func TestCacheKeepsTheDataOfTheCallerUnchanged(t *testing.T) {
	n := newNode(t)
	data := []byte(`"one"`)
	if _, err := n.hub.Trigger(context.Background(), n.app, []string{"cache-x"}, Event{"e", data}, protocol.SocketID{}); err != nil {
		t.Fatal(err)
	}
	copy(data, `"two"`) // the hub does not keep the slice
	if c, _ := n.hub.Cached(n.app, "cache-x"); string(c.Data) != `"one"` {
		t.Errorf("Cached = %s, want what was triggered", c.Data)
	}
	c := n.connect()
	c.subscribe("cache-x")
	c.expect(succeeded("cache-x"), "e @cache-x one")
}

func TestCacheForgetsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newTestNode(t, func(a *apps.App) { a.Limits.CacheTTL = 90 * time.Second })
		n.trigger("cache-x", "e", "1")
		n.trigger("cache-y", "e", "1")
		c := n.connect()
		time.Sleep(90*time.Second - time.Nanosecond)
		n.expectCached("cache-x", `"1" 1ns`)
		c.subscribe("cache-x")
		c.expect(succeeded("cache-x"), "e @cache-x 1")
		c.unsubscribe("cache-x")
		time.Sleep(time.Nanosecond)
		n.expectCached("cache-x", "")
		c.subscribe("cache-x")
		c.expect(succeeded("cache-x"), miss("cache-x"))
		n.trigger("cache-x", "f", "2")
		c.expect("f @cache-x 2")
		// The sweep, at 2 minutes, forgets the one that is old, and keeps the other.
		time.Sleep(30 * time.Second)
		synctest.Wait()
		sh := n.hub.tenant(n.app).shard("cache-y")
		if sh.channels["cache-y"] != nil {
			t.Error("a channel with an expired event and without subscribers is still there after the sweep")
		}
		n.expectCached("cache-x", `"2" 1m0s`)
		c.session.End(Ending{})
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if sh := n.hub.tenant(n.app).shard("cache-x"); len(sh.channels) != 0 {
			t.Error("a channel is still there though its event is old and its subscriber gone")
		}
	})
}

func TestSweepLeavesAnOccupiedChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newTestNode(t, func(a *apps.App) { a.Limits.CacheTTL = time.Second })
		c := n.connect()
		c.subscribe("cache-x")
		n.trigger("cache-x", "e", "1")
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		n.trigger("cache-x", "f", "2")
		c.expect(succeeded("cache-x"), miss("cache-x"), "e @cache-x 1", "f @cache-x 2")
	})
}

func TestCacheTTLDefault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newTestNode(t, func(a *apps.App) { a.Limits.CacheTTL = 0 })
		n.trigger("cache-x", "e", "1")
		n.expectCached("cache-x", `"1" 30m0s`)
	})
}

func TestCacheHoldsNoClientEventsAndNoNewsOfMembers(t *testing.T) {
	n := newTestNode(t, func(a *apps.App) { a.SubscriptionCount = true })
	a, b := n.connect(), n.connect()
	a.join("presence-cache-x", `{"user_id":"1"}`)
	a.subscribe("private-cache-x")
	a.receive(`{"event":"client-x","channel":"private-cache-x","data":"no"}`)
	a.receive(`{"event":"client-x","channel":"presence-cache-x","data":"no"}`)
	b.join("presence-cache-x", `{"user_id":"2"}`)
	b.subscribe("private-cache-x")
	b.expect(snapshot("presence-cache-x", "1", "2"), miss("presence-cache-x"),
		succeeded("private-cache-x"), miss("private-cache-x"), count("private-cache-x", 2))
	n.trigger("presence-cache-x", "e", "yes")
	b.session.End(Ending{})
	c := n.connect()
	c.join("presence-cache-x", `{"user_id":"3"}`)
	c.expect(snapshot("presence-cache-x", "1", "3"), "e @presence-cache-x yes")
}

func TestCacheOfABatchIsItsLastEvent(t *testing.T) {
	n := newNode(t)
	c := n.connect()
	c.subscribe("cache-x")
	c.read()
	batch := []Targeted{
		{Event: Event{"a", []byte(`"1"`)}, Channel: "cache-x"},
		{Event: Event{"b", []byte(`"2"`)}, Channel: "cache-x", Except: c.session.ID()},
		{Event: Event{"c", []byte(`"3"`)}, Channel: "cache-y"},
	}
	if _, err := n.hub.TriggerBatch(context.Background(), n.app, batch); err != nil {
		t.Fatal(err)
	}
	c.expect("a @cache-x 1")
	c.unsubscribe("cache-x")
	c.subscribe("cache-x")
	c.subscribe("cache-y")
	c.expect(succeeded("cache-x"), "b @cache-x 2", succeeded("cache-y"), "c @cache-y 3")
}
