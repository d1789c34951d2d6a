package hub

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfryhq/belfry/internal/frame"
	"github.com/belfryhq/belfry/protocol"
)

func TestTriggerReachesTheSubscribersOnly(t *testing.T) {
	n := newNode(t)
	a, b, c := n.connect(), n.connect(), n.connect()
	a.subscribe("news")
	b.subscribe("news")
	c.subscribe("News")
	for _, x := range []*client{a, b, c} {
		x.read()
	}
	for _, data := range []string{`{"a":1}`, `plain text`, `<>&\/` + "\u2028", `12345678901234567890`, "", "😀"} {
		n.trigger("news", "my event", data)
		a.expect("my event @news " + data)
		b.expect("my event @news " + data)
		c.expect()
	}
	n.trigger("news", "e", "", a)
	a.expect()
	b.expect("e @news ")
	n.trigger("nobody", "e", "")
	if got := total(n.hub.metrics.deliveries); got != 2*6+1 {
		t.Errorf("%v deliveries are counted, want 13", got)
	}
}

// The bytes of the data literal reach the client as they are.
func TestTriggerCopiesTheLiteral(t *testing.T) {
	n := newNode(t)
	var got tape
	s, refused := n.hub.Connect(request("key"), &got, 0)
	if refused != nil {
		t.Fatal(refused)
	}
	s.Receive(time.Now(), []byte(`{"event":"pusher:subscribe","data":{"channel":"news"}}`))
	const literal = `"\u0041\/\ud83d\ude00 <"`
	if _, err := n.hub.Trigger(t.Context(), n.app, []string{"news"}, Event{"e", []byte(literal)}, protocol.SocketID{}); err != nil {
		t.Fatal(err)
	}
	n.loops.run()
	if want := `"data":` + literal + `}`; len(got) != 3 || !strings.HasSuffix(got[2], want) {
		t.Errorf("the client got %q, want the last to end with %s", []string(got), want)
	}
}

// A tape is a socket that keeps the text of frames.
type tape []string

func (t *tape) Send(f *frame.Frame)   { *t = append(*t, string(f.Message())) }
func (t *tape) Close(*protocol.Error) {}

func TestTriggerToSeveralChannels(t *testing.T) {
	n := newNode(t)
	a, b := n.connect(), n.connect()
	a.subscribe("x")
	a.subscribe("y")
	b.subscribe("y")
	a.read()
	b.read()
	id := b.session.ID()
	if _, err := n.hub.Trigger(t.Context(), n.app, []string{"x", "y", "z"}, Event{"e", []byte(`"d"`)}, id); err != nil {
		t.Fatal(err)
	}
	a.expect("e @x d", "e @y d")
	b.expect()
	batch := []Targeted{
		{Event: Event{"f", []byte(`"1"`)}, Channel: "y"},
		{Event: Event{"g", []byte(`"2"`)}, Channel: "x"},
		{Event: Event{"h", []byte(`"3"`)}, Channel: "y", Except: id},
	}
	if _, err := n.hub.TriggerBatch(t.Context(), n.app, batch); err != nil {
		t.Fatal(err)
	}
	a.expect("f @y 1", "g @x 2", "h @y 3")
	b.expect("f @y 1")
	if got := total(n.hub.metrics.backendEvents); got != 4 {
		t.Errorf("%v events of backends are counted, want 4", got)
	}
}

// An overloaded node refuses the whole call, before anything is delivered.
func TestTriggerOnAnOverloadedNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNode(t)
		c := n.connect()
		c.subscribe("cache-x")
		c.read()
		n.loops.full = true
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		start := time.Now()
		e := Event{"e", []byte(`"d"`)}
		if _, err := n.hub.Trigger(ctx, n.app, []string{"cache-x"}, e, protocol.SocketID{}); !errors.Is(err, ErrOverloaded) {
			t.Errorf("Trigger = %v, want %v", err, ErrOverloaded)
		}
		if got := time.Since(start); got != 5*time.Second {
			t.Errorf("Trigger waited for %v, want as long as it may", got)
		}
		if _, err := n.hub.TriggerBatch(ctx, n.app, []Targeted{{Event: e, Channel: "cache-x"}}); !errors.Is(err, ErrOverloaded) {
			t.Errorf("TriggerBatch = %v, want %v", err, ErrOverloaded)
		}
		c.expect()
		n.expectCached("cache-x", "")
		n.loops.full = false
		n.trigger("cache-x", "e", "d")
		c.expect("e @cache-x d")
	})
}

func TestQueries(t *testing.T) {
	n := newNode(t)
	a, b := n.connect(), n.connect()
	a.join("presence-b", `{"user_id":"2"}`)
	b.join("presence-b", `{"user_id":"1"}`)
	a.subscribe("presence") // a public channel
	a.subscribe("news")
	b.subscribe("news")
	b.join("presence-a", `{"user_id":"1"}`)
	n.trigger("cache-x", "e", "")
	for name, want := range map[string]ChannelState{
		"presence-b": {true, 2, 2}, "presence-a": {true, 1, 1}, "presence": {true, 1, 0},
		"news": {true, 2, 0}, "cache-x": {}, "nobody": {}, "": {},
	} {
		if got := n.hub.Channel(n.app, name); got != want {
			t.Errorf("Channel(%q) = %+v, want %+v", name, got, want)
		}
	}
	for prefix, want := range map[string][]string{
		"":           {"news", "presence", "presence-a", "presence-b"},
		"presence-":  {"presence-a", "presence-b"},
		"presence-b": {"presence-b"},
		"x":          nil,
	} {
		var got []string
		n.hub.Channels(n.app, prefix, func(name string, s ChannelState) {
			got = append(got, name)
			if !s.Occupied || s.Subscriptions == 0 {
				t.Errorf("Channels(%q) tells %+v of %q", prefix, s, name)
			}
		})
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("Channels(%q) = %q, want %q", prefix, got, want)
		}
	}
	for name, want := range map[string][]string{"presence-b": {"2", "1"}, "presence": nil, "news": nil, "nobody": nil} {
		if got := n.hub.Users(n.app, name); !slices.Equal(got, want) {
			t.Errorf("Users(%q) = %q, want %q", name, got, want)
		}
	}
}
