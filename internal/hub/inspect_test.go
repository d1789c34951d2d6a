package hub

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"testing"
	"time"
	"unsafe"

	"github.com/belfryhq/belfry/internal/intern"
	"github.com/belfryhq/belfry/protocol"
)

// ask runs the loops until what an operator asks for is answered.
func (n *testNode) ask(question func(context.Context)) {
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

// list returns the ids of all connections that q means, page by page.
func (n *testNode) list(q ConnectionQuery, limit int) (ids []protocol.SocketID) {
	n.t.Helper()
	n.ask(func(ctx context.Context) {
		var after Position
		for {
			page, _, err := n.hub.ListConnections(ctx, n.app, q, after, limit)
			if err != nil {
				n.t.Errorf("ListConnections: %v", err)
				return
			}
			for _, c := range page {
				ids = append(ids, c.ID)
				after = Position{c.Since, c.ID}
			}
			if len(page) < limit {
				return
			}
		}
	})
	return ids
}

// visit connects a client that says more about itself.
func (n *testNode) visit(origin, library, transport, addr string) *client {
	n.t.Helper()
	r := request("key")
	r.Query = url.Values{"protocol": {"7"}, "client": {library}, "version": {"8.4.0"}}
	r.Origin, r.Transport, r.Address = origin, transport, netip.MustParseAddr(addr)
	c, refused := n.dial(r)
	if refused != nil {
		n.t.Fatal(refused)
	}
	return c
}

func TestConnectionsAreListedPageByPageNewestFirst(t *testing.T) {
	n := newNode(t)
	const many = 2*inspectSlice + 500 // more than a slice on each of two loops
	var want []protocol.SocketID
	for range many {
		want = append(want, n.connect().session.ID())
	}
	slices.Reverse(want)
	got := n.list(ConnectionQuery{}, 700)
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
		list, total, err := n.hub.ListConnections(ctx, n.app, ConnectionQuery{Unsubscribed: true}, Position{}, 10)
		if err != nil || total != 1 || len(list) != 1 || list[0].ID != silent.session.ID() {
			t.Errorf("ListConnections = %v, %d, %v, want the one that has done nothing", list, total, err)
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
		d, err := n.hub.FindConnection(ctx, n.app, c.session.ID(), 10)
		if err != nil || d == nil {
			t.Errorf("FindConnection = %v, %v", d, err)
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
		if d, err = n.hub.FindConnection(ctx, n.app, protocol.SocketID{}, 10); d != nil || err != nil {
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
		q    ConnectionQuery
		want []*client
	}{
		"all":       {ConnectionQuery{}, []*client{a, b, c}},
		"origin":    {ConnectionQuery{Origin: "https://b.example"}, []*client{b, c}},
		"library":   {ConnectionQuery{Library: "js"}, []*client{a, b}},
		"transport": {ConnectionQuery{Transport: "xhr_streaming"}, []*client{b}},
		"network":   {ConnectionQuery{Network: netip.MustParsePrefix("10.0.0.0/16")}, []*client{a, b}},
		"user":      {ConnectionQuery{User: "bob"}, []*client{b}},
		"channel":   {ConnectionQuery{Channel: "news", Library: "swift"}, []*client{c}},
		"nobody":    {ConnectionQuery{Channel: "none"}, nil},
	} {
		var want []protocol.SocketID
		for _, c := range test.want {
			want = append(want, c.session.ID())
		}
		got := n.list(test.q, 2)
		slices.SortFunc(got, compareIDs)
		slices.SortFunc(want, compareIDs)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v are listed, want %v", name, got, want)
		}
	}
	n.ask(func(ctx context.Context) {
		counts, err := n.hub.CountConnections(ctx, n.app, ConnectionQuery{}, ByOrigin)
		if err != nil || counts["https://a.example"] != 1 || counts["https://b.example"] != 2 {
			t.Errorf("by origin: %v, %v", counts, err)
		}
		if counts, _ = n.hub.CountConnections(ctx, n.app, ConnectionQuery{}, ByLibrary); counts["js 8.4.0"] != 2 {
			t.Errorf("by library: %v", counts)
		}
	})
}

func TestOneConnectionCanBeClosed(t *testing.T) {
	n := newNode(t)
	a, b := n.connect(), n.connect()
	n.ask(func(ctx context.Context) {
		if ok, err := n.hub.CloseConnection(ctx, n.app, a.session.ID(), protocol.ErrTerminated); !ok || err != nil {
			t.Errorf("CloseConnection = %v, %v", ok, err)
		}
		if ok, err := n.hub.CloseConnection(ctx, n.app, a.session.ID(), protocol.ErrTerminated); ok || err != nil {
			t.Errorf("CloseConnection of one that is gone = %v, %v", ok, err)
		}
	})
	a.expectClosed(protocol.ErrTerminated)
	b.expectClosed(nil)
}

// TestQuestionWhoseAskerIsGoneEnds: the loops are busy, and nobody waits for them.
func TestQuestionWhoseAskerIsGoneEnds(t *testing.T) {
	n := newNode(t)
	n.connect()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := n.hub.ListConnections(ctx, n.app, ConnectionQuery{}, Position{}, 10); !errors.Is(err, context.Canceled) {
		t.Errorf("ListConnections = %v, want %v", err, context.Canceled)
	}
	n.loops.run()
}

// TestTextsOfClientsThatAreGoneAreForgotten: so nobody can fill the tables.
func TestTextsOfClientsThatAreGoneAreForgotten(t *testing.T) {
	n := newNode(t)
	var all []*client
	for i := range intern.MaxTexts + 10 {
		all = append(all, n.visit(fmt.Sprint("https://made-up.example:", i), "js", "websocket", "10.0.0.1"))
	}
	last := all[len(all)-1].session
	if got := n.hub.visitors.origins.Text(last.visitor.origin); got != intern.OtherText {
		t.Errorf("an origin too many is %q", got)
	}
	for _, c := range all {
		c.session.End(Ending{})
		c.session.End(Ending{}) // which does nothing
	}
	fresh := n.visit("https://honest.example", "js", "websocket", "10.0.0.1")
	if got := n.hub.visitors.origins.Text(fresh.session.visitor.origin); got != "https://honest.example" {
		t.Errorf("the origin is %q when all others are gone", got)
	}
}

// TestSessionStaysSmall holds the bound on what operators cost every idle
// connection: when the server could not say anything about one, it was 176 bytes.
func TestSessionStaysSmall(t *testing.T) {
	const before, budget = 176, 48
	if size := unsafe.Sizeof(Session{}); size > before+budget {
		t.Errorf("a session has %d bytes, want at most %d", size, before+budget)
	}
	if size := unsafe.Sizeof(visitor{}); size > 24 {
		t.Errorf("a visitor has %d bytes, want at most 24", size)
	}
	if size := unsafe.Sizeof(subscription{}); size > 48 {
		t.Errorf("a subscription has %d bytes, want at most 48", size)
	}
}
