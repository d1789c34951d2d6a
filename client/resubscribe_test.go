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
)

// Covers 60, T64.
func TestLastCallDecides(t *testing.T) {
	// Every sequence of up to 6 calls, with answers after each of them or
	// only at the end.
	for n := 1; n <= 6; n++ {
		for answered := range 1 << n {
			bubble(t, func(t *testing.T) { playCalls(t, n, answered) })
		}
	}
}

// playCalls subscribes and unsubscribes in turn; the bits of answered say
// after which calls the service answers what it was asked until then.
func playCalls(t *testing.T, n, answered int) {
	var waiting []message
	have := map[string]bool{}
	f := &fake{}
	f.onMessage = func(p *peer, m message) bool {
		switch m.Event {
		case "pusher:subscribe":
			if have["news"] {
				t.Error("subscribed twice")
			}
			have["news"] = true
			waiting = append(waiting, m)
		case "pusher:unsubscribe":
			if !have["news"] {
				t.Error("unsubscribed without a subscription")
			}
			delete(have, "news")
		}
		return true
	}
	c := newClient(t, f)
	connect(t, c)
	answer := func() {
		settle()
		for len(waiting) > 0 {
			m := waiting[0]
			waiting = waiting[1:]
			f.peer(t, 1).confirm(m)
			settle()
		}
	}
	for i := range n {
		if i%2 == 0 {
			subscribe(t, c, "news")
		} else {
			c.Unsubscribe("news")
		}
		if answered&(1<<i) != 0 {
			answer()
		}
	}
	answer()
	want := n%2 == 1
	ch, ok := c.Channel("news")
	if ok != want || have["news"] != want || ok && !ch.Subscribed() {
		t.Errorf("%d calls, answered %b: registered %t, the service has it %t", n, answered, ok, have["news"])
	}
}

// Covers 61, 62, 92.
func TestChannelsAfterAReconnect(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{}
		members := `{"presence":{"hash":{"me":null,"ann":{"n":1},"bob":null}}}`
		f.onMessage = func(p *peer, m message) bool {
			if m.field("channel") == "presence-x" {
				p.event("pusher_internal:subscription_succeeded", "presence-x", members)
				return true
			}
			return false
		}
		var sockets []string
		c := newClient(t, f, func(cfg *client.Config) {
			cfg.ChannelAuthorizer = client.ChannelAuthorizerFunc(func(_ context.Context, r client.AuthRequest) (client.Auth, error) {
				sockets = append(sockets, r.SocketID)
				return client.Auth{Auth: "key:" + r.SocketID, ChannelData: `{"user_id":"me"}`}, nil
			})
		})
		public, presence := subscribe(t, c, "news"), subscribe(t, c, "presence-x")
		calls, memberEvents := 0, 0
		public.Bind("e", func(context.Context, client.Event) { calls++ })
		client.On(c, func(context.Context, client.MemberAdded) { memberEvents++ })
		client.On(c, func(context.Context, client.MemberRemoved) { memberEvents++ })
		var confirmed []client.Subscribed
		client.On(presence, func(_ context.Context, s client.Subscribed) { confirmed = append(confirmed, s) })
		connect(t, c)
		if presence.Members().Len() != 3 || presence.Members().MyID() != "me" {
			t.Errorf("members %v", presence.Members())
		}
		f.set(func() { members = `{"presence":{"hash":{"me":null,"ann":{"n":2},"eve":null}}}` })
		f.peer(t, 1).close(4100, "")
		settle()
		if public.Subscribed() || presence.Subscribed() || presence.Members().Len() != 0 || presence.Members().MyID() != "" || presence.State() != client.SubIdle {
			t.Errorf("without a connection: %v, %d members", presence.State(), presence.Members().Len())
		}
		pass(5 * time.Second)
		settle()
		f.peer(t, 2).event("e", "news", "x")
		settle()
		if got := f.peer(t, 2).received("pusher:subscribe"); channels(got) != "subscribe news, subscribe presence-x" || got[1].field("auth") != "key:2.2" || calls != 1 {
			t.Errorf("sent %v, %d calls", got, calls)
		}
		if strings.Join(sockets, " ") != "1.1 2.2" {
			t.Errorf("authorized for %v", sockets)
		}
		s := confirmed[1]
		if !s.Resubscribed || len(s.Joined) != 1 || s.Joined[0].ID != "eve" || len(s.Left) != 1 || s.Left[0].ID != "bob" || s.Members.Len() != 3 || confirmed[0].Joined != nil {
			t.Errorf("Subscribed = %+v", s)
		}
		if memberEvents != 0 {
			t.Errorf("%d member events", memberEvents)
		}
	})
}

// Covers 63.
func TestRefusedSubscription(t *testing.T) {
	bubble(t, func(t *testing.T) {
		refuse := true
		f := &fake{onMessage: func(p *peer, m message) bool {
			if m.Event == "pusher:subscribe" && refuse {
				p.send(`{"event":"pusher:subscription_error","channel":"news","data":"{\"type\":\"LimitReached\",\"error\":\"full\",\"status\":4004}"}`)
				return true
			}
			return false
		}}
		c := newClient(t, f)
		ch := subscribe(t, c, "news")
		var failed []*client.SubscriptionError
		named := ""
		client.On(ch, func(_ context.Context, s client.SubscriptionFailed) { failed = append(failed, s.Err) })
		ch.Bind("pusher:subscription_error", func(_ context.Context, e client.Event) { named = e.Data })
		connect(t, c)
		if ch.State() != client.SubFailed || len(failed) != 1 || failed[0].Type != "LimitReached" || failed[0].Status != 4004 || failed[0].WillRetry || !strings.Contains(named, "LimitReached") {
			t.Errorf("state %v, %+v, %s", ch.State(), failed, named)
		}
		f.set(func() { refuse = false })
		if err := ch.Resubscribe(); err != nil {
			t.Fatal(err)
		}
		settle()
		if !ch.Subscribed() || ch.Err() != nil || len(f.peer(t, 1).received("pusher:subscribe")) != 2 {
			t.Errorf("after Resubscribe: %v, %v", ch.State(), ch.Err())
		}
		if err := ch.Resubscribe(); err != nil || len(f.peer(t, 1).received("pusher:subscribe")) != 2 {
			t.Errorf("Resubscribe when subscribed = %v", err)
		}
		ch.Unsubscribe()
		if err := ch.Resubscribe(); !errors.Is(err, client.ErrUnsubscribed) {
			t.Errorf("Resubscribe when unsubscribed = %v", err)
		}
	})
}

// Covers 64, T70.
func TestNoAnswerToASubscription(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{onMessage: func(p *peer, m message) bool { return m.Event == "pusher:subscribe" }}
		c := newClient(t, f)
		ch := subscribe(t, c, "news")
		var failed []*client.SubscriptionError
		client.On(c, func(_ context.Context, s client.SubscriptionFailed) { failed = append(failed, s.Err) })
		r := record(c)
		connect(t, c)
		f.peer(t, 1).send(`{"event":"pusher:error","data":{"code":null,"message":"Existing subscription to channel x"}}`)
		pass(29 * time.Second)
		if len(failed) != 0 || ch.State() != client.SubRequested {
			t.Errorf("failed before SubscribeTimeout: %v, %v", failed, ch.State())
		}
		pass(time.Hour)
		if len(failed) != 1 || failed[0].Kind != client.SubscriptionTimeout || failed[0].WillRetry || ch.State() != client.SubFailed || len(f.peer(t, 1).received("pusher:subscribe")) != 1 {
			t.Errorf("%v, state %v, sent %v", failed, ch.State(), f.peer(t, 1).received("pusher:subscribe"))
		}
		f.peer(t, 1).event("pusher_internal:subscription_succeeded", "news", "{}")
		settle()
		if !ch.Subscribed() {
			t.Error("an answer that comes late is not taken")
		}
		if text := r.take(); !strings.Contains(text, "failure: client: the service says: Existing subscription") {
			t.Errorf("told %s", text)
		}
	})
}

// Covers T87.
func TestTenThousandChannels(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := &fake{}
		c := newClient(t, f)
		for i := range 10000 {
			subscribe(t, c, fmt.Sprintf("c%04d", i))
		}
		connect(t, c)
		f.peer(t, 1).conn.reset()
		settle()
		for n := 1; n <= 2; n++ {
			sent := f.peer(t, n).received("pusher:subscribe")
			if len(sent) != 10000 || !slices.IsSortedFunc(sent, func(a, b message) int { return strings.Compare(string(a.Data), string(b.Data)) }) {
				t.Errorf("connection %d: %d subscriptions, in order of subscribing or not", n, len(sent))
			}
		}
		for _, ch := range c.Channels() {
			if !ch.Subscribed() {
				t.Fatalf("%s is %v", ch.Name(), ch.State())
			}
		}
	})
}
