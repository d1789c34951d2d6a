package hub

import (
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/keyed"
	"github.com/belfryhq/belfry/protocol"
)

func TestSubscribeSucceeds(t *testing.T) {
	c := newNode(t).connect()
	for _, channel := range []string{
		"news", "foo-bar_1234@=,.;", "x-private-y", "my-cache-1", "privateer", "presence", "Private-x",
		"private-", "private-x", "private-encrypted-x", "private-presence-x", strings.Repeat("a", 164), strings.Repeat("a", 200),
	} {
		c.subscribe(channel)
		c.expect(succeeded(channel))
	}
}

func TestSubscribeTakesDataAsAStringToo(t *testing.T) {
	c := newNode(t).connect()
	c.receive(`{"event":"pusher:subscribe","data":"{\"channel\":\"news\"}"}`)
	c.expect(succeeded("news"))
	c.receive(`{"event":"pusher:unsubscribe","data":"{\"channel\":\"news\"}"}`)
	c.subscribe("news")
	c.expect(succeeded("news"))
}

func TestSubscribeIgnoresTokensOnPublicChannels(t *testing.T) {
	n := newNode(t)
	a, b := n.connect(), n.connect()
	a.receive(`{"event":"pusher:subscribe","data":{"channel":"news","auth":"nonsense","channel_data":{"user_id":"1"}}}`)
	a.expect(succeeded("news"))
	// Nothing of what nobody signed is attached to what the client says later.
	a.join("presence-r", `{"user_id":"2"}`)
	b.join("presence-r", `{"user_id":"3"}`)
	a.read()
	b.read()
	a.receive(`{"event":"client-x","channel":"presence-r","data":"d","user_id":"1"}`)
	b.expect("client-x @presence-r d by 2")
}

func TestSubscribeWithoutAChannel(t *testing.T) {
	c := newNode(t).connect()
	for _, data := range []string{`{}`, `{"channel":5}`, `{"channel":null}`, `{"channel":["a"]}`, `null`, `3`, `"x"`, `[]`, `"[]"`, `"{"`} {
		for _, event := range []string{"subscribe", "unsubscribe"} {
			c.receive(`{"event":"pusher:%s","data":%s}`, event, data)
			c.expect(complaint(protocol.MissingParameter("data.channel")))
		}
	}
	c.receive(`{"event":"pusher:subscribe"}`)
	c.expect(complaint(protocol.MissingParameter("data.channel")))
}

func TestSubscribeToANameThatIsNone(t *testing.T) {
	n := newNode(t)
	c := n.connect()
	long := strings.Repeat("a", 201)
	for name, want := range map[string]string{
		"":                   subscriptionErrorNoChannel,
		"a b":                subscriptionError("a b", "InvalidChannel", 400),
		"a:b":                subscriptionError("a:b", "InvalidChannel", 400),
		"a/b":                subscriptionError("a/b", "InvalidChannel", 400),
		"a#b":                subscriptionError("a#b", "InvalidChannel", 400),
		"#x":                 subscriptionError("#x", "InvalidChannel", 400),
		"#server-to-user-":   subscriptionError("#server-to-user-", "InvalidChannel", 400),
		"é":                  subscriptionError("é", "InvalidChannel", 400),
		"a\n":                subscriptionError("a\n", "InvalidChannel", 400),
		"private-a:b":        subscriptionError("private-a:b", "InvalidChannel", 400),
		long:                 subscriptionError(long, "LimitReached", 4009),
		"private-x" + long:   subscriptionError("private-x"+long, "LimitReached", 4009),
		long + "#":           subscriptionError(long+"#", "InvalidChannel", 400),
		"x#server-to-user-1": subscriptionError("x#server-to-user-1", "InvalidChannel", 400),
	} {
		c.receive(`{"event":"pusher:subscribe","data":{"channel":%s}}`, quote(name))
		c.expect(complaint(protocol.InvalidChannel(name)), want)
	}
	c.expectClosed(nil)
	c.session.End(Ending{})
	n.expectNothing()
}

// An empty channel is left out of the frame.
const subscriptionErrorNoChannel = `pusher:subscription_error {"type":"InvalidChannel","error":"The channel name is not allowed.","status":400}`

func TestSubscribeNameLimitIsTheApps(t *testing.T) {
	n := newTestNode(t, func(a *apps.App) { a.Limits.ChannelNameLength = 5 })
	c := n.connect()
	c.subscribe("12345")
	c.expect(succeeded("12345"))
	c.receive(`{"event":"pusher:subscribe","data":{"channel":"123456"}}`)
	c.expect(complaint(protocol.InvalidChannel("123456")), subscriptionError("123456", "LimitReached", 4009))
}

func TestSubscribeTokens(t *testing.T) {
	n := newNode(t)
	c, other := n.connect(), n.connect()
	const channel = "private-foobar"
	plain := protocol.ChannelText(c.session.ID(), channel)
	sign := func(text string) string { return protocol.Sign("secret", text) }
	invalid := func(text, given string) string { return complaint(protocol.InvalidSignature(text, given)) }
	badKey := func(key string) string { return complaint(protocol.InvalidKey(key)) }
	malformed := complaint(protocol.InvalidAuth(channel))
	withData := protocol.ChannelDataText(c.session.ID(), channel, `{"foo":"bar"}`)
	withEmpty := protocol.ChannelDataText(c.session.ID(), channel, "")
	tests := map[string]struct {
		members string // of data, beside the channel
		want    string // what the client is told first; empty when it is let in
	}{
		"right":                          {`"auth":` + quote("key:"+sign(plain)), ""},
		"second key":                     {`"auth":` + quote("key2:"+protocol.Sign("secret2", plain)), ""},
		"second key, first secret":       {`"auth":` + quote("key2:"+sign(plain)), invalid(plain, sign(plain))},
		"missing":                        {`"x":1`, malformed},
		"null":                           {`"auth":null`, malformed},
		"number":                         {`"auth":5`, malformed},
		"empty":                          {`"auth":""`, malformed},
		"key alone":                      {`"auth":"key"`, malformed},
		"key and colon":                  {`"auth":"key:"`, invalid(plain, "")},
		"digest alone":                   {`"auth":` + quote(":"+sign(plain)), badKey("")},
		"other key":                      {`"auth":` + quote("otherkey:"+sign(plain)), badKey("otherkey")},
		"upper case":                     {`"auth":` + quote("key:"+strings.ToUpper(sign(plain))), invalid(plain, strings.ToUpper(sign(plain)))},
		"of another channel":             {`"auth":` + quote("key:"+sign(plain+"x")), invalid(plain, sign(plain+"x"))},
		"of another socket":              {`"auth":` + quote("key:"+sign(protocol.ChannelText(other.session.ID(), channel))), invalid(plain, sign(protocol.ChannelText(other.session.ID(), channel)))},
		"with more behind it":            {`"auth":` + quote("key:"+sign(plain)+":x"), invalid(plain, sign(plain)+":x")},
		"channel_data, signed":           {`"channel_data":"{\"foo\":\"bar\"}","auth":` + quote("key:"+sign(withData)), ""},
		"channel_data, not signed":       {`"channel_data":"{\"foo\":\"bar\"}","auth":` + quote("key:"+sign(plain)), invalid(withData, sign(plain))},
		"null channel_data":              {`"channel_data":null,"auth":` + quote("key:"+sign(plain)), ""},
		"empty channel_data, signed":     {`"channel_data":"","auth":` + quote("key:"+sign(withEmpty)), ""},
		"empty channel_data, not signed": {`"channel_data":"","auth":` + quote("key:"+sign(plain)), ""},
		"sign-in text":                   {`"auth":` + quote("key:"+sign(protocol.UserText(c.session.ID(), channel))), invalid(plain, sign(protocol.UserText(c.session.ID(), channel)))},
	}
	for name, tt := range tests {
		c.receive(`{"event":"pusher:subscribe","data":{"channel":%s,%s}}`, quote(channel), tt.members)
		if tt.want != "" {
			c.expect(tt.want, subscriptionError(channel, "AuthError", 401))
		} else {
			c.expect(succeeded(channel))
			c.unsubscribe(channel)
			c.expect()
		}
		if t.Failed() {
			t.Fatalf("the above is of the token %q", name)
		}
	}
}

// A channel_data that is no string has no right signature: nothing that it
// says is told before.
func TestSubscribeWithChannelDataThatIsNoString(t *testing.T) {
	c := newNode(t).connect()
	for _, data := range []string{`{"user_id":"1"}`, `5`, `false`, `[]`} {
		c.receive(`{"event":"pusher:subscribe","data":{"channel":"presence-r","auth":"key:x","channel_data":%s}}`, data)
		got := c.read()
		if len(got) != 2 || !strings.HasPrefix(got[0], `pusher:error {"code":null,`) || got[1] != subscriptionError("presence-r", "AuthError", 401) {
			t.Errorf("channel_data %s: the client got %q, want an error of authorization", data, got)
		}
	}
}

func TestRefusedSubscriptionLeavesNothing(t *testing.T) {
	n := newTestNode(t, func(a *apps.App) { a.SubscriptionCount = true })
	a, b := n.connect(), n.connect()
	a.subscribe("private-cache-x")
	a.expect(succeeded("private-cache-x"), miss("private-cache-x"), count("private-cache-x", 1))
	n.trigger("private-cache-x", "e", "d")
	a.expect("e @private-cache-x d")
	for _, channel := range []string{"private-cache-x", "private-y", "presence-z"} {
		b.receive(`{"event":"pusher:subscribe","data":{"channel":%s,"auth":"key:00"}}`, quote(channel))
		if got := b.read(); len(got) != 2 || got[1] != subscriptionError(channel, "AuthError", 401) {
			t.Errorf("the refused client got %q, want an error and its listeners' error, and nothing of the channel", got)
		}
		n.trigger(channel, "f", "d")
		b.expect()
	}
	a.expect("f @private-cache-x d")
	var names []string
	n.hub.Channels(n.app, "", func(name string, _ ChannelState) { names = append(names, name) })
	if len(names) != 1 || names[0] != "private-cache-x" {
		t.Errorf("Channels = %q, want only the one that somebody is on", names)
	}
	b.subscribe("private-y")
	b.expect(succeeded("private-y"), count("private-y", 1))
}

func TestHostedErrorsOnly(t *testing.T) {
	n := newNodeWith(t, Config{HostedErrorsOnly: true})
	c := n.connect()
	c.receive(`{"event":"pusher:subscribe","data":{"channel":"private-x"}}`)
	c.expect(complaint(protocol.InvalidAuth("private-x")))
}

func TestSecondSubscriptionIsRefusedBeforeItsToken(t *testing.T) {
	n := newTestNode(t, func(a *apps.App) { a.SubscriptionCount = true })
	a, b := n.connect(), n.connect()
	a.join("presence-r", `{"user_id":"1","user_info":{"n":"old"}}`)
	a.subscribe("cache-x")
	a.expect(snapshot("presence-r", `1={"n":"old"}`), succeeded("cache-x"), miss("cache-x"), count("cache-x", 1))
	for _, channel := range []string{"presence-r", "cache-x"} {
		a.receive(`{"event":"pusher:subscribe","data":{"channel":%s,"auth":"wrong","channel_data":"{\"user_id\":\"2\"}"}}`, quote(channel))
		a.expect(complaint(protocol.ExistingSubscription(channel)))
	}
	b.join("presence-r", `{"user_id":"3"}`)
	b.expect(snapshot("presence-r", `1={"n":"old"}`, "3"))
	n.trigger("cache-x", "e", "d")
	a.expect(added("presence-r", "3", ""), "e @cache-x d") // once
}

func TestUnsubscribe(t *testing.T) {
	n := newNode(t)
	a, b := n.connect(), n.connect()
	a.subscribe("news")
	b.subscribe("news")
	a.expect(succeeded("news"))
	b.expect(succeeded("news"))
	a.unsubscribe("news")
	n.trigger("news", "e", "d")
	a.expect()
	b.expect("e @news d")
	for _, channel := range []string{"news", "never", "", "a b", "#server-to-user-1", "#x"} {
		a.unsubscribe(channel)
		a.expect(complaint(protocol.NoSubscription(channel)))
	}
	a.subscribe("news")
	n.trigger("news", "f", "d")
	a.expect(succeeded("news"), "f @news d")
}

func TestUnsubscribedPrivateChannelNeedsANewToken(t *testing.T) {
	c := newNode(t).connect()
	c.subscribe("private-x")
	c.unsubscribe("private-x")
	c.expect(succeeded("private-x"))
	c.receive(`{"event":"pusher:subscribe","data":{"channel":"private-x"}}`)
	c.expect(complaint(protocol.InvalidAuth("private-x")), subscriptionError("private-x", "AuthError", 401))
}

// What was posted before a session left and came back is not for its second
// subscription, and what was posted after is.
func TestEventsOfAFormerSubscriptionDoNotReachTheNext(t *testing.T) {
	n := newNode(t)
	c := n.connect()
	c.subscribe("news")
	n.trigger("news", "before", "")
	c.unsubscribe("news")
	n.trigger("news", "between", "")
	c.subscribe("news")
	n.trigger("news", "after", "")
	c.expect(succeeded("news"), succeeded("news"), "after @news ")
}

func TestChannelsPerConnection(t *testing.T) {
	n := newTestNode(t, func(a *apps.App) { a.Limits.ChannelsPerConnection = 2 })
	c := n.connect()
	c.subscribe("a")
	c.subscribe("b")
	c.expect(succeeded("a"), succeeded("b"))
	c.subscribe("c")
	c.expect(complaint(protocol.ErrTooManyChannels), subscriptionError("c", "LimitReached", 4004))
	c.subscribe("b") // there already, which is the nearer reason
	c.expect(complaint(protocol.ExistingSubscription("b")))
	c.unsubscribe("a")
	c.subscribe("c")
	c.expect(succeeded("c"))
}

// A session with many subscriptions keeps an index of them.
func TestManySubscriptions(t *testing.T) {
	n := newNode(t)
	c := n.connect()
	name := func(i int) string { return strings.Repeat("c", i+1) }
	for i := range 3 * keyed.Few {
		c.subscribe(name(i))
		c.expect(succeeded(name(i)))
	}
	for i := range 3 * keyed.Few {
		c.subscribe(name(i))
		c.expect(complaint(protocol.ExistingSubscription(name(i))))
		if i%2 == 0 {
			c.unsubscribe(name(i))
		}
	}
	for i := range 3 * keyed.Few {
		n.trigger(name(i), "e", "")
		if i%2 == 0 {
			c.expect()
		} else {
			c.expect("e @" + name(i) + " ")
		}
	}
	if got, want := total(n.hub.metrics.subscriptions), float64(3*keyed.Few/2); got != want {
		t.Errorf("%v subscriptions are counted, want %v", got, want)
	}
	c.session.End(Ending{})
	n.loops.run()
	if got := total(n.hub.metrics.subscriptions); got != 0 {
		t.Errorf("%v subscriptions are counted at the end, want 0", got)
	}
	n.expectNothing()
}

func TestSubscriptionsAreAnsweredInOrder(t *testing.T) {
	c := newNode(t).connect()
	c.subscribe("a")
	c.receive(`{"event":"pusher:ping"}`)
	c.subscribe("b")
	c.expect(succeeded("a"), "pusher:pong {}", succeeded("b"))
}

func TestOddInput(t *testing.T) {
	c := newNode(t).connect()
	for text, want := range map[string]string{
		`not json`:                  complaint(protocol.ErrInvalidJSON),
		``:                          complaint(protocol.ErrInvalidJSON),
		`[]`:                        complaint(protocol.ErrInvalidJSON),
		`3`:                         complaint(protocol.ErrInvalidJSON),
		`"x"`:                       complaint(protocol.ErrInvalidJSON),
		`null`:                      complaint(protocol.ErrInvalidJSON),
		`{"event":"pusher:ping"} x`: complaint(protocol.ErrInvalidJSON),
		`{}`:                        complaint(protocol.ErrMissingEvent),
		`{"event":5}`:               complaint(protocol.ErrMissingEvent),
		`{"event":""}`:              complaint(protocol.ErrMissingEvent),
		`{"Event":"pusher:ping"}`:   complaint(protocol.ErrMissingEvent),
		`{"event":"pusher:bogus"}`:  complaint(protocol.UnknownEvent("pusher:bogus")),
		`{"event":"pusher:error"}`:  complaint(protocol.UnknownEvent("pusher:error")),
		`{"event":"my-event"}`:      complaint(protocol.UnknownEvent("my-event")),
		`{"event":"xclient-a"}`:     complaint(protocol.UnknownEvent("xclient-a")),
		`{"event":"Client-a"}`:      complaint(protocol.UnknownEvent("Client-a")),
		`{"event":"pusher_internal:member_removed","channel":"a"}`: complaint(protocol.UnknownEvent("pusher_internal:member_removed")),
		`{"event":"pusher:ping","data":{}}`:                        "pusher:pong {}",
		`{"event":"pusher:ping","data":"{}"}`:                      "pusher:pong {}",
		` {"data":[1],"event":"pusher:ping","x":1} `:               "pusher:pong {}",
		`{"event":"pusher:ping","event":"pusher:bogus"}`:           complaint(protocol.UnknownEvent("pusher:bogus")),
	} {
		c.receive("%s", text)
		c.expect(want)
	}
	c.receive(`{"event":"pusher:pong"}`)
	c.expect()
	c.expectClosed(nil)
}

func TestComplaintsAreLimited(t *testing.T) {
	n := newNode(t)
	c := n.connect()
	now := time.Now()
	n.now = func() time.Time { return now }
	for range 3 * complaints.Tokens {
		c.receive("x")
	}
	if got := len(c.read()); got != complaints.Tokens {
		t.Errorf("the client was told of %d mistakes in one instant, want %d", got, complaints.Tokens)
	}
	// A refused subscription is one complaint of two frames, or of none.
	c.receive(`{"event":"pusher:subscribe","data":{"channel":"private-x"}}`)
	c.expect()
	c.receive(`{"event":"pusher:ping"}`)
	c.subscribe("news")
	c.expect("pusher:pong {}", succeeded("news"))
	now = now.Add(time.Second / time.Duration(complaints.Tokens))
	c.receive(`{"event":"pusher:subscribe","data":{"channel":"private-x"}}`)
	c.receive("x")
	c.expect(complaint(protocol.InvalidAuth("private-x")), subscriptionError("private-x", "AuthError", 401))
	if got, want := total(n.hub.metrics.complaints), float64(3*complaints.Tokens+3); got != want {
		t.Errorf("%v complaints are counted, want all %v", got, want)
	}
}
