package client_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/client"
	"github.com/belfryhq/belfry/protocol"
)

// subscribe subscribes, or ends the test.
func subscribe(t testing.TB, c *client.Client, name string, opts ...client.SubscribeOption) *client.Channel {
	t.Helper()
	ch, err := c.Subscribe(name, opts...)
	if err != nil {
		t.Fatalf("Subscribe(%s): %v", name, err)
	}
	return ch
}

// Covers 48, 52.
func TestSubscribeBeforeConnecting(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{}
		c := newClient(t, f)
		for i := range 20 {
			subscribe(t, c, fmt.Sprintf("c%02d", i))
		}
		connect(t, c)
		sent := f.peer(t, 1).received("pusher:subscribe")
		if len(sent) != 20 || !slices.IsSortedFunc(sent, func(a, b message) int { return strings.Compare(a.field("channel"), b.field("channel")) }) {
			t.Errorf("sent %s", channels(sent))
		}
		if got, want := string(sent[0].Data), `{"channel":"c00"}`; got != want {
			t.Errorf("data of a public channel = %s, want %s", got, want)
		}
		for _, ch := range c.Channels() {
			if !ch.Subscribed() || ch.Err() != nil {
				t.Errorf("%s is %v, %v", ch.Name(), ch.State(), ch.Err())
			}
		}
	})
}

// Covers 49.
func TestSubscribeTwice(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{}
		c := newClient(t, f)
		ch := subscribe(t, c, "news")
		connect(t, c)
		again := subscribe(t, c, "news")
		settle()
		found, ok := c.Channel("news")
		if again != ch || found != ch || !ok || len(c.Channels()) != 1 || len(f.peer(t, 1).received("pusher:subscribe")) != 1 {
			t.Errorf("another channel, or another request: %v", f.peer(t, 1).received())
		}
		f.peer(t, 1).conn.reset()
		settle()
		if len(f.peer(t, 2).received("pusher:subscribe")) != 1 {
			t.Errorf("requests on the next connection: %v", f.peer(t, 2).received())
		}
		if _, ok := c.Channel("other"); ok {
			t.Error("there is a channel that nobody subscribed to")
		}
		if !c.Unsubscribe("news") || c.Unsubscribe("news") || len(c.Channels()) != 0 {
			t.Error("Unsubscribe does not find the channel, or finds it twice")
		}
	})
}

// Covers 50, 51.
func TestNames(t *testing.T) {
	signer := &client.LocalSigner{Key: "key", Secret: "s"}
	cfg := (&fake{}).config()
	cfg.ChannelAuthorizer = signer
	c, err := client.New("key", cfg)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]protocol.Kind{
		"news": protocol.Public, "cache-x": protocol.Cache, "private-x": protocol.Private, "private-cache-x": protocol.PrivateCache,
		"private-encrypted-x": protocol.Encrypted, "private-encrypted-cache-x": protocol.EncryptedCache,
		"presence-x": protocol.Presence, "presence-cache-x": protocol.PresenceCache, "a_-=@,.;b": protocol.Public,
	} {
		ch := subscribe(t, c, name)
		if ch.Kind() != want || ch.Name() != name || ch.IsCache() != strings.Contains(name, "cache") {
			t.Errorf("%s: kind %v, cache %t", name, ch.Kind(), ch.IsCache())
		}
	}
	for _, name := range []string{"", "#x", "#server-to-user-7", "a b", "a:b", "ö", strings.Repeat("x", 201)} {
		if _, err := c.Subscribe(name); !errors.Is(err, client.ErrInvalidChannelName) {
			t.Errorf("Subscribe(%q) = %v, want ErrInvalidChannelName", name, err)
		}
	}
	a, _ := c.SubscribePrivate("y")
	b, _ := c.SubscribePrivate("private-y")
	d, _ := c.SubscribePresence("y")
	e, _ := c.SubscribePresence("presence-y")
	if a != b || d != e || a.Name() != "private-y" || d.Name() != "presence-y" {
		t.Errorf("%s %s %s %s", a.Name(), b.Name(), d.Name(), e.Name())
	}
	cfg.MaxChannelNameLength = -1
	if c, err = client.New("key", cfg); err != nil {
		t.Fatal(err)
	}
	subscribe(t, c, strings.Repeat("x", 5000))
	c.Close()
}

// Covers 53.
func TestSubscribedIsFirstAndSetupIsBeforeIt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{onMessage: func(p *peer, m message) bool {
			if m.Event == "pusher:subscribe" {
				p.event("early", "news", "1")
				p.confirm(m)
				p.event("late", "news", "2")
				return true
			}
			return false
		}}
		c := newClient(t, f)
		connect(t, c)
		var got []string
		setup := 0
		ch := subscribe(t, c, "news", client.Setup(func(ch *client.Channel) {
			setup++
			settle()
			if sent := f.peer(t, 1).received(); len(sent) != 0 {
				t.Errorf("sent before Setup was over: %v", sent)
			}
			ch.BindAll(func(_ context.Context, e client.Event) { got = append(got, e.Name) })
			client.On(ch, func(_ context.Context, s client.Subscribed) {
				got = append(got, fmt.Sprintf("Subscribed again=%t", s.Resubscribed))
				if s.Channel != ch {
					t.Error("of another channel")
				}
			})
		}))
		settle()
		if want := "pusher:subscription_succeeded|Subscribed again=false|late"; strings.Join(got, "|") != want {
			t.Errorf("got %q, want %q", got, want)
		}
		subscribe(t, c, "news", client.Setup(func(same *client.Channel) {
			if setup++; same != ch {
				t.Error("Setup got another channel")
			}
		}))
		if setup != 2 {
			t.Errorf("Setup ran %d times", setup)
		}
	})
}

// Covers 54.
func TestAwaitSubscribed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{onMessage: func(p *peer, m message) bool {
			switch m.field("channel") {
			case "refused":
				p.send(`{"event":"pusher:subscription_error","channel":"refused","data":{"type":"AuthError","error":"no","status":401}}`)
				return true
			case "slow":
				return true
			}
			return false
		}}
		c := newClient(t, f)
		good, refused, slow, gone := subscribe(t, c, "good"), subscribe(t, c, "refused"), subscribe(t, c, "slow"), subscribe(t, c, "slow2")
		f.set(func() { f.onDial = func(context.Context, int) error { time.Sleep(time.Second); return nil } })
		c.Connect()
		if err := good.AwaitSubscribed(t.Context()); err != nil {
			t.Errorf("good: %v", err)
		}
		e, ok := errors.AsType[*client.SubscriptionError](refused.AwaitSubscribed(t.Context()))
		if !ok || e.Kind != client.SubscriptionServer || e.Status != 401 || e.Type != "AuthError" || e.Message != "no" {
			t.Errorf("refused: %+v", e)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := slow.AwaitSubscribed(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("slow: %v", err)
		}
		go func() { time.Sleep(time.Second); gone.Unsubscribe(); time.Sleep(time.Second); c.Close() }()
		gone.Unsubscribe()
		if err := gone.AwaitSubscribed(t.Context()); !errors.Is(err, client.ErrUnsubscribed) {
			t.Errorf("unsubscribed: %v", err)
		}
		if err := slow.AwaitSubscribed(t.Context()); !errors.Is(err, client.ErrClosed) {
			t.Errorf("closed: %v", err)
		}
	})
}

// Covers 55, 56.
func TestUnsubscribe(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{}
		c := newClient(t, f)
		ch := subscribe(t, c, "news")
		calls := 0
		b := ch.Bind("e", func(context.Context, client.Event) { calls++ })
		var ended []string
		client.On(c, func(_ context.Context, u client.Unsubscribed) { ended = append(ended, u.Channel.Name()) })
		connect(t, c)
		ch.Unsubscribe()
		ch.Unsubscribe()
		if b.Active() || ch.State() != client.SubEnded || ch.Bind("e", nil).Active() {
			t.Errorf("binding active %t, state %v", b.Active(), ch.State())
		}
		f.peer(t, 1).event("e", "news", "x")
		settle()
		if got := f.peer(t, 1).received("pusher:unsubscribe"); channels(got) != "unsubscribe news" || calls != 0 {
			t.Errorf("sent %s, %d calls", channels(got), calls)
		}
		again := subscribe(t, c, "news")
		again.Bind("e", func(context.Context, client.Event) { calls += 100 })
		settle()
		f.peer(t, 1).event("e", "news", "x")
		settle()
		if again == ch || calls != 100 || len(ended) != 1 {
			t.Errorf("%d calls, Unsubscribed %v", calls, ended)
		}
		c.Disconnect()
		c.UnsubscribeAll()
		connect(t, c)
		if len(f.last(t).received()) != 0 || len(c.Channels()) != 0 {
			t.Errorf("sent %v", f.last(t).received())
		}
	})
}

// Covers 58, 59, T62, T63.
func TestUnsubscribeBeforeTheAnswer(t *testing.T) {
	for _, lost := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			answers := make(chan message, 1)
			f := &fake{onMessage: func(p *peer, m message) bool {
				if m.Event == "pusher:subscribe" {
					answers <- m
					return true
				}
				return false
			}}
			c := newClient(t, f)
			confirmed := 0
			client.On(c, func(context.Context, client.Subscribed) { confirmed++ })
			ch := subscribe(t, c, "news")
			connect(t, c)
			m := <-answers
			ch.Unsubscribe()
			settle()
			if got := f.peer(t, 1).received("pusher:unsubscribe"); len(got) != 0 {
				t.Errorf("unsubscribed before the answer")
			}
			if lost {
				f.peer(t, 1).conn.reset()
				pass(time.Minute)
				if got := f.peer(t, 2).received(); len(got) != 0 {
					t.Errorf("the channel came back: %v", got)
				}
				return
			}
			f.peer(t, 1).confirm(m)
			settle()
			if got := channels(f.peer(t, 1).received()); got != "subscribe news, unsubscribe news" || confirmed != 0 {
				t.Errorf("sent %s, %d confirmations told", got, confirmed)
			}
		})
	}
}

// Covers 65.
func TestSubscriptionCount(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{}
		c := newClient(t, f)
		ch := subscribe(t, c, "news")
		var counts []int
		named := ""
		client.On(ch, func(_ context.Context, s client.SubscriptionCount) { counts = append(counts, s.Count) })
		ch.Bind("pusher:subscription_count", func(_ context.Context, e client.Event) { named += e.Data })
		connect(t, c)
		if _, ok := ch.SubscriptionCount(); ok {
			t.Error("there is a count before there was one")
		}
		f.peer(t, 1).event("pusher_internal:subscription_count", "news", `{"subscription_count":3}`)
		f.peer(t, 1).event("pusher_internal:subscription_count", "news", `{"subscription_count":0}`)
		f.peer(t, 1).event("pusher_internal:subscription_count", "news", `{}`)
		settle()
		if n, ok := ch.SubscriptionCount(); n != 0 || !ok || fmt.Sprint(counts) != "[3 0]" || named != `{"subscription_count":3}{"subscription_count":0}` {
			t.Errorf("count %d %t, told %v, %s", n, ok, counts, named)
		}
		f.peer(t, 1).conn.reset()
		settle()
		if _, ok := ch.SubscriptionCount(); ok {
			t.Error("the count is that of the last connection")
		}
	})
}

// Covers 66, 79.
func TestEventsOfOtherChannels(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{}
		c := newClient(t, f)
		var got []string
		note := func(who string) client.Handler {
			return func(_ context.Context, e client.Event) { got = append(got, who+":"+e.Name+"@"+e.Channel) }
		}
		subscribe(t, c, "a").Bind("e", note("a"))
		subscribe(t, c, "b").Bind("e", note("b"))
		c.Bind("e", note("client"))
		connect(t, c)
		p := f.peer(t, 1)
		p.event("e", "a", "x")
		p.event("e", "other", "x")
		p.event("e", "", "x")
		p.event("pusher_internal:member_added", "other", `{"user_id":"1"}`)
		settle()
		if want := "a:e@a client:e@a client:e@other client:e@"; strings.Join(got, " ") != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if n := c.Stats().EventsWithoutChannel; n != 2 {
			t.Errorf("%d events without channel, want 2", n)
		}
	})
}
