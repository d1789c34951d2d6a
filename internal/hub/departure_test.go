package hub

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/protocol"
)

// TestTenThousandChannelsAreEnough: by default, more than that are refused as
// every limit is.
func TestTenThousandChannelsAreEnough(t *testing.T) {
	n := newNode(t)
	c := n.connect()
	limit := apps.DefaultLimits().ChannelsPerConnection
	for i := range limit {
		c.subscribe(fmt.Sprint("c", i))
	}
	if got := len(c.read()); got != limit {
		t.Fatalf("%d answers, want %d", got, limit)
	}
	c.subscribe("one-more")
	c.expect(complaint(protocol.ErrTooManyChannels), subscriptionError("one-more", "LimitReached", 4004))
	c.unsubscribe("c0")
	c.subscribe("one-more")
	c.expect(succeeded("one-more"))
}

// crowded is a client that is on many presence channels, one of them together
// with another client on the same loop. What it was told is taken off.
func crowded(n *testNode, many int) (c, other *client) {
	c = n.connect()
	for i := range many {
		c.join(fmt.Sprint("presence-", i), `{"user_id":"u"}`)
	}
	c.read()
	n.connect() // on the other loop
	other = n.connect()
	return c, other
}

// TestClientOfManyChannelsGoesLittleByLittle: whoever shares the loop with it
// is served between.
func TestClientOfManyChannelsGoesLittleByLittle(t *testing.T) {
	const many = 5000
	var heard gazette
	n := newNodeWith(t, Config{Observer: &heard})
	c, other := crowded(n, many)
	heard = nil
	before := n.hub.Connections()
	c.session.End(Ending{})
	if got := n.hub.Connections(); got != before-1 {
		t.Errorf("%d connections when a client has gone, want %d", got, before-1)
	}
	turns := 0
	for left := total(n.hub.metrics.subscriptions); left > 0; turns++ {
		if !n.loops.step(c.loop) {
			t.Fatalf("nothing is left to do with %v subscriptions", left)
		}
		now := total(n.hub.metrics.subscriptions)
		if gone := left - now; gone > departureSlice {
			t.Errorf("%v channels were left in one turn, want at most %d", gone, departureSlice)
		}
		left = now
		other.receive(`{"event":"pusher:ping","data":{}}`)
		if len(other.got) != 1 {
			t.Errorf("turn %d: the other client got %q", turns, other.got)
		}
		other.got = nil
	}
	if turns < many/departureSlice {
		t.Errorf("%d channels were left in %d turns", many, turns)
	}
	n.loops.run()
	if got := len(heard); got != 2*many {
		t.Errorf("backends hear %d things, want that %d members have gone and as many channels are vacated", got, many)
	}
	slices.Sort(heard)
	if kept := slices.Compact(slices.Clone(heard)); len(kept) != len(heard) {
		t.Error("backends hear something twice")
	}
	other.session.End(Ending{})
	n.hub.eachTenant(func(t *tenant) {
		for i := range t.shards {
			if len(t.shards[i].channels) != 0 {
				n.t.Errorf("a shard keeps %d channels", len(t.shards[i].channels))
			}
		}
	})
}

// TestClientThatHasGoneGetsNothingMore: not even before it is out of its
// channels, and others get what is new in the right order.
func TestClientThatHasGoneGetsNothingMore(t *testing.T) {
	n := newNode(t)
	c, other := crowded(n, 3000)
	other.join("presence-0", `{"user_id":"other"}`)
	other.read()
	c.read()
	c.session.End(Ending{})
	for i := range 3 {
		n.trigger("presence-0", fmt.Sprint("event-", i), "")
	}
	other.receive(`{"event":"pusher:subscribe","data":{"channel":"news"}}`)
	var got []string
	for _, f := range other.read() {
		name, _, _ := strings.Cut(f, " ")
		got = append(got, name)
	}
	at := func(name string) int { return slices.Index(got, name) }
	if at("event-0") < 0 || at("event-0") > at("event-1") || at("event-1") > at("event-2") || at("pusher_internal:member_removed") < 0 || len(got) != 5 {
		t.Errorf("another member got %q, want three events in order, that the member has gone, and an answer", got)
	}
	if len(c.got) != 0 {
		t.Errorf("the client that has gone got %q", c.got)
	}
	c.session.close(protocol.ErrTerminated) // as whoever still finds it might
	if c.closed != nil {
		t.Errorf("the client that has gone was closed: %v", c.closed)
	}
}

// TestUserWhoComesBackIsThereAllTheTime: one who comes back before the session
// of before is out of all channels is not reported gone from those that it
// was still in.
func TestUserWhoComesBackIsThereAllTheTime(t *testing.T) {
	const many = 3000
	n := newNode(t)
	c, other := crowded(n, many)
	c.session.End(Ending{})
	back := n.connect()
	for i := range many {
		back.join(fmt.Sprint("presence-", i), `{"user_id":"u"}`)
	}
	n.loops.run()
	for i := range many {
		name := fmt.Sprint("presence-", i)
		if got := n.hub.Channel(n.app, name); !got.Occupied || got.Users != 1 {
			t.Fatalf("%s: %+v, want one user", name, got)
		}
	}
	back.session.End(Ending{})
	other.session.End(Ending{})
	n.loops.run()
	if got := total(n.hub.metrics.subscriptions); got != 0 {
		t.Errorf("%v subscriptions are counted at the end, want 0", got)
	}
}

// TestDisabledAppClosesItsClientsLittleByLittle: others of the loop are served
// between.
func TestDisabledAppClosesItsClientsLittleByLittle(t *testing.T) {
	const many = 2000
	n := newNode(t)
	var clients []*client
	for range many {
		clients = append(clients, n.connect())
	}
	n.change(func(app *apps.App) { app.Disabled = true })
	left := n.hub.Connections()
	for more := true; more; {
		more = false
		for loop := range n.loops.Len() {
			if n.loops.step(loop) {
				more = true
			}
			if now := n.hub.Connections(); left-now > closeSlice {
				t.Errorf("%d clients were closed in one turn, want at most %d", left-now, closeSlice)
			}
			left = n.hub.Connections()
		}
	}
	for _, c := range clients {
		c.expectClosed(protocol.ErrAppDisabled)
	}
}
