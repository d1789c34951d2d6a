package hub

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/loop"
	"github.com/belfryhq/belfry/protocol"
)

// In these tests the loops are real, and work at once.

// A crew is a node over real loops. Its clients are used on their loops only.
type crew struct {
	*testNode
	group *loop.Group
}

func newCrew(t *testing.T, change func(*apps.App)) *crew {
	t.Helper()
	app := testApp()
	if change != nil {
		change(app)
	}
	registry, err := apps.NewRegistry([]*apps.App{app})
	if err != nil {
		t.Fatal(err)
	}
	group := loop.NewGroup(loop.Config{Loops: 4, Portable: true})
	n := &testNode{t: t, app: app, now: time.Now, loops: &queue{}}
	n.hub = New(Config{Apps: registry, Loops: group})
	t.Cleanup(func() {
		if err := group.Stop(context.Background()); err != nil {
			t.Error(err)
		}
		n.hub.Close()
	})
	return &crew{n, group}
}

// on runs something on a loop and waits for it.
func (c *crew) on(loop int, do func()) {
	done := make(chan struct{})
	c.group.Post(loop, func(int) {
		defer close(done)
		do()
	}, 1)
	<-done
}

// settle waits until the loops have done all that was posted before.
func (c *crew) settle() {
	for i := range c.group.Len() {
		c.on(i, func() {})
	}
}

// connectOn connects a client on a loop.
func (c *crew) connectOn(loop int) *client {
	x := &client{node: c.testNode, loop: loop}
	c.on(loop, func() {
		var refused *protocol.Error
		if x.session, refused = c.hub.Connect(request("key"), x, loop); refused != nil {
			c.t.Errorf("Connect: %v", refused)
		}
		x.got = nil
	})
	return x
}

// A publisher sends at full speed while subscribers of a cache channel come and
// go: each sees one run without a gap or a repetition.
func TestCacheSubscribersAtFullSpeed(t *testing.T) {
	c := newCrew(t, nil)
	const events, viewers, rounds = 3000, 8, 20
	var all sync.WaitGroup
	all.Go(func() {
		for i := range events {
			c.trigger("cache-x", "e", fmt.Sprint(i+1))
		}
	})
	for i := range viewers {
		v := c.connectOn(i % c.group.Len())
		all.Go(func() {
			for range rounds {
				c.on(v.loop, func() { v.subscribe("cache-x") })
				c.settle()
				c.on(v.loop, func() {
					v.unsubscribe("cache-x")
					checkRun(t, v.got)
					v.got = nil
				})
			}
			c.on(v.loop, func() { v.subscribe("cache-x") })
		})
		defer func() {
			c.on(v.loop, func() {
				if last := checkRun(t, v.got); last != events {
					t.Errorf("the run of viewer %d ended with event %d, want %d", i, last, events)
				}
			})
		}()
	}
	all.Wait()
	c.settle()
}

// checkRun checks one subscription to a cache channel of numbered events, and
// returns the last number.
func checkRun(t *testing.T, got []string) (last int) {
	t.Helper()
	if len(got) < 2 || got[0] != succeeded("cache-x") {
		t.Errorf("a subscription began with %q", got)
		return 0
	}
	if got[1] != miss("cache-x") {
		fmt.Sscanf(got[1], "e @cache-x %d", &last)
		if last == 0 {
			t.Errorf("%q after the success", got[1])
		}
	}
	for _, f := range got[2:] {
		last++
		if f != fmt.Sprintf("e @cache-x %d", last) {
			t.Errorf("%q where event %d was due", f, last)
			return 0
		}
	}
	return last
}

// However many come and go at once, a member that stays sees adds and removals
// in turn, and ends with the same picture as a newcomer.
func TestPresenceAtFullSpeed(t *testing.T) {
	c := newCrew(t, nil)
	stays := c.connectOn(0)
	c.on(0, func() { stays.join("presence-r", `{"user_id":"stays"}`) })
	var all sync.WaitGroup
	for i := range 12 {
		all.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 1))
			for j := range 30 {
				x := c.connectOn(r.IntN(c.group.Len()))
				c.on(x.loop, func() { x.join("presence-r", fmt.Sprintf(`{"user_id":"%d"}`, r.IntN(8))) })
				switch {
				case j == 29: // the last of each stays
				case r.IntN(2) == 0:
					c.on(x.loop, func() { x.unsubscribe("presence-r"); x.session.End(Ending{}) })
				default:
					c.on(x.loop, func() { x.session.End(Ending{}) })
				}
			}
		})
	}
	all.Wait()
	c.settle()
	view, err := viewOf(stays.got)
	if err != nil {
		t.Fatal(err)
	}
	fresh := c.connectOn(1)
	c.on(1, func() { fresh.join("presence-r", `{"user_id":"stays"}`) })
	now, err := viewOf(fresh.got)
	if err != nil {
		t.Fatal(err)
	}
	if truth := c.hub.Users(c.app, "presence-r"); !sameUsers(view, truth) || !slices.Equal(now, truth) {
		t.Errorf("the one who stayed sees %q, a newcomer %q, and there are %q", view, now, truth)
	}
	if got := c.hub.Channel(c.app, "presence-r").Subscriptions; got != 14 {
		t.Errorf("%d subscriptions, want 14", got)
	}
}

// Events of one sender on one channel reach every receiver in their order.
func TestClientEventsKeepTheirOrder(t *testing.T) {
	c := newCrew(t, func(a *apps.App) { a.Limits.ClientEventsPerSecond = 0 })
	const each = 300
	members := make([]*client, 6)
	for i := range members {
		members[i] = c.connectOn(i % c.group.Len())
		c.on(members[i].loop, func() { members[i].join("presence-r", fmt.Sprintf(`{"user_id":"%d"}`, i)) })
	}
	c.settle()
	var all sync.WaitGroup
	for _, m := range members {
		all.Go(func() {
			for j := range each {
				c.on(m.loop, func() { m.receive(`{"event":"client-e","channel":"presence-r","data":%d}`, j) })
			}
		})
	}
	all.Wait()
	c.settle()
	for i, m := range members {
		next := make(map[string]int)
		for _, f := range m.got {
			if rest, ok := strings.CutPrefix(f, "client-e @presence-r "); ok {
				data, sender, _ := strings.Cut(rest, " by ")
				if data != fmt.Sprint(next[sender]) {
					t.Fatalf("member %d got event %s of %s where %d was due", i, data, sender, next[sender])
				}
				next[sender]++
			}
		}
		for j := range members {
			if want := map[bool]int{true: 0, false: each}[i == j]; next[fmt.Sprint(j)] != want {
				t.Errorf("member %d got %d events of %d, want %d", i, next[fmt.Sprint(j)], j, want)
			}
		}
	}
}

// Everything at once, and in the end nothing is left.
func TestEverythingAtOnceLeavesNothing(t *testing.T) {
	c := newCrew(t, func(a *apps.App) {
		a.SubscriptionCount, a.WatchlistEvents, a.AuthorizedRequired = true, true, true
		a.Limits.Connections, a.Limits.PresenceMembers = 20, 3
	})
	names := []string{"news", "private-x", "presence-r", "cache-x", "presence-cache-r"}
	var clients, backends sync.WaitGroup
	for i := range 8 {
		clients.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 2))
			for range 150 {
				x := &client{node: c.testNode, loop: r.IntN(c.group.Len())}
				c.on(x.loop, func() { x.session, _ = c.hub.Connect(request("key"), x, x.loop) })
				if x.session == nil {
					continue // over a quota, or the app is not there
				}
				for range 6 {
					c.on(x.loop, func() { x.atRandom(r, names) })
				}
				c.on(x.loop, func() { x.session.End(Ending{}) })
			}
		})
	}
	stop := make(chan struct{})
	backends.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			c.trigger(names[i%len(names)], "e", "d")
			c.trigger("#server-to-user-1", "e", "d")
			c.hub.Terminate(c.app, "2")
			c.hub.Users(c.app, "presence-r")
			c.hub.Channels(c.app, "p", func(string, ChannelState) {})
			switch i % 40 {
			case 10:
				disabled := *c.app
				disabled.Disabled = true
				c.put(&disabled)
			case 20, 39:
				c.put(c.app)
			case 30:
				if err := c.hub.cfg.Apps.Remove(c.app.ID); err != nil {
					t.Error(err)
				}
			}
		}
	})
	clients.Wait()
	close(stop)
	backends.Wait()
	c.settle()
	c.expectNothing()
	if total(c.hub.metrics.connections) != 0 || total(c.hub.metrics.subscriptions) != 0 {
		t.Errorf("%v connections and %v subscriptions are counted, want none", total(c.hub.metrics.connections), total(c.hub.metrics.subscriptions))
	}
}

func (c *crew) put(app *apps.App) {
	if err := c.hub.cfg.Apps.Put(app); err != nil {
		c.t.Errorf("Put: %v", err)
	}
}

// atRandom does one thing that a client can do.
func (c *client) atRandom(r *rand.Rand, names []string) {
	name := names[r.IntN(len(names))]
	switch {
	case c.closed != nil:
	case r.IntN(5) == 0:
		c.unsubscribe(name)
	case r.IntN(5) == 0:
		c.signIn(fmt.Sprintf(`{"id":"%d","watchlist":["1","2","3"]}`, r.IntN(3)))
	case r.IntN(5) == 0:
		c.receive(`{"event":"client-x","channel":%q}`, name)
	default:
		c.join(name, fmt.Sprintf(`{"user_id":"%d"}`, r.IntN(5)))
	}
}
