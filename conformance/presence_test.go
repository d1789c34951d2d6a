package conformance

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// presenceChannels is statements 87 to 104 of the WebSocket checklist.
func presenceChannels() []statement {
	return []statement{
		{87, "join", testJoin},
		{88, "second_user", testSecondUser},
		{89, "unsubscribe_removes", testUnsubscribeRemoves},
		{90, "close_removes", testCloseRemoves},
		{91, "second_connection_of_a_user", testSecondConnectionOfAUser},
		{92, "last_connection_of_a_user", testLastConnectionOfAUser},
		{93, "numeric_id", testNumericID},
		{94, "numeric_id_in_frames", testNumericIDInFrames},
		{95, "ids_refused", testIDsRefused},
		{96, "longest_id", testLongestID},
		{97, "no_user_info", testNoUserInfo},
		{98, "channel_data_unusable", testChannelDataUnusable},
		{99, "size_of_user_info", testSizeOfUserInfo},
		{100, "member_limit", testMemberLimit},
		{101, "other_user_info", testOtherUserInfo},
		{102, "user_info_unchanged", testUserInfoUnchanged},
		{103, "joins_and_leaves_at_once", testJoinsAndLeavesAtOnce},
		{104, "unsigned_id_not_attached", testUnsignedIDNotAttached},
	}
}

// expectMembers requires exactly these users in a snapshot, with the JSON
// text of their user_info.
func (s snapshot) expectMembers(t *testing.T, want map[string]string) {
	t.Helper()
	if got, want := slices.Sorted(slices.Values(s.Presence.IDs)), slices.Sorted(maps.Keys(want)); !slices.Equal(got, want) {
		t.Errorf("ids = %q, want %q", got, want)
	}
	for id, info := range want {
		if got := string(s.Presence.Hash[id]); !sameJSON(got, info) {
			t.Errorf("user_info of %q = %s, want %s", id, got, info)
		}
	}
}

func testJoin(t *testing.T) {
	c := fixture(t, plain).connect(t)
	channel := unique("presence-r")
	c.sendJoin(channel, `{"user_id":"1","user_info":{"name":"A"}}`)
	c.expectJSON("pusher_internal:subscription_succeeded", channel,
		`{"presence":{"count":1,"ids":["1"],"hash":{"1":{"name":"A"}}}}`)
}

func testSecondUser(t *testing.T) {
	a := fixture(t, plain)
	c1, c2 := a.connect(t), a.connect(t)
	channel := unique("presence-r")
	c1.join(channel, `{"user_id":"1","user_info":{"name":"A"}}`)
	c2.join(channel, `{"user_id":"2","user_info":{"name":"B"}}`).
		expectMembers(t, map[string]string{"1": `{"name":"A"}`, "2": `{"name":"B"}`})
	c1.expectJSON("pusher_internal:member_added", channel, `{"user_id":"2","user_info":{"name":"B"}}`)
	c1.open()
	c2.nothing()
}

func testUnsubscribeRemoves(t *testing.T) {
	a := fixture(t, plain)
	c1, c2 := a.connect(t), a.connect(t)
	channel := unique("presence-r")
	c1.join(channel, `{"user_id":"1"}`)
	c2.join(channel, `{"user_id":"2"}`)
	c1.expect("pusher_internal:member_added", channel, `{"user_id":"2"}`)
	c2.unsubscribe(channel)
	c1.expect("pusher_internal:member_removed", channel, `{"user_id":"2"}`)
	c2.open()
	c2.nothing()
	c1.nothing()
}

func testCloseRemoves(t *testing.T) {
	a := fixture(t, plain)
	channel := unique("presence-r")
	c1 := a.connect(t)
	c1.join(channel, `{"user_id":"1"}`)
	for name, end := range map[string]func(*conn){
		"Close frame":   (*conn).hangUp,
		"end of stream": func(c *conn) { _ = c.net.Close() },
	} {
		c2 := a.connect(t)
		c2.join(channel, `{"user_id":"2"}`)
		c1.expect("pusher_internal:member_added", channel, `{"user_id":"2"}`)
		end(c2)
		c1.last = name
		c1.expect("pusher_internal:member_removed", channel, `{"user_id":"2"}`)
		c1.nothing()
	}
}

// threeConnections are user 1 once and user 2 twice on a channel, with all
// frames read.
func threeConnections(t *testing.T, a *app, channel string) (c1, c2, c3 *conn) {
	t.Helper()
	c1, c2, c3 = a.connect(t), a.connect(t), a.connect(t)
	c1.join(channel, `{"user_id":"1"}`)
	c2.join(channel, `{"user_id":"2"}`)
	c1.expect("pusher_internal:member_added", channel, `{"user_id":"2"}`)
	s := c3.join(channel, `{"user_id":"2"}`)
	s.expectMembers(t, map[string]string{"1": "null", "2": "null"})
	return c1, c2, c3
}

func testSecondConnectionOfAUser(t *testing.T) {
	a := fixture(t, plain)
	c1, c2, c3 := threeConnections(t, a, unique("presence-r"))
	c1.nothing()
	c2.nothing()
	c3.nothing()
}

func testLastConnectionOfAUser(t *testing.T) {
	a := fixture(t, plain)
	channel, own := unique("presence-r"), unique("own")
	c1, c2, c3 := threeConnections(t, a, channel)
	c2.subscribe(own)
	c2.hangUp()
	eventually(t, "the channel of a closed socket is vacated", func() bool { return !a.occupied(t, own) })
	c1.nothing()
	c3.nothing()
	c3.hangUp()
	c1.expect("pusher_internal:member_removed", channel, `{"user_id":"2"}`)
	c1.nothing()
}

func testNumericID(t *testing.T) {
	a := fixture(t, plain)
	c1, c2 := a.connect(t), a.connect(t)
	channel := unique("presence-r")
	s := c1.join(channel, `{"user_id":10}`)
	s.expectMembers(t, map[string]string{"10": "null"})
	s = c2.join(channel, `{"user_id":"10"}`)
	s.expectMembers(t, map[string]string{"10": "null"})
	c1.nothing()

	big := a.connect(t)
	s = big.join(unique("presence-r"), `{"user_id":9007199254740992}`)
	s.expectMembers(t, map[string]string{"9007199254740992": "null"})
	s = big.join(unique("presence-r"), `{"user_id": -1 }`)
	s.expectMembers(t, map[string]string{"-1": "null"})
}

func testNumericIDInFrames(t *testing.T) {
	a := fixture(t, plain)
	c1, c2 := a.connect(t), a.connect(t)
	channel := unique("presence-r")
	c1.join(channel, `{"user_id":"1"}`)
	c2.join(channel, `{"user_id":11}`)
	c1.expect("pusher_internal:member_added", channel, `{"user_id":"11"}`)
	c2.unsubscribe(channel)
	c1.expect("pusher_internal:member_removed", channel, `{"user_id":"11"}`)
}

func testIDsRefused(t *testing.T) {
	c := fixture(t, plain).connect(t)
	channel := unique("presence-r")
	for _, id := range []string{
		`1.5`, `true`, `null`, `""`, `{}`, `[]`, `1e3`, `9007199254740993`, `-9007199254740993`, `10000000000000000000000`,
	} {
		c.refuseJoin(channel, `{"user_id":`+id+`}`, "AuthError", 401)
	}
	c.refuseJoin(channel, `{"user_info":{}}`, "AuthError", 401)
	c.refuseJoin(channel, `{"user_id":"`+strings.Repeat("x", 129)+`"}`, "LimitReached", 4004)
	c.refuseJoin(channel, `{"user_id":"`+strings.Repeat("é", 129)+`"}`, "LimitReached", 4004)
}

// refuseJoin asks for a presence subscription, rightly signed, that must be
// refused all the same.
func (c *conn) refuseJoin(channel, channelData, kind string, status int) {
	c.t.Helper()
	c.sendJoin(channel, channelData)
	c.expectRefusal(channel, kind, status)
	c.open()
}

func testLongestID(t *testing.T) {
	c := fixture(t, plain).connect(t)
	for _, letter := range []string{"x", "é", "😀"} {
		id := strings.Repeat(letter, 128)
		c.join(unique("presence-r"), `{"user_id":"`+id+`"}`).expectMembers(t, map[string]string{id: "null"})
	}
}

func testNoUserInfo(t *testing.T) {
	a := fixture(t, plain)
	c1, c2 := a.connect(t), a.connect(t)
	channel := unique("presence-r")
	c1.sendJoin(channel, `{"user_id":"1"}`)
	c1.expectJSON("pusher_internal:subscription_succeeded", channel, `{"presence":{"count":1,"ids":["1"],"hash":{"1":null}}}`)
	c2.join(channel, `{"user_id":"2"}`).expectMembers(t, map[string]string{"1": "null", "2": "null"})
	c1.expect("pusher_internal:member_added", channel, `{"user_id":"2"}`)
}

func testChannelDataUnusable(t *testing.T) {
	c := fixture(t, plain).connect(t)
	channel := unique("presence-r")
	for _, data := range []string{"not json", `[]`, `"1"`, `1`, `null`, "", `{"user_id":"1"`, `{"user_id":"1"} x`} {
		c.refuseJoin(channel, data, "AuthError", 401)
	}
	for _, info := range []string{`true`, `"Ann"`, `["Ann"]`, `7`} {
		c.sendJoin(channel, `{"user_id":"1","user_info":`+info+`}`)
		c.expectErrorText("user_info supplied to presence subscription is invalid - if supplied it must be a type of hash")
		c.expectSubscriptionError(channel, "AuthError", 401)
	}
	// An object in place of the string can not have been signed.
	c.refuse(channel, c.tokenFor(channel, `{"user_id":"1"}`), json.RawMessage(`{"user_id":"1"}`))
}

func testSizeOfUserInfo(t *testing.T) {
	c := fixture(t, plain).connect(t)
	info := func(size int) string { return `{"x":"` + strings.Repeat("x", size-8) + `"}` }
	channel := unique("presence-r")
	c.refuseJoin(channel, `{"user_id":"1","user_info":`+info(1025)+`}`, "LimitReached", 4004)
	c.join(channel, `{"user_id":"1","user_info":`+info(1024)+`}`).expectMembers(t, map[string]string{"1": info(1024)})
}

func testMemberLimit(t *testing.T) {
	a := fixture(t, plain)
	channel := unique("presence-r")
	const limit = 100
	for i := range limit {
		c := a.connect(t)
		if got := c.join(channel, fmt.Sprintf(`{"user_id":"%d"}`, i)).Presence.Count; got != i+1 {
			t.Fatalf("count after %d joins = %d", i+1, got)
		}
	}
	c := a.connect(t)
	c.refuseJoin(channel, `{"user_id":"one too many"}`, "LimitReached", 4004)
	if got := c.join(channel, `{"user_id":"7"}`).Presence.Count; got != limit {
		t.Errorf("count after a second connection of user 7 = %d, want %d", got, limit)
	}
}

func testOtherUserInfo(t *testing.T) {
	a := fixture(t, plain)
	c1, c2, c3, c4 := a.connect(t), a.connect(t), a.connect(t), a.connect(t)
	channel := unique("presence-r")
	c1.join(channel, `{"user_id":"1"}`)
	c2.join(channel, `{"user_id":"2","user_info":{"n":"X"}}`)
	c1.expectJSON("pusher_internal:member_added", channel, `{"user_id":"2","user_info":{"n":"X"}}`)
	c3.join(channel, `{"user_id":"2","user_info":{"n":"Y"}}`).expectMembers(t, map[string]string{"1": "null", "2": `{"n":"Y"}`})
	c4.join(channel, `{"user_id":"4"}`).expectMembers(t, map[string]string{"1": "null", "2": `{"n":"Y"}`, "4": "null"})
	c1.expect("pusher_internal:member_added", channel, `{"user_id":"4"}`)
	c1.nothing()
}

func testUserInfoUnchanged(t *testing.T) {
	a := fixture(t, plain)
	c1, c2 := a.connect(t), a.connect(t)
	channel := unique("presence-r")
	const info = `{"html":"<b>&","url":"https:\/\/a\/","name":"Zo\u00eb","n":12345678901234567890,"list":[1.50,true,null]}`
	c1.join(channel, `{"user_id":"1","user_info":`+info+`}`)
	c2.join(channel, `{"user_id":"2","user_info":`+info+`}`).expectMembers(t, map[string]string{"1": info, "2": info})
	c1.expectJSON("pusher_internal:member_added", channel, `{"user_id":"2","user_info":`+info+`}`)
}

// testJoinsAndLeavesAtOnce has the joins and leaves of many sockets in flight
// at a time: nothing is read before all of them are sent.
func testJoinsAndLeavesAtOnce(t *testing.T) {
	const users = 50
	a := fixture(t, plain)
	channel := unique("presence-r")
	c1 := a.connect(t)
	present := map[string]bool{"me": true}
	for _, id := range c1.join(channel, `{"user_id":"me"}`).Presence.IDs {
		present[id] = true
	}
	c1.openBarrier()
	conns := make([]*conn, users)
	for i := range conns {
		conns[i] = a.connect(t)
	}
	for i, c := range conns {
		c.sendJoin(channel, fmt.Sprintf(`{"user_id":"%d"}`, i))
		if before := conns[i/2]; i%2 == 1 {
			before.unsubscribe(channel)
		}
	}
	for _, c := range conns {
		c.drain()
	}
	for _, m := range c1.collect() {
		follow(t, present, m)
	}
	fresh := a.connect(t).join(channel, `{"user_id":"me"}`)
	if got, want := slices.Sorted(maps.Keys(present)), slices.Sorted(slices.Values(fresh.Presence.IDs)); !slices.Equal(got, want) {
		t.Errorf("members that the frames add up to = %q, fresh snapshot = %q", got, want)
	}
	if got, want := len(present), 1+users/2; got != want {
		t.Errorf("members = %d, want %d", got, want)
	}
}

// follow applies a member frame to the set that an observer keeps.
func follow(t *testing.T, present map[string]bool, m message) {
	t.Helper()
	var data struct {
		UserID string `json:"user_id"`
	}
	if err := json.Unmarshal([]byte(m.Data), &data); err != nil {
		t.Fatalf("%s: %v", m, err)
	}
	switch m.Event {
	case "pusher_internal:member_added":
		if present[data.UserID] {
			t.Errorf("%s for a user who is present", m)
		}
		present[data.UserID] = true
	case "pusher_internal:member_removed":
		if !present[data.UserID] {
			t.Errorf("%s for a user who is not present", m)
		}
		delete(present, data.UserID)
	default:
		t.Errorf("unexpected frame %s", m)
	}
}

func testUnsignedIDNotAttached(t *testing.T) {
	a := fixture(t, clientEventsOn)
	c1, c2 := a.connect(t), a.connect(t)
	room, news := unique("presence-r"), unique("news")
	c2.join(room, `{"user_id":"2"}`)
	c1.sendSubscribe(news, "nonsense", `{"user_id":"forged"}`)
	c1.expect("pusher_internal:subscription_succeeded", news, "{}")
	c1.join(room, `{"user_id":"1"}`)
	c2.expect("pusher_internal:member_added", room, `{"user_id":"1"}`)
	c1.sendClientEvent("client-x", room, `"hello"`)
	c2.expectFrom("1", "client-x", room, "hello")
}
