package conformance

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// publicChannels is statements 56 to 72 of the WebSocket checklist.
func publicChannels() []statement {
	return []statement{
		{56, "subscribe_public", testSubscribePublic},
		{57, "auth_ignored_on_public", testAuthIgnoredOnPublic},
		{58, "event_delivered", testEventDelivered},
		{59, "data_unchanged", testDataUnchanged},
		{60, "not_subscribed", testNotSubscribed},
		{61, "sender_excluded", testSenderExcluded},
		{62, "subscribe_twice", testSubscribeTwice},
		{63, "unsubscribe", testUnsubscribe},
		{64, "unsubscribe_unknown", testUnsubscribeUnknown},
		{65, "subscribe_again", testSubscribeAgain},
		{66, "channel_missing", testChannelMissing},
		{67, "legal_characters", testLegalCharacters},
		{68, "illegal_names", testIllegalNames},
		{69, "length_of_names", testLengthOfNames},
		{70, "look_alikes_are_public", testLookAlikesArePublic},
		{71, "case_matters", testCaseMatters},
		{72, "close_leaves_channels", testCloseLeavesChannels},
	}
}

func testSubscribePublic(t *testing.T) {
	c := fixture(t, plain).connect(t)
	channel := unique("news")
	c.sendSubscribe(channel, "", nil)
	m := c.next()
	want := fmt.Sprintf(`{"event":"pusher_internal:subscription_succeeded","channel":%q,"data":"{}"}`, channel)
	if !sameJSON(m.Text, want) {
		t.Errorf("answer to subscribe = %s, want %s", m, want)
	}
}

func testAuthIgnoredOnPublic(t *testing.T) {
	c := fixture(t, plain).connect(t)
	first, second := unique("news"), unique("news")
	c.sendSubscribe(first, nil, nil)
	c.expect("pusher_internal:subscription_succeeded", first, "{}")
	c.sendSubscribe(second, "nonsense", "more nonsense")
	c.expect("pusher_internal:subscription_succeeded", second, "{}")
}

func testEventDelivered(t *testing.T) {
	a := fixture(t, plain)
	c := a.connect(t)
	channel := unique("news")
	c.subscribe(channel)
	a.publish(t, channel, "e", `{"a":1}`)
	c.expect("e", channel, `{"a":1}`) // which allows no user_id
}

func testDataUnchanged(t *testing.T) {
	a := fixture(t, plain)
	c := a.connect(t)
	channel := unique("news")
	c.subscribe(channel)
	for _, data := range []string{
		"plain text", `<>&`, `https:\/\/example.com\/`, "emoji 😀 é", "12345678901234567890", "",
		`{"s":"\u00e9\u2028"}`, "\u2028\u2029\x00\x1f\x7f", ` { "a" : [ 1 ] } `, `"`, `\`,
	} {
		a.publish(t, channel, "e", data)
		c.expect("e", channel, data)
	}
}

func testNotSubscribed(t *testing.T) {
	a := fixture(t, plain)
	c1, c2 := a.connect(t), a.connect(t)
	channel := unique("news")
	c1.subscribe(channel)
	a.publish(t, channel, "e", "{}")
	c1.expect("e", channel, "{}")
	c2.nothing()
}

func testSenderExcluded(t *testing.T) {
	a := fixture(t, plain)
	c1, c2 := a.connect(t), a.connect(t)
	channel := unique("news")
	c1.subscribe(channel)
	c2.subscribe(channel)
	a.trigger(t, map[string]any{"name": "e", "channel": channel, "data": "{}", "socket_id": c1.id})
	c2.expect("e", channel, "{}")
	c1.nothing()
}

func testSubscribeTwice(t *testing.T) {
	a := fixture(t, plain)
	c := a.connect(t)
	channel := unique("news")
	c.subscribe(channel)
	c.sendSubscribe(channel, "", nil)
	c.expectErrorText("Existing subscription to channel " + channel)
	c.open()
	a.publish(t, channel, "e", "{}")
	c.expect("e", channel, "{}")
	c.nothing()
}

func testUnsubscribe(t *testing.T) {
	a := fixture(t, plain)
	c := a.connect(t)
	channel := unique("news")
	c.subscribe(channel)
	c.unsubscribe(channel)
	c.open()
	a.publish(t, channel, "e", "{}")
	c.nothing()
}

func testUnsubscribeUnknown(t *testing.T) {
	c := fixture(t, plain).connect(t)
	channel := unique("news")
	c.unsubscribe(channel)
	c.expectErrorText("No current subscription to channel " + channel + ", or subscription in progress")
	c.open()
}

func testSubscribeAgain(t *testing.T) {
	a := fixture(t, plain)
	c := a.connect(t)
	channel := unique("news")
	c.subscribe(channel)
	c.unsubscribe(channel)
	c.subscribe(channel)
	a.publish(t, channel, "e", "{}")
	c.expect("e", channel, "{}")
	c.nothing()
}

func testChannelMissing(t *testing.T) {
	c := fixture(t, plain).connect(t)
	for _, data := range []string{`{}`, `{"channel":5}`, `{"channel":null}`, `{"channel":["news"]}`, `[]`, `"x"`, `7`} {
		c.send("pusher:subscribe", json.RawMessage(data))
		c.expectErrorText("Missing parameter: data.channel")
		c.open()
	}
	c.send("pusher:subscribe", nil)
	c.expectErrorText("Missing parameter: data.channel")
	c.open()
}

func testLegalCharacters(t *testing.T) {
	c := fixture(t, plain).connect(t)
	c.subscribe("foo-bar_1234@=,.;")
	c.subscribe("-")
	c.subscribe("private-")
}

func testIllegalNames(t *testing.T) {
	c := fixture(t, plain).connect(t)
	for _, channel := range []string{
		"a b", "a:b", "a/b", "a#b", "#x", "é", "", "private-a b", "a\n", "a\x00b", "#", "#server-to-user-", "x#server-to-user-1",
	} {
		c.sendSubscribe(channel, c.token(channel), nil)
		if channel == "" || channel == "#server-to-user-" {
			// Whether a channel without name is named, and whether nobody's
			// user channel is no channel or another's, is left open.
			c.expectError(null)
			if m := c.next(); m.Event != "pusher:subscription_error" || m.Channel != channel {
				t.Errorf("next frame = %s, want pusher:subscription_error for %q", m, channel)
			}
		} else {
			c.expectRefusal(channel, "InvalidChannel", 400)
		}
		c.open()
	}
}

func testLengthOfNames(t *testing.T) {
	c := fixture(t, plain).connect(t)
	name := func(length int) string {
		start := unique("n")
		return start + strings.Repeat("x", length-len(start))
	}
	c.subscribe(name(164))
	c.subscribe(name(200))
	long := name(201)
	c.sendSubscribe(long, nil, nil)
	c.expectRefusal(long, "LimitReached", 4009)
	c.open()
}

func testLookAlikesArePublic(t *testing.T) {
	c := fixture(t, plain).connect(t)
	for _, channel := range []string{
		"x-private-y", "my-cache-1", "privateer", "presence", "Private-x", "private", "cachet", "cache", "PRESENCE-x", "CACHE-x",
	} {
		c.sendSubscribe(channel, nil, nil)
		c.expect("pusher_internal:subscription_succeeded", channel, "{}")
		c.open() // without pusher:cache_miss before it
	}
}

func testCaseMatters(t *testing.T) {
	a := fixture(t, plain)
	c := a.connect(t)
	name := unique("ews")
	c.subscribe("N" + name)
	a.publish(t, "n"+name, "e", "{}")
	c.nothing()
}

func testCloseLeavesChannels(t *testing.T) {
	a := fixture(t, plain)
	c := a.connect(t)
	prefix := unique("ten")
	for i := range 10 {
		c.subscribe(fmt.Sprintf("%s-%d", prefix, i))
	}
	if got := len(a.listed(t, prefix)); got != 10 {
		t.Errorf("channels listed = %d, want 10", got)
	}
	c.hangUp()
	eventually(t, "none of the channels of a closed socket is listed", func() bool { return len(a.listed(t, prefix)) == 0 })
	for i := range 10 {
		if name := fmt.Sprintf("%s-%d", prefix, i); a.occupied(t, name) {
			t.Errorf("channel %s is occupied after its only socket closed", name)
		}
	}
}
