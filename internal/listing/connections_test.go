package listing

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/protocol"
)

// ask runs the loops until what an operator asks for is answered.
func (n *node) ask(question func(context.Context)) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer cancel()
		question(ctx)
	}()
	for {
		select {
		case <-done:
			return
		default:
			n.loops.run()
		}
	}
}

// list returns the ids of all connections that f means, page by page.
func (n *node) list(f Filter, limit int) (ids []protocol.SocketID) {
	n.t.Helper()
	n.ask(func(ctx context.Context) {
		var after Position
		for {
			page, _, err := Connections(ctx, n.hub, n.app, f, after, limit)
			if err != nil {
				n.t.Errorf("Connections: %v", err)
				return
			}
			for _, c := range page {
				ids = append(ids, c.ID)
				after = c.position()
			}
			if len(page) < limit {
				return
			}
		}
	})
	return ids
}

func TestConnectionsAreListedPageByPageNewestFirst(t *testing.T) {
	n := newNode(t)
	const many = 2*hub.VisitSlice + 500 // more than a slice on each of two loops
	var want []protocol.SocketID
	for range many {
		want = append(want, n.connect().session.ID())
	}
	slices.Reverse(want)
	got := n.list(Filter{}, 700)
	if len(got) != many {
		t.Fatalf("%d connections are listed, want %d", len(got), many)
	}
	// Those of one nanosecond may stand in either order.
	slices.SortFunc(got, compareIDs)
	slices.SortFunc(want, compareIDs)
	if !slices.Equal(got, want) {
		t.Error("others are listed than are connected")
	}
}

func compareIDs(a, b protocol.SocketID) int {
	switch {
	case a.String() < b.String():
		return -1
	case a.String() > b.String():
		return 1
	}
	return 0
}

// TestClientsThatGetNothingAreFound: neither subscribers nor who is signed in.
func TestClientsThatGetNothingAreFound(t *testing.T) {
	n := newNode(t)
	n.visit("", "js", "websocket", "192.0.2.1").subscribe("news")
	n.visit("", "js", "websocket", "192.0.2.1").signIn(`{"id":"ann"}`)
	silent := n.visit("", "js", "websocket", "192.0.2.1")
	n.loops.run()
	n.ask(func(ctx context.Context) {
		list, total, err := Connections(ctx, n.hub, n.app, Filter{Unsubscribed: true}, Position{}, 10)
		if err != nil || total != 1 || len(list) != 1 || list[0].ID != silent.session.ID() {
			t.Errorf("Connections = %v, %d, %v, want the one that has done nothing", list, total, err)
		}
	})
}

func TestConnectionSaysWhereItComesFrom(t *testing.T) {
	n := newNode(t)
	c := n.visit("https://shop.example", "js", "websocket", "2001:db8::7")
	c.join("presence-room", `{"user_id":"ann"}`)
	c.signIn(`{"id":"ann"}`)
	c.subscribe("news")
	n.loops.run()
	n.ask(func(ctx context.Context) {
		d, err := Find(ctx, n.hub, n.app, c.session.ID(), 10)
		if err != nil || d == nil {
			t.Errorf("Find = %v, %v", d, err)
			return
		}
		got := fmt.Sprintln(d.Origin, d.Library, d.Version, d.Transport, d.Address, d.TLS, d.Protocol, d.UserID, d.Subscriptions)
		if want := "https://shop.example js 8.4.0 websocket 2001:db8::7 true 7 ann 2\n"; got != want {
			t.Errorf("the connection is %s, want %s", got, want)
		}
		if len(d.Channels) != 2 || d.Channels[0].Channel != "news" || d.Channels[1].Member != "ann" {
			t.Errorf("its channels are %v", d.Channels)
		}
		if age := time.Since(d.Channels[0].Joined); age < 0 || age > time.Minute {
			t.Errorf("it joined %v ago", age)
		}
		if d.Channels[0].Joined.Before(d.Since) {
			t.Errorf("it joined %v before it had connected", d.Since.Sub(d.Channels[0].Joined))
		}
		if d, err = Find(ctx, n.hub, n.app, protocol.SocketID{}, 10); d != nil || err != nil {
			t.Errorf("a connection that is not there is %v, %v", d, err)
		}
	})
}

func TestConnectionsAreFilteredAndCounted(t *testing.T) {
	n := newNode(t)
	a := n.visit("https://a.example", "js", "websocket", "10.0.0.1")
	b := n.visit("https://b.example", "js", "xhr_streaming", "10.0.1.1")
	c := n.visit("https://b.example", "swift", "websocket", "192.168.0.1")
	a.subscribe("news")
	c.subscribe("news")
	b.signIn(`{"id":"bob"}`)
	n.loops.run()
	for name, test := range map[string]struct {
		f    Filter
		want []*client
	}{
		"all":       {Filter{}, []*client{a, b, c}},
		"origin":    {Filter{Origin: "https://b.example"}, []*client{b, c}},
		"library":   {Filter{Library: "js"}, []*client{a, b}},
		"transport": {Filter{Transport: "xhr_streaming"}, []*client{b}},
		"network":   {Filter{Network: netip.MustParsePrefix("10.0.0.0/16")}, []*client{a, b}},
		"user":      {Filter{Scope: hub.Scope{User: "bob"}}, []*client{b}},
		"channel":   {Filter{Scope: hub.Scope{Channel: "news"}, Library: "swift"}, []*client{c}},
		"nobody":    {Filter{Scope: hub.Scope{Channel: "none"}}, nil},
	} {
		var want []protocol.SocketID
		for _, c := range test.want {
			want = append(want, c.session.ID())
		}
		got := n.list(test.f, 2)
		slices.SortFunc(got, compareIDs)
		slices.SortFunc(want, compareIDs)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v are listed, want %v", name, got, want)
		}
	}
	n.ask(func(ctx context.Context) {
		counts, err := Count(ctx, n.hub, n.app, Filter{}, ByOrigin)
		if err != nil || counts["https://a.example"] != 1 || counts["https://b.example"] != 2 {
			t.Errorf("by origin: %v, %v", counts, err)
		}
		if counts, _ = Count(ctx, n.hub, n.app, Filter{}, ByLibrary); counts["js 8.4.0"] != 2 {
			t.Errorf("by library: %v", counts)
		}
	})
}

func TestOneConnectionCanBeClosed(t *testing.T) {
	n := newNode(t)
	a, b := n.connect(), n.connect()
	terminate := func(v hub.View) { v.Close(protocol.ErrTerminated) }
	n.ask(func(ctx context.Context) {
		if ok, err := n.hub.VisitOne(ctx, n.app, a.session.ID(), terminate); !ok || err != nil {
			t.Errorf("VisitOne = %v, %v", ok, err)
		}
		if ok, err := n.hub.VisitOne(ctx, n.app, a.session.ID(), terminate); ok || err != nil {
			t.Errorf("VisitOne of one that is gone = %v, %v", ok, err)
		}
	})
	if a.closed != protocol.ErrTerminated || b.closed != nil {
		t.Errorf("the connections were closed with %v and %v, want only the first", a.closed, b.closed)
	}
}

// TestQuestionWhoseAskerIsGoneEnds: the loops are busy, and nobody waits for them.
func TestQuestionWhoseAskerIsGoneEnds(t *testing.T) {
	n := newNode(t)
	n.connect()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := Connections(ctx, n.hub, n.app, Filter{}, Position{}, 10); !errors.Is(err, context.Canceled) {
		t.Errorf("Connections = %v, want %v", err, context.Canceled)
	}
	n.loops.run()
}
