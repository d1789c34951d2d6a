package conformance

import (
	"strings"
	"testing"
)

// privateChannels is statements 73 to 86 of the WebSocket checklist, without
// those that need a given socket id.
func privateChannels() []statement {
	return []statement{
		{73, "right_token", testRightToken},
		{76, "auth_malformed", testAuthMalformed},
		{77, "token_of_other_socket", testTokenOfOtherSocket},
		{78, "token_of_other_channel", testTokenOfOtherChannel},
		{79, "token_of_other_key", testTokenOfOtherKey},
		{80, "upper_case_digest", testUpperCaseDigest},
		{81, "channel_data_is_signed", testChannelDataIsSigned},
		{82, "empty_channel_data", testEmptyChannelData},
		{83, "right_after_wrong", testRightAfterWrong},
		{84, "again_without_auth", testAgainWithoutAuth},
		{85, "second_key", testSecondKey},
		{86, "refused_gets_nothing", testRefusedGetsNothing},
	}
}

// privateKinds are the prefixes of channels that need a token and no member.
var privateKinds = []string{"private-", "private-encrypted-"}

func testRightToken(t *testing.T) {
	c := fixture(t, plain).connect(t)
	for _, kind := range privateKinds {
		c.subscribe(unique(kind + "foobar"))
	}
}

// refuse asks for a private subscription that must be refused, and requires
// the connection to be open afterwards.
func (c *conn) refuse(channel string, auth, channelData any) {
	c.t.Helper()
	c.sendSubscribe(channel, auth, channelData)
	c.expectRefusal(channel, "AuthError", 401)
	c.open()
}

func testAuthMalformed(t *testing.T) {
	a := fixture(t, plain)
	c := a.connect(t)
	channel := unique("private-foobar")
	digest := sign(a.secret, c.id+":"+channel)
	for _, auth := range []any{
		nil, "", a.key, a.key + ":", ":" + digest, 5, true, []string{c.token(channel)}, ":", digest,
		a.key + "::" + digest, a.key + ":" + digest + " ", " " + a.key + ":" + digest, a.key + ":" + digest[:63],
		a.key + "::user::" + digest, a.key + ":" + digest + ":",
	} {
		c.refuse(channel, auth, nil)
	}
	c.sendSubscribe(channel, digest, nil)
	c.expectErrorText("Auth value for subscription to " + channel + " is invalid: should be of format 'key:signature'")
	c.expectSubscriptionError(channel, "AuthError", 401)
}

func testTokenOfOtherSocket(t *testing.T) {
	a := fixture(t, plain)
	c, other := a.connect(t), a.connect(t)
	channel := unique("private-foobar")
	c.sendSubscribe(channel, other.token(channel), nil)
	got := c.expectError(null)
	want := "Invalid signature: Expected HMAC SHA256 hex digest of " + c.id + ":" + channel + ", but got " +
		strings.TrimPrefix(other.token(channel), a.key+":")
	if got != want {
		t.Errorf("message = %q, want %q", got, want)
	}
	c.expectSubscriptionError(channel, "AuthError", 401)
	c.open()
}

func testTokenOfOtherChannel(t *testing.T) {
	c := fixture(t, plain).connect(t)
	channel, other := unique("private-foobar"), unique("private-foobar")
	c.refuse(channel, c.token(other), nil)
}

func testTokenOfOtherKey(t *testing.T) {
	a := fixture(t, plain)
	c := a.connect(t)
	channel := unique("private-foobar")
	c.sendSubscribe(channel, "otherkey:"+sign(a.secret, c.id+":"+channel), nil)
	c.expectErrorText("Invalid key in subscription auth data: 'otherkey'")
	c.expectSubscriptionError(channel, "AuthError", 401)
	c.open()
}

func testUpperCaseDigest(t *testing.T) {
	a := fixture(t, plain)
	c := a.connect(t)
	channel := unique("private-foobar")
	digest := sign(a.secret, c.id+":"+channel)
	for digest == strings.ToUpper(digest) { // one in 10^13 has no letter
		channel = unique("private-foobar")
		digest = sign(a.secret, c.id+":"+channel)
	}
	c.refuse(channel, a.key+":"+strings.ToUpper(digest), nil)
}

func testChannelDataIsSigned(t *testing.T) {
	c := fixture(t, plain).connect(t)
	const data = `{"foo":"bar"}`
	for _, kind := range privateKinds {
		channel := unique(kind + "foobar")
		c.refuse(channel, c.token(channel), data)
		c.refuse(channel, c.tokenFor(channel, `{"foo": "bar"}`), data)
		c.refuse(channel, c.tokenFor(channel, data), nil)
		c.sendSubscribe(channel, c.tokenFor(channel, data), data)
		c.expect("pusher_internal:subscription_succeeded", channel, "{}")
	}
	// What is signed is the text, not the JSON in it, and not trimmed.
	for _, data := range []string{"not json", " ", `{"name":"Zo\u00eb \u2615"}`, `{"url":"https:\/\/a"}`, `"ą§¶™€łü€ß£"`, "<&>\u2028"} {
		channel := unique("private-foobar")
		c.sendSubscribe(channel, c.tokenFor(channel, data), data)
		c.expect("pusher_internal:subscription_succeeded", channel, "{}")
	}
}

func testEmptyChannelData(t *testing.T) {
	c := fixture(t, plain).connect(t)
	without, with := unique("private-foobar"), unique("private-foobar")
	c.sendSubscribe(without, c.token(without), "")
	c.expect("pusher_internal:subscription_succeeded", without, "{}")
	c.sendSubscribe(with, c.tokenFor(with, ""), "")
	c.expect("pusher_internal:subscription_succeeded", with, "{}")
}

func testRightAfterWrong(t *testing.T) {
	a := fixture(t, plain)
	c := a.connect(t)
	channel := unique("private-foobar")
	c.refuse(channel, "wrong", nil)
	c.subscribe(channel)
	a.publish(t, channel, "e", "{}")
	c.expect("e", channel, "{}")
}

func testAgainWithoutAuth(t *testing.T) {
	c := fixture(t, plain).connect(t)
	channel := unique("private-foobar")
	c.subscribe(channel)
	c.unsubscribe(channel)
	c.refuse(channel, nil, nil)
	c.refuse(channel, "", nil)
}

func testSecondKey(t *testing.T) {
	a := fixture(t, secondKey)
	c := a.connect(t)
	key, secret := secondKeyOf()
	first, second := unique("private-foobar"), unique("private-foobar")
	c.subscribe(first)
	c.sendSubscribe(second, key+":"+sign(secret, c.id+":"+second), nil)
	c.expect("pusher_internal:subscription_succeeded", second, "{}")

	crossed := unique("private-foobar")
	c.refuse(crossed, key+":"+sign(a.secret, c.id+":"+crossed), nil)
	c.refuse(crossed, a.key+":"+sign(secret, c.id+":"+crossed), nil)

	d := a.connectWith(t, dialing{path: a.prefix + "/app/" + key})
	d.subscribe(first) // with a token of the first key
}

func testRefusedGetsNothing(t *testing.T) {
	a := fixture(t, plain)
	c := a.connect(t)
	channel := unique("private-foobar")
	c.refuse(channel, "wrong", nil)
	a.publish(t, channel, "e", "{}")
	c.nothing()
	if got := a.listed(t, channel); len(got) != 0 {
		t.Errorf("channels listed = %v, want none", got)
	}
	if a.occupied(t, channel) {
		t.Errorf("channel %s is occupied after a refused subscription", channel)
	}
}
