package hub

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/protocol"
)

func TestClientEventReachesTheOthers(t *testing.T) {
	n := newTestNode(t, func(a *apps.App) { a.Limits.ClientEventsPerSecond = 0 })
	a, b, c := n.connect(), n.connect(), n.connect()
	for _, channel := range []string{"private-x", "private-cache-x", "private-encrypted-x", "private-encrypted-cache-x"} {
		a.subscribe(channel)
		b.subscribe(channel)
		a.read()
		b.read()
		a.signIn(`{"id":"16"}`) // is nothing to private channels
		a.read()
		for in, out := range map[string]string{
			`,"data":{"k":1}`:   `{"k":1}`,
			`,"data":"hello"`:   `hello`,
			`,"data":"\u0041/"`: `A/`,
			`,"data":42`:        `42`,
			`,"data":null`:      `null`,
			``:                  `null`,
			`,"data":{"n":12345678901234567890,"h":"<b>"}`: `{"n":12345678901234567890,"h":"<b>"}`,
			`,"data": [ 1.50 ] ,"user_id":"1","x":2`:       `[ 1.50 ]`,
		} {
			a.receive(`{"event":"client-x","channel":%s%s}`, quote(channel), in)
			b.expect("client-x @" + channel + " " + out)
			a.expect()
			c.expect()
		}
	}
}

func TestClientEventOnPresenceTellsWhoSentIt(t *testing.T) {
	n := newNode(t)
	a, b, c := n.connect(), n.connect(), n.connect()
	for i, x := range []*client{a, b, c} {
		x.join("presence-r", `{"user_id":"`+[]string{"1", "2", "1"}[i]+`"}`)
	}
	for _, x := range []*client{a, b, c} {
		x.read()
	}
	a.receive(`{"event":"client-x","channel":"presence-r","data":"d","user_id":"9"}`)
	a.expect()
	b.expect("client-x @presence-r d by 1")
	c.expect("client-x @presence-r d by 1") // another connection of the same user
}

// Each row breaks its check and those that come after it.
func TestClientEventChecksInOrder(t *testing.T) {
	name := func(chars int) string { return "client-" + strings.Repeat("é", chars-len("client-")) }
	const big = 10241
	off := newTestNode(t, func(a *apps.App) { a.ClientEvents = false })
	on := newTestNode(t, func(a *apps.App) { a.Limits.ClientEventsPerSecond = 1 })
	for _, n := range []*testNode{off, on} {
		now := time.Now()
		n.now = func() time.Time { now = now.Add(time.Second); return now }
	}
	c, d := off.connect(), on.connect()
	d.subscribe("private-x")
	d.read()
	data := `"` + strings.Repeat("x", big) + `"`
	for _, tt := range []struct {
		client              *client
		event, channel, all string
		want                *protocol.Error
	}{
		{c, name(201), ``, data, protocol.ErrClientEventsDisabled},
		{d, name(201), ``, data, protocol.EventNameTooLong(200)},
		{d, name(200), ``, data, protocol.MissingParameter("channel")},
		{d, name(200), `"channel":5,`, data, protocol.MissingParameter("channel")},
		{d, name(200), `"channel":"news",`, data, protocol.ErrClientEventChannel},
		{d, name(200), `"channel":"cache-x",`, data, protocol.ErrClientEventChannel},
		{d, name(200), `"channel":"#server-to-user-1",`, data, protocol.ErrClientEventChannel},
		{d, name(200), `"channel":"private-y",`, data, protocol.NotSubscribed("private-y")},
		{d, name(200), `"channel":"private-x",`, data, protocol.EventDataTooLong(10240)},
		{d, name(200), `"channel":"private-x",`, `[` + strings.Repeat("1", big-2) + `]`, protocol.EventDataTooLong(10240)},
	} {
		tt.client.receive(`{"event":%s,%s"data":%s}`, quote(tt.event), tt.channel, tt.all)
		tt.client.expect(complaint(tt.want))
	}
	// The rate comes before all of them.
	on.now = time.Now
	d.receive(`{"event":"client-x"}`)
	d.receive(`{"event":%s,"data":%s}`, quote(name(201)), data)
	if got := d.read(); len(got) != 2 || got[1] != complaint(protocol.ErrClientEventRate) {
		t.Errorf("over the rate the client got %q, want %v last", got, protocol.ErrClientEventRate)
	}
	if got := total(on.hub.metrics.clientEventsRefused); got != 11 {
		t.Errorf("%v refused client events are counted, want 11", got)
	}
}

func TestClientEventLimitsAreInclusive(t *testing.T) {
	n := newTestNode(t, func(a *apps.App) { a.Limits.ClientEventsPerSecond = 0 })
	a, b := n.connect(), n.connect()
	a.subscribe("private-x")
	b.subscribe("private-x")
	a.read()
	b.read()
	for _, tt := range []struct{ event, in, out string }{
		{"client-", `"d"`, "d"},
		{"client-" + strings.Repeat("é", 193), `"d"`, "d"},
		{"client-\n pusher:", `"d"`, "d"},
		{"client-x", `"` + strings.Repeat("é", 5120) + `"`, strings.Repeat("é", 5120)},
		{"client-x", `"` + strings.Repeat(`\u00e9`, 5120) + `"`, strings.Repeat("é", 5120)}, // counted as decoded
		{"client-x", `[` + strings.Repeat("1", 10238) + `]`, `[` + strings.Repeat("1", 10238) + `]`},
	} {
		a.receive(`{"event":%s,"channel":"private-x","data":%s}`, quote(tt.event), tt.in)
		b.expect(tt.event + " @private-x " + tt.out)
		a.expect()
	}
}

func TestClientEventWithoutSubscriptionReachesNobody(t *testing.T) {
	n := newNode(t)
	a, b := n.connect(), n.connect()
	b.subscribe("private-x")
	a.subscribe("private-x")
	a.unsubscribe("private-x")
	a.read()
	b.read()
	a.receive(`{"event":"client-x","channel":"private-x"}`)
	a.expect(complaint(protocol.NotSubscribed("private-x")))
	b.expect()
}

func TestClientEventRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		a, b := n.connect(), n.connect()
		a.subscribe("private-x")
		b.subscribe("private-x")
		a.read()
		b.read()
		burst := func(events, relayed int) {
			t.Helper()
			for range events {
				a.receive(`{"event":"client-x","channel":"private-x"}`)
			}
			if got := len(b.read()); got != relayed {
				t.Errorf("%d of %d events were relayed, want %d", got, events, relayed)
			}
			got := a.read()
			for _, f := range got {
				if f != complaint(protocol.ErrClientEventRate) {
					t.Errorf("the sender got %q", f)
				}
			}
			if len(got) != events-relayed { // one for each, unlike other complaints
				t.Errorf("the sender got %d errors for %d lost events", len(got), events-relayed)
			}
		}
		burst(300, 10)
		b.receive(`{"event":"client-y","channel":"private-x"}`) // the limit is per connection
		a.expect("client-y @private-x null")
		time.Sleep(99 * time.Millisecond)
		burst(3, 0)
		time.Sleep(time.Millisecond)
		burst(3, 1)
		time.Sleep(550 * time.Millisecond)
		burst(9, 5)
		time.Sleep(50 * time.Millisecond) // the half that was left over
		burst(2, 1)
		time.Sleep(time.Hour)
		burst(20, 10)
	})
}

// Who was there while there was no limit has what everybody may have at once.
func TestClientEventRateThatBeginsLaterRefusesNobodyAtOnce(t *testing.T) {
	n := newNode(t)
	n.change(func(app *apps.App) { app.Limits.ClientEventsPerSecond = 0 })
	a, b := n.connect(), n.connect()
	a.subscribe("private-x")
	b.subscribe("private-x")
	a.read()
	b.read()
	n.change(func(app *apps.App) { app.Limits.ClientEventsPerSecond = 2 })
	for range 2 {
		a.receive(`{"event":"client-x","channel":"private-x"}`)
		b.expect("client-x @private-x null")
	}
	a.expect()
}

func TestClientEventRateCountsRefusedEvents(t *testing.T) {
	n := newNode(t)
	now := time.Now()
	n.now = func() time.Time { return now }
	a := n.connect()
	for range 10 {
		a.receive(`{"event":"client-x","channel":"news"}`)
		a.expect(complaint(protocol.ErrClientEventChannel))
	}
	a.receive(`{"event":"client-x","channel":"news"}`)
	a.receive(`{"event":"xclient-x","channel":"news"}`) // is none
	a.expect(complaint(protocol.ErrClientEventRate), complaint(protocol.UnknownEvent("xclient-x")))
}
