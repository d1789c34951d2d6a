package conformance

import (
	"strings"
	"testing"
	"time"
)

// clientEvents is statements 122 to 134 of the WebSocket checklist.
func clientEvents() []statement {
	return []statement{
		{122, "relayed_on_private", testRelayedOnPrivate},
		{123, "relayed_on_presence", testRelayedOnPresence},
		{124, "data_becomes_a_string", testDataBecomesAString},
		{125, "data_digit_for_digit", testDataDigitForDigit},
		{126, "not_on_public", testNotOnPublic},
		{127, "not_without_subscription", testNotWithoutSubscription},
		{128, "switched_off", testClientEventsSwitchedOff},
		{129, "rate_limit", testRateLimit},
		{130, "rate_limit_per_connection", testRateLimitPerConnection},
		{131, "size_of_data", testSizeOfData},
		{132, "length_of_name", testLengthOfName},
		{133, "prefix_is_exact", testPrefixIsExact},
		{134, "relayed_on_encrypted", testRelayedOnEncrypted},
	}
}

// pair is two connections on a channel of that kind.
func pair(t *testing.T, a *app, kind string) (c1, c2 *conn, channel string) {
	t.Helper()
	channel = unique(kind)
	c1, c2 = a.connect(t), a.connect(t)
	c1.subscribe(channel)
	c2.subscribe(channel)
	return c1, c2, channel
}

func testRelayedOnPrivate(t *testing.T) {
	c1, c2, channel := pair(t, fixture(t, clientEventsOn), "private-a")
	c1.sendClientEvent("client-x", channel, `{"k":1}`)
	c2.expect("client-x", channel, `{"k":1}`) // which allows no user_id
	c1.open()
	c1.nothing()
}

func testRelayedOnPresence(t *testing.T) {
	a := fixture(t, clientEventsOn)
	c1, c2, c3 := a.connect(t), a.connect(t), a.connect(t)
	channel := unique("presence-r")
	c1.join(channel, `{"user_id":1}`)
	c2.join(channel, `{"user_id":"2"}`)
	c1.expect("pusher_internal:member_added", channel, `{"user_id":"2"}`)
	c3.join(channel, `{"user_id":"1"}`)
	c1.sendText(encode(map[string]any{"event": "client-x", "channel": channel, "data": "hello", "user_id": "forged", "extra": 1}))
	c2.expectFrom("1", "client-x", channel, "hello")
	c3.expectFrom("1", "client-x", channel, "hello")
	c1.open()
	c1.nothing()
}

func testDataBecomesAString(t *testing.T) {
	c1, c2, channel := pair(t, fixture(t, clientEventsOn), "private-a")
	for _, data := range []struct{ sent, want string }{
		{`"hello"`, "hello"},
		{"42", "42"},
		{"null", "null"},
		{"", "null"},
		{"[1, 2]", "[1, 2]"},
		{"true", "true"},
		{`""`, ""},
	} {
		c1.sendClientEvent("client-x", channel, data.sent)
		c2.expect("client-x", channel, data.want)
	}
}

func testDataDigitForDigit(t *testing.T) {
	c1, c2, channel := pair(t, fixture(t, clientEventsOn), "private-a")
	for _, data := range []string{`{"n":12345678901234567890,"h":"<b>"}`, `1.50e+400`, `{"a": "\u00e9\/\u2028"}`} {
		c1.sendClientEvent("client-x", channel, data)
		c2.expect("client-x", channel, data)
	}
}

func testNotOnPublic(t *testing.T) {
	a := fixture(t, clientEventsOn)
	for _, kind := range []string{"news", "x-private-y"} {
		c1, c2, channel := pair(t, a, kind)
		c1.sendClientEvent("client-x", channel, "{}")
		c1.expectErrorText("Client event rejected - only supported on private and presence channels")
		c1.open()
		c2.nothing()
	}
	c1, c2 := a.connect(t), a.connect(t)
	channel := unique("cache-x")
	for _, c := range []*conn{c1, c2} {
		c.subscribe(channel)
		c.expect("pusher:cache_miss", channel, "{}")
	}
	c1.sendClientEvent("client-x", channel, "{}")
	c1.expectError(null)
	c1.open()
	c2.nothing()
}

func testNotWithoutSubscription(t *testing.T) {
	a := fixture(t, clientEventsOn)
	c1, c2 := a.connect(t), a.connect(t)
	channel := unique("private-a")
	c2.subscribe(channel)
	c1.sendClientEvent("client-x", channel, "{}")
	c1.expectErrorText("Cannot broadcast client event (connection not subscribed to channel " + channel + ")")
	c1.open()
	c2.nothing()
}

func testClientEventsSwitchedOff(t *testing.T) {
	c1, c2, channel := pair(t, plainWithout(t, clientEventsOn), "private-a")
	c1.sendClientEvent("client-x", channel, "{}")
	c1.expectErrorText("To send client events, you must enable this feature in the Settings page of your dashboard.")
	c1.open()
	c2.nothing()
}

func testRateLimit(t *testing.T) {
	const burst = 30
	c1, c2, channel := pair(t, fixture(t, clientEventsOn), "private-a")
	c2.openBarrier()
	var segment []byte
	for range burst {
		segment = append(segment, textFrame(`{"event":"client-x","channel":"`+channel+`","data":{}}`)...)
	}
	c1.sendBytes(segment)
	refusals := c1.drain()
	for _, m := range refusals {
		if text, err := m.errorText(4301); err != nil || text != "Client event rejected due to rate limit" {
			t.Errorf("frame = %s, want error 4301 with the text of the rate limit (%v)", m, err)
		}
	}
	relayed := len(c2.collect())
	if relayed < 10 || relayed > 12 {
		t.Errorf("events relayed of a burst of %d = %d, want 10 to 12", burst, relayed)
	}
	if got := relayed + len(refusals); got != burst {
		t.Errorf("%d relayed and %d refused, want %d together", relayed, len(refusals), burst)
	}
	time.Sleep(time.Second) // the statement's own clock
	c1.sendClientEvent("client-x", channel, `"again"`)
	c2.expect("client-x", channel, "again")
	c1.open()
}

func testRateLimitPerConnection(t *testing.T) {
	c1, c2, channel := pair(t, fixture(t, clientEventsOn), "private-a")
	for range 30 {
		c1.sendClientEvent("client-x", channel, "{}")
	}
	c1.drain()
	c2.collect()
	for range 5 {
		c2.sendClientEvent("client-y", channel, "{}")
		c1.expect("client-y", channel, "{}")
	}
}

func testSizeOfData(t *testing.T) {
	const most = 10240
	c1, c2, channel := pair(t, fixture(t, clientEventsOn), "private-a")
	c1.sendClientEvent("client-x", channel, `"`+strings.Repeat("x", most)+`"`)
	c2.expect("client-x", channel, strings.Repeat("x", most))
	escaped := strings.Repeat(`\u0041`, most) // the length is that of the string
	c1.sendClientEvent("client-x", channel, `"`+escaped+`"`)
	c2.expect("client-x", channel, strings.Repeat("A", most))
	object := `{"k":"` + strings.Repeat("x", most-8) + `"}`
	c1.sendClientEvent("client-x", channel, object)
	c2.expect("client-x", channel, object)

	const text = "The data content of this event exceeds the allowed maximum (10240 bytes)"
	for _, data := range []string{`"` + strings.Repeat("x", most+1) + `"`, `"` + strings.Repeat("é", most/2+1) + `"`, `{"k":"` + strings.Repeat("x", most-7) + `"}`} {
		c1.sendClientEvent("client-x", channel, data)
		c1.expectErrorText(text)
	}
	c1.open()
	c2.nothing()
}

func testLengthOfName(t *testing.T) {
	c1, c2, channel := pair(t, fixture(t, clientEventsOn), "private-a")
	for _, letter := range []string{"x", "é"} { // characters, not bytes
		name := "client-" + strings.Repeat(letter, 193)
		c1.sendClientEvent(name, channel, "{}")
		c2.expect(name, channel, "{}")
		c1.sendClientEvent(name+letter, channel, "{}")
		c1.expectErrorText("The event name exceeds the allowed maximum (200 characters)")
		c1.open()
	}
	c2.nothing()
}

func testPrefixIsExact(t *testing.T) {
	c1, c2, channel := pair(t, fixture(t, clientEventsOn), "private-a")
	for _, name := range []string{"xclient-a", "Client-a", "client", "CLIENT-A", " client-a"} {
		c1.sendClientEvent(name, channel, "{}")
		c1.expectErrorText("Unsupported event received on socket: " + name)
		c1.open()
	}
	c2.nothing()
	c1.sendClientEvent("client-", channel, "{}")
	c2.expect("client-", channel, "{}")
}

func testRelayedOnEncrypted(t *testing.T) {
	c1, c2, channel := pair(t, fixture(t, clientEventsOn), "private-encrypted-a")
	c1.sendClientEvent("client-x", channel, `"{\"nonce\":\"AAEC\",\"ciphertext\":\"cUvi\"}"`)
	c2.expect("client-x", channel, `{"nonce":"AAEC","ciphertext":"cUvi"}`)
}
