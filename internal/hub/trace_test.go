package hub

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/trace"
)

// A notebook is a tracer that keeps everything.
type notebook struct {
	mu      sync.Mutex
	want    trace.Want
	records []trace.Record
	tallies []*trace.Tally
}

func (n *notebook) Wants(trace.Kind) trace.Want { return n.want }

func (n *notebook) Trace(r trace.Record) *trace.Tally {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.records = append(n.records, r)
	n.tallies = append(n.tallies, new(trace.Tally))
	return n.tallies[len(n.tallies)-1]
}

// take returns what was written since the last look, each as a line.
func (n *notebook) take() (lines []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i, r := range n.records {
		line := strings.Join(strings.Fields(fmt.Sprint(r.Kind, " ", r.Channel, " ", r.Event, " ", r.User)), " ")
		switch r.Kind {
		case trace.APIMessage, trace.ClientEvent, trace.Arrived:
			line += fmt.Sprintf(" here %d elsewhere %d handed %d frame %t", r.Here, r.Elsewhere, n.tallies[i].Count(), r.Frame != nil)
		case trace.ClientError, trace.ConnectionRefused, trace.Disconnected:
			line += fmt.Sprint(" ", r.Code)
		}
		lines = append(lines, line)
	}
	n.records, n.tallies = nil, nil
	return lines
}

func (n *notebook) expect(t *testing.T, want ...string) {
	t.Helper()
	if got := n.take(); !slices.Equal(got, want) {
		t.Errorf("the tracer was told\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func newTracedNode(t *testing.T, want trace.Want, list ...*apps.App) (*testNode, *notebook) {
	book := &notebook{want: want}
	return newNodeWith(t, Config{Node: "ABCDEFGHIJKLMNOP", Tracer: func(string) Tracer { return book }}, list...), book
}

func TestTracerIsToldWhatHappens(t *testing.T) {
	app := testApp()
	app.WatchlistEvents = true
	n, book := newTracedNode(t, trace.Facts, app)
	a, b := n.connect(), n.connect()
	book.expect(t, "connection", "connection")

	a.subscribe("news")
	b.subscribe("news")
	book.expect(t, "subscribed news", "occupied news", "subscribed news")
	n.trigger("news", "hello", "1")
	n.loops.run()
	book.expect(t, "api_message news hello here 2 elsewhere 0 handed 2 frame true")
	n.trigger("news", "hello", "1", a)
	n.loops.run()
	book.expect(t, "api_message news hello here 2 elsewhere 0 handed 1 frame true")
	n.trigger("nobody", "hello", "1")
	book.expect(t, "api_message nobody hello here 0 elsewhere 0 handed 0 frame false")

	a.subscribe("cache-x")
	book.expect(t, "subscribed cache-x", "occupied cache-x", "cache_miss cache-x")
	n.trigger("cache-x", "hello", "1")
	n.loops.run()
	book.expect(t, "api_message cache-x hello here 1 elsewhere 0 handed 1 frame true")

	a.join("presence-room", `{"user_id":"u"}`)
	book.expect(t, "subscribed presence-room u", "occupied presence-room", "presence_event presence-room member_added u")
	a.receive(`{"event":"client-hi","channel":"presence-room","data":"x"}`)
	n.loops.run()
	book.expect(t, "client_event presence-room client-hi u here 1 elsewhere 0 handed 0 frame true")

	a.receive(`{"event":"client-hi","channel":"news","data":"x"}`)
	a.receive(`{"event":"pusher:subscribe","data":{"channel":"private-x","auth":"key:bad"}}`)
	a.receive(`{"event":"nonsense","data":{}}`)
	book.expect(t, "client_error news client-hi 0", "client_error private-x pusher:subscribe 0", "client_error nonsense 0")

	b.signIn(`{"id":"v","watchlist":["w"]}`)
	a.signIn(`{"id":"w"}`)
	book.expect(t, "signed_in v", "watchlist online w", "signed_in w")
	n.trigger("#server-to-user-w", "hello", "1")
	n.loops.run()
	book.expect(t, "api_message #server-to-user-w hello here 1 elsewhere 0 handed 1 frame true")
	n.trigger("#server-to-user-x", "hello", "1")
	book.expect(t, "api_message #server-to-user-x hello here 0 elsewhere 0 handed 0 frame true")

	b.unsubscribe("news")
	book.expect(t, "unsubscribed news v")
	n.hub.Terminate(n.app, "w")
	n.loops.run()
	got := book.take()
	want := []string{"terminated w", "disconnection w 0", "unsubscribed news w", "vacated news", "unsubscribed cache-x w",
		"vacated cache-x", "unsubscribed presence-room u", "presence_event presence-room member_removed u", "vacated presence-room", "watchlist offline w"}
	if !slices.Equal(got, want) {
		t.Errorf("the tracer was told\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func TestTracerIsToldWhyAClientWasRefused(t *testing.T) {
	app := testApp()
	app.Disabled = true
	n, book := newTracedNode(t, trace.Facts, app)
	if _, refused := n.dial(request("key")); refused == nil {
		t.Fatal("a client of a disabled app is connected")
	}
	book.expect(t, "refused_connection 4003")
	if _, refused := n.dial(request("nobody")); refused == nil {
		t.Fatal("a client of no app is connected")
	}
	book.expect(t)
}

// TestWatcherSeesWhatNobodyGot: the data of an event is shown to who watches,
// although it is not encoded for anybody else.
func TestWatcherSeesWhatNobodyGot(t *testing.T) {
	n, book := newTracedNode(t, trace.Data)
	n.trigger("nobody", "hello", "1")
	book.expect(t, "api_message nobody hello here 0 elsewhere 0 handed 0 frame true")
}

// TestOrderTellsWhoWasThere: an event was for a subscription if its place is
// above the one with which that began, and not above the one with which it
// ended, also when the channel was forgotten in between.
func TestOrderTellsWhoWasThere(t *testing.T) {
	n, book := newTracedNode(t, trace.Facts)
	a := n.connect()
	was := map[uint64]bool{} // whether a was there, by the place of the event
	var periods [][2]uint64
	for range 3 {
		n.trigger("news", "missed", "")
		a.subscribe("news")
		n.trigger("news", "got", "")
		n.trigger("news", "got", "")
		a.unsubscribe("news")
		n.trigger("news", "missed", "")
	}
	for _, r := range book.records {
		switch r.Kind {
		case trace.Subscribed:
			periods = append(periods, [2]uint64{r.Order, 0})
		case trace.Unsubscribed:
			periods[len(periods)-1][1] = r.Order
		case trace.APIMessage:
			was[r.Order] = r.Event == "got"
		}
	}
	if len(was) != 12 || len(periods) != 3 {
		t.Fatalf("%d places of events and %d subscriptions, want 12 and 3", len(was), len(periods))
	}
	for order, got := range was {
		inside := slices.ContainsFunc(periods, func(p [2]uint64) bool { return p[0] < order && order <= p[1] })
		if inside != got {
			t.Errorf("the event at %d was got: %t, but the subscriptions %v say %t", order, got, periods, inside)
		}
	}
}
