package client_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/client"
)

// as authorizes every presence channel as a user.
func as(id string) func(*client.Config) {
	return func(cfg *client.Config) {
		cfg.ChannelAuthorizer = &client.LocalSigner{Key: "k", Secret: "s", MemberFunc: func(string) (string, any) { return id, nil }}
	}
}

// list writes members as "id=info".
func list(m client.Members) string {
	var parts []string
	for one := range m.All() {
		parts = append(parts, one.ID+"="+string(one.Info))
	}
	return strings.Join(parts, " ")
}

// Covers 91.
func TestMembers(t *testing.T) {
	for data, want := range map[string]string{
		`{"presence":{"count":2,"ids":["b","a"],"hash":{"b":{"n":1},"a":null}}}`:                       `a= b={"n":1}`,
		`{"presence":{"hash":{"9007199254740993":"x"},"ids":[9007199254740993,12345678901234567890]}}`: `12345678901234567890= 9007199254740993="x"`,
		`{"presence":{"count":1,"ids":["me"],"hash":[]}}`:                                              "me=",
		`{"presence":{"count":0,"ids":[],"hash":{}}}`:                                                  "",
		`{"presence":{"hash":{"a":{}}},"more":1}`:                                                      "a={}",
		`{}`: "",
	} {
		bubble(t, func(t *testing.T) {
			f := &fake{onMessage: func(p *peer, m message) bool {
				p.event("pusher_internal:subscription_succeeded", "presence-x", data)
				return true
			}}
			c := newClient(t, f, as("me"))
			ch := subscribe(t, c, "presence-x")
			connect(t, c)
			if got := list(ch.Members()); got != want || !ch.Subscribed() {
				t.Errorf("%s: %q, want %q", data, got, want)
			}
		})
	}
	bubble(t, func(t *testing.T) {
		f := &fake{}
		c := newClient(t, f, as("me"))
		ch := subscribe(t, c, "presence-x")
		var news []string
		client.On(ch, func(_ context.Context, m client.MemberAdded) {
			news = append(news, "+"+m.Member.ID+string(m.Member.Info))
		})
		client.On(c, func(_ context.Context, m client.MemberRemoved) {
			news = append(news, "-"+m.Member.ID+string(m.Member.Info))
		})
		ch.Bind("pusher:member_added", func(_ context.Context, e client.Event) { news = append(news, "named") })
		connect(t, c)
		before := ch.Members()
		p := f.peer(t, 1)
		for _, m := range []string{
			`added {"user_id":"ann","user_info":{"n":1}}`, `added {"user_id":12345678901234567890}`, `added {"user_id":"ann","user_info":{"n":2}}`,
			`removed {"user_id":"nobody"}`, `removed {"user_id":"ann"}`, `added {"user_info":{}}`, `added x`,
		} {
			kind, data, _ := strings.Cut(m, " ")
			p.event("pusher_internal:member_"+kind, "presence-x", data)
		}
		settle()
		want := `named +ann{"n":1} named +12345678901234567890 named +ann{"n":2} -ann{"n":2}`
		if got := strings.Join(news, " "); got != want {
			t.Errorf("told %q, want %q", got, want)
		}
		m := ch.Members()
		if list(m) != "12345678901234567890= me=" || m.Len() != 2 || before.Len() != 1 {
			t.Errorf("members %s, before %s", list(m), list(before))
		}
		me, ok := m.Me()
		if _, found := m.Get("ann"); found || !ok || me.ID != "me" || m.MyID() != "me" {
			t.Errorf("me %+v %t, ann found %t", me, ok, found)
		}
		var info struct{ N int }
		if err := (client.Member{Info: []byte(`{"n":3}`)}).DecodeInfo(&info); err != nil || info.N != 3 || (client.Member{}).DecodeInfo(&info) == nil {
			t.Errorf("DecodeInfo: %+v, %v", info, err)
		}
	})
}

// A list that can not be read says nothing about who is there: it is neither
// shown as an empty one, nor compared with the one before.
func TestMembersThatCanNotBeReadAreNotUsed(t *testing.T) {
	good := `{"presence":{"hash":{"me":null,"ann":null}}}`
	for _, bad := range []string{`x`, `[]`, `{"presence":[]}`, `{"presence":{"ids":{},"hash":{"eve":null}}}`, `{"presence":{"ids":["eve"],"hash":"?"}}`} {
		bubble(t, func(t *testing.T) {
			data := good
			f := &fake{}
			f.onMessage = func(p *peer, m message) bool {
				if m.Event == "pusher:subscribe" {
					f.sync()
					p.event("pusher_internal:subscription_succeeded", "presence-x", data)
				}
				return true
			}
			c := newClient(t, f, as("me"))
			ch := subscribe(t, c, "presence-x")
			var told []string
			client.On(ch, func(_ context.Context, s client.Subscribed) {
				told = append(told, fmt.Sprintf("subscribed %d +%d -%d", s.Members.Len(), len(s.Joined), len(s.Left)))
			})
			client.On(ch, func(_ context.Context, s client.SubscriptionFailed) {
				told = append(told, fmt.Sprintf("failed %s %t", s.Err.Kind, s.Err.WillRetry))
			})
			client.On(ch, func(_ context.Context, m client.MemberAdded) { told = append(told, "+"+m.Member.ID) })
			connect(t, c)
			f.set(func() { data = bad })
			f.peer(t, 1).close(4200, "")
			settle()
			f.peer(t, 2).event("pusher_internal:member_added", "presence-x", `{"user_id":"bob"}`)
			settle()
			e, ok := errors.AsType[*client.ProtocolError](ch.Err())
			if !ok || e.Frame != bad || ch.State() != client.SubFailed || ch.Members().Len() != 0 {
				t.Errorf("%s: %v, %v, %d members", bad, ch.State(), ch.Err(), ch.Members().Len())
			}
			f.set(func() { data = good })
			if err := ch.Resubscribe(); err != nil {
				t.Fatal(err)
			}
			settle()
			if got, want := strings.Join(told, ", "), "subscribed 2 +0 -0, failed server false, subscribed 2 +0 -0"; got != want {
				t.Errorf("%s: told %q, want %q", bad, got, want)
			}
			if got, want := channels(f.peer(t, 2).received()), "subscribe presence-x, unsubscribe presence-x, subscribe presence-x"; got != want {
				t.Errorf("%s: sent %q, want %q", bad, got, want)
			}
		})
	}
}

// Covers 93.
func TestTrigger(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{onMessage: func(p *peer, m message) bool { return m.Event == "pusher:subscribe" }}
		c := newClient(t, f, as("me"))
		private, encrypted, public := subscribe(t, c, "private-x"), subscribe(t, c, "private-y"), subscribe(t, c, "news")
		ctx := t.Context()
		refused := func(what string, err, want error) {
			t.Helper()
			if !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", what, err, want)
			}
		}
		refused("no connection", private.Trigger(ctx, "client-x", 1), client.ErrNotConnected)
		connect(t, c)
		refused("no prefix", private.Trigger(ctx, "typing", 1), client.ErrInvalidEventName)
		refused("public", public.Trigger(ctx, "client-x", 1), client.ErrUnsupported)
		refused("not subscribed", private.Trigger(ctx, "client-x", 1), client.ErrNotSubscribed)
		if err := private.Trigger(ctx, "client-x", make(chan int)); err == nil {
			t.Error("a channel is sent as JSON")
		}
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		refused("waiting", private.Trigger(short, "client-x", 1, client.WhenSubscribed()), context.DeadlineExceeded)
		p := f.peer(t, 1)
		sent := make(chan error, 1)
		go func() {
			sent <- private.Trigger(ctx, "client-x", map[string]string{"a": "<b>"}, client.WhenSubscribed())
		}()
		pass(time.Second)
		p.event("pusher_internal:subscription_succeeded", "private-x", "{}")
		if err := <-sent; err != nil {
			t.Errorf("when subscribed: %v", err)
		}
		settle()
		if got := p.received("client-x"); len(got) != 1 || got[0].Channel != "private-x" || string(got[0].Data) != `{"a":"<b>"}` {
			t.Errorf("sent %v", got)
		}
		encrypted.Unsubscribe()
		refused("unsubscribed", encrypted.Trigger(ctx, "client-x", 1), client.ErrUnsubscribed)
		refused("unsubscribed, waiting", encrypted.Trigger(ctx, "client-x", 1, client.WhenSubscribed()), client.ErrUnsubscribed)
		if got := client.ClientEventName("typing") + client.ClientEventName("client-x"); got != "client-typingclient-x" {
			t.Errorf("ClientEventName: %s", got)
		}
	})
	bubble(t, func(t *testing.T) {
		c := newClient(t, &fake{}, func(cfg *client.Config) {
			cfg.ChannelAuthorizer = &client.LocalSigner{Key: "k", Secret: "s", MasterKey: make([]byte, 32)}
		})
		ch := subscribe(t, c, "private-encrypted-x")
		connect(t, c)
		if err := ch.Trigger(t.Context(), "client-x", 1); !errors.Is(err, client.ErrUnsupported) {
			t.Errorf("encrypted: %v", err)
		}
	})
	bubble(t, func(t *testing.T) {
		c := newClient(t, &fake{}, as("me"), func(cfg *client.Config) { cfg.ClientEventRate = 10 })
		ch := subscribe(t, c, "private-x")
		connect(t, c)
		limited := 0
		for range 15 {
			if err := ch.Trigger(t.Context(), "client-x", 1); errors.Is(err, client.ErrRateLimited) {
				limited++
			}
		}
		pass(time.Second)
		if err := ch.Trigger(t.Context(), "client-x", 1); err != nil || limited != 5 {
			t.Errorf("%d of 15 were too many, a second later: %v", limited, err)
		}
	})
}

// Covers 94.
func TestSenderOfAClientEvent(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{}
		c := newClient(t, f, as("me"))
		ch := subscribe(t, c, "presence-x")
		var got []string
		ch.BindAll(func(_ context.Context, e client.Event) { got = append(got, e.Name+" "+e.UserID) })
		connect(t, c)
		got = nil
		for _, m := range []string{
			`{"event":"client-a","channel":"presence-x","data":"x","user_id":"ann"}`,
			`{"event":"client-b","channel":"presence-x","data":"x","user_id":17}`,
			`{"event":"client-c","channel":"presence-x","data":"x"}`,
			`{"event":"published","channel":"presence-x","data":"x","user_id":"ann"}`,
		} {
			f.peer(t, 1).send(m)
		}
		settle()
		if strings.Join(got, "|") != "client-a ann|client-b 17|client-c |published " {
			t.Errorf("got %q", got)
		}
	})
}

// Covers 96, T69.
func TestPresenceAsTheUser(t *testing.T) {
	member := func(string) (string, any) { return "", nil }
	signer := &client.LocalSigner{Key: "k", Secret: "s", MemberFunc: member, UserFunc: func() (string, any, []string) { return "ann", nil, nil }}
	both := func(cfg *client.Config) { cfg.ChannelAuthorizer, cfg.UserAuthenticator = signer, signer }
	bubble(t, func(t *testing.T) { // signed in, and signing in
		hold := true
		f := &fake{onMessage: func(_ *peer, m message) bool { return hold && m.Event == "pusher:signin" }}
		c := newClient(t, f, both)
		c.User().SignIn()
		ch := subscribe(t, c, "presence-x")
		connect(t, c)
		if ch.State() != client.SubAuthorizing {
			t.Errorf("while signing in: %v", ch.State())
		}
		f.peer(t, 1).event("pusher:signin_success", "", `{"user_data":"{\"id\":\"ann\"}"}`)
		settle()
		got := f.peer(t, 1).received("pusher:subscribe")
		if !ch.Subscribed() || ch.Members().MyID() != "ann" || len(got) != 2 || got[1].field("channel_data") != "" || got[1].field("auth") == "" {
			t.Errorf("%v as %q, sent %v", ch.State(), ch.Members().MyID(), got)
		}
		other := subscribe(t, c, "presence-y")
		settle()
		if !other.Subscribed() {
			t.Errorf("when signed in: %v", other.State())
		}
	})
	bubble(t, func(t *testing.T) { // nobody
		c := newClient(t, &fake{}, both)
		failed := failures(c)
		ch := subscribe(t, c, "presence-x")
		connect(t, c)
		if ch.State() != client.SubFailed || len(*failed) != 1 || !isType[*client.AuthError]((*failed)[0]) {
			t.Errorf("without a user: %v, %v", ch.State(), *failed)
		}
	})
	bubble(t, func(t *testing.T) { // the sign-in fails
		f := &fake{onMessage: func(p *peer, m message) bool {
			if m.Event == "pusher:signin" {
				p.event("pusher:signin_success", "", `{}`)
				return true
			}
			return false
		}}
		c := newClient(t, f, both)
		c.User().SignIn()
		ch := subscribe(t, c, "presence-x")
		connect(t, c)
		if ch.State() != client.SubFailed {
			t.Errorf("after a failed sign-in: %v", ch.State())
		}
	})
}

// Covers 98.
func TestCacheChannel(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{onMessage: func(p *peer, m message) bool {
			p.confirm(m)
			if m.field("channel") == "cache-full" {
				p.event("e", "cache-full", "cached")
			} else {
				p.event("pusher:cache_miss", m.field("channel"), "{}")
			}
			return true
		}}
		c := newClient(t, f)
		var got []string
		full, empty := subscribe(t, c, "cache-full"), subscribe(t, c, "cache-empty")
		for _, ch := range []*client.Channel{full, empty} {
			client.On(ch, func(context.Context, client.Subscribed) { got = append(got, "subscribed "+ch.Name()) })
			client.On(ch, func(_ context.Context, m client.CacheMiss) { got = append(got, "miss "+m.Channel.Name()) })
			ch.Bind("pusher:cache_miss", func(_ context.Context, e client.Event) { got = append(got, "named miss") })
			ch.Bind("e", func(_ context.Context, e client.Event) { got = append(got, fmt.Sprint("event ", e.Data)) })
		}
		connect(t, c)
		want := "subscribed cache-full|event cached|subscribed cache-empty|named miss|miss cache-empty"
		if strings.Join(got, "|") != want || !full.IsCache() {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}
