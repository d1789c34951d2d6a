package conformance

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// users is statements 135 to 150 of the WebSocket checklist.
func users() []statement {
	return []statement{
		{135, "signin", testSignin},
		{136, "signin_refused", testSigninRefused},
		{137, "second_user_refused", testSecondUserRefused},
		{138, "own_user_channel", testOwnUserChannel},
		{139, "user_channel_of_another", testUserChannelOfAnother},
		{140, "event_to_user", testEventToUser},
		{141, "presence_of_signed_in_user", testPresenceOfSignedInUser},
		{142, "presence_without_data", testPresenceWithoutData},
		{143, "channel_data_overrides", testChannelDataOverrides},
		{144, "watchlist_at_signin", testWatchlistAtSignin},
		{145, "watchlist_changes", testWatchlistChanges},
		{146, "watchlist_too_long", testWatchlistTooLong},
		{147, "watchlist_switched_off", testWatchlistSwitchedOff},
		{148, "authorized_connections", testAuthorizedConnections},
		{149, "terminate_connections", testTerminateConnections},
		{150, "encrypted_payload", testEncryptedPayload},
	}
}

func userChannel(id string) string { return "#server-to-user-" + id }

func testSignin(t *testing.T) {
	c := fixture(t, plain).connect(t)
	id := unique("16")
	c.signin(userData(id)) // which requires the very string back
	c.open()

	for _, data := range []string{
		`{"id":"ą§¶™€łü€ß£"}`, ` { "id" : "a b" , "extra": {"url":"https:\/\/a"} } `,
		`{"id":"` + strings.Repeat("é", 200) + `","user_info":{"n":12345678901234567890}}`,
	} {
		fixture(t, plain).connect(t).signin(data)
	}
}

func testSigninRefused(t *testing.T) {
	a := fixture(t, plain)
	c := a.connect(t)
	id := unique("16")
	good := userData(id)
	digest := sign(a.secret, c.id+"::user::"+good)
	for _, attempt := range []struct{ data, want string }{
		{encode(map[string]any{"auth": a.key + ":" + strings.Repeat("0", 64), "user_data": good}), "Invalid signature: Expected HMAC SHA256 hex digest of "},
		{encode(map[string]any{"auth": c.token(good), "user_data": good}), "Invalid signature: Expected HMAC SHA256 hex digest of "},
		{encode(map[string]any{"auth": "otherkey:" + digest, "user_data": good}), "Invalid key in subscription auth data: 'otherkey'"},
		{encode(map[string]any{"auth": digest, "user_data": good}), "Invalid format: auth must have the format key:signature"},
		{encode(map[string]any{"auth": a.key + "::user::" + digest, "user_data": good}), "Invalid signature: "},
		{encode(map[string]any{"auth": a.key + ":" + digest}), "Missing parameter: data.user_data"},
		{encode(map[string]any{"user_data": good}), "Missing parameter: data.auth"},
		{`{}`, "Missing parameter: data."},
	} {
		c.send("pusher:signin", json.RawMessage(attempt.data))
		if got := c.expectError(null); !strings.HasPrefix(got, attempt.want) {
			t.Errorf("message = %q, want it to start with %q (after %s)", got, attempt.want, c.last)
		}
		c.open()
	}
	for _, data := range []string{
		`{}`, `{"id":""}`, `{"id":16}`, `{"id":null}`, `[]`, `"16"`, `not json`, `{"id":"a\u0000b"}`,
		`{"id":"` + strings.Repeat("x", 201) + `"}`, `{"id":"16","watchlist":"17"}`, `{"id":"16","watchlist":[17]}`,
	} {
		c.sendSignin(data)
		if got := c.expectError(null); !strings.HasPrefix(got, "Invalid user_data: ") {
			t.Errorf("message = %q, want it to start with %q (after %s)", got, "Invalid user_data: ", c.last)
		}
		c.open()
	}
	c.refuse(userChannel(id), "", nil)
	c.signin(good)
}

func testSecondUserRefused(t *testing.T) {
	c := fixture(t, plain).connect(t)
	first, second := unique("16"), unique("17")
	c.signin(userData(first))
	c.sendSignin(userData(second))
	c.expectErrorText("Connection is already signed in as a different user")
	c.open()
	c.refuse(userChannel(second), "", nil)
	c.subscribe(userChannel(first))
	c.signin(encode(map[string]any{"id": first, "user_info": map[string]any{"name": "Ann"}}))
	c.open()
}

func testOwnUserChannel(t *testing.T) {
	a := fixture(t, plain)
	c := a.connect(t)
	id := unique("16")
	c.signin(userData(id))
	c.sendSubscribe(userChannel(id), "", nil)
	c.expect("pusher_internal:subscription_succeeded", userChannel(id), "{}")
	c.open()
	odd := a.connect(t) // the charset of channels is not that of ids
	id = unique("ą b#€")
	odd.signin(userData(id))
	odd.sendSubscribe(userChannel(id), "", nil)
	odd.expect("pusher_internal:subscription_succeeded", userChannel(id), "{}")
	if got := a.listed(t, "#"); len(got) != 0 {
		t.Errorf("channels listed = %v, want no user channel", got)
	}
}

func testUserChannelOfAnother(t *testing.T) {
	a := fixture(t, plain)
	c1, c2 := a.connect(t), a.connect(t)
	id := unique("16")
	c1.signin(userData(id))
	c1.refuse(userChannel(unique("17")), "", nil)
	c1.refuse(userChannel(id+"0"), "", nil)
	c2.refuse(userChannel(id), "", nil)
	c2.refuse(userChannel(id), c2.token(userChannel(id)), nil)
}

func testEventToUser(t *testing.T) {
	a := fixture(t, plain)
	c1, c2, c3, c4 := a.connect(t), a.connect(t), a.connect(t), a.connect(t)
	id := unique("16")
	c1.signin(userData(id))
	c2.signin(userData(id))
	c3.signin(userData(unique("17")))
	c1.subscribe(userChannel(id))
	a.publish(t, userChannel(id), "invited", `{"room":"r"}`)
	for _, c := range []*conn{c1, c2} {
		c.expect("invited", userChannel(id), `{"room":"r"}`)
		c.nothing()
	}
	c3.nothing()
	c4.nothing()
	a.trigger(t, map[string]any{"name": "e", "channel": userChannel(id), "data": "", "socket_id": c1.id})
	c2.expect("e", userChannel(id), "")
	c1.nothing()
}

func testPresenceOfSignedInUser(t *testing.T) {
	a := fixture(t, plain)
	c, watcher := a.connect(t), a.connect(t)
	channel, id := unique("presence-r"), unique("16")
	const info = `{"name":"Ann","n":12345678901234567890}`
	watcher.join(channel, `{"user_id":"w"}`)
	c.signin(`{"id":"` + id + `","user_info":` + info + `}`)
	c.sendSubscribe(channel, c.token(channel), nil)
	c.expectSnapshot(channel).expectMembers(t, map[string]string{id: info, "w": "null"})
	watcher.expectJSON("pusher_internal:member_added", channel, `{"user_id":"`+id+`","user_info":`+info+`}`)
}

func testPresenceWithoutData(t *testing.T) {
	c := fixture(t, plain).connect(t)
	channel := unique("presence-r")
	c.sendSubscribe(channel, c.token(channel), nil)
	c.expectErrorText("Invalid channel_data: missing, and the connection is not signed in")
	c.expectSubscriptionError(channel, "AuthError", 401)
	c.open()
}

func testChannelDataOverrides(t *testing.T) {
	c := fixture(t, plain).connect(t)
	channel := unique("presence-r")
	c.signin(`{"id":"` + unique("16") + `","user_info":{"name":"Ann"}}`)
	c.join(channel, `{"user_id":"99"}`).expectMembers(t, map[string]string{"99": "null"})
}

// watching is the user_data of a user with a watchlist.
func watching(id string, watchlist ...string) string {
	return encode(map[string]any{"id": id, "watchlist": watchlist})
}

// A presenceChange is one entry of a watchlist frame.
type presenceChange struct {
	Name    string
	UserIDs []string `json:"user_ids"`
}

// expectWatchlist requires a watchlist frame with these entries, in any order
// of entries and ids. An empty list of ids stands for no entry.
func (c *conn) expectWatchlist(online, offline []string) {
	c.t.Helper()
	m := c.next()
	var data struct{ Events []presenceChange }
	err := json.Unmarshal([]byte(m.Data), &data)
	if err != nil || m.Event != "pusher_internal:watchlist_events" || m.HasChannel {
		c.t.Fatalf("next frame = %s, want pusher_internal:watchlist_events without channel (after %s)", m, short(c.last))
	}
	got := make(map[string]map[string]int)
	for _, change := range data.Events {
		if got[change.Name] != nil || len(change.UserIDs) == 0 {
			c.t.Errorf("%s has an entry twice or an empty one", m)
		}
		got[change.Name] = countOf(change.UserIDs)
	}
	want := make(map[string]map[string]int)
	for name, ids := range map[string][]string{"online": online, "offline": offline} {
		if len(ids) > 0 {
			want[name] = countOf(ids)
		}
	}
	if g, w := fmt.Sprint(got), fmt.Sprint(want); g != w {
		c.t.Fatalf("watchlist frame has %s, want %s", short(g), short(w))
	}
}

func countOf(ids []string) map[string]int {
	count := make(map[string]int)
	for _, id := range ids {
		count[id]++
	}
	return count
}

func testWatchlistAtSignin(t *testing.T) {
	a := fixture(t, watchlistOn)
	c1, c2 := a.connect(t), a.connect(t)
	online, offline := unique("17"), unique("18")
	c2.signin(userData(online))
	me := watching(unique("16"), online, offline, online)
	c1.signin(me)
	c1.expectWatchlist([]string{online}, []string{offline})
	c1.open()
	c1.signin(me) // signed in again: the state again
	c1.expectWatchlist([]string{online}, []string{offline})
	c2.open()

	self := a.connect(t)
	id := unique("19")
	self.signin(watching(id, id))
	self.expectWatchlist([]string{id}, nil)
	self.open()
}

func testWatchlistChanges(t *testing.T) {
	a := fixture(t, watchlistOn)
	c1, first, second, third := a.connect(t), a.connect(t), a.connect(t), a.connect(t)
	watched, own := unique("18"), unique("own")
	c1.signin(watching(unique("16"), watched))
	c1.expectWatchlist(nil, []string{watched})
	first.signin(userData(watched))
	c1.expectWatchlist([]string{watched}, nil)
	second.signin(userData(watched))
	c1.nothing()
	first.subscribe(own)
	first.hangUp()
	eventually(t, "the channel of a closed socket is vacated", func() bool { return !a.occupied(t, own) })
	c1.nothing()
	second.hangUp()
	c1.expectWatchlist(nil, []string{watched})
	c1.nothing()
	third.signin(userData(watched))
	c1.expectWatchlist([]string{watched}, nil)
	c1.nothing()
}

func testWatchlistTooLong(t *testing.T) {
	const limit = 100
	c := fixture(t, watchlistOn).connect(t)
	prefix := unique("u")
	var ids []string
	for i := range limit + 1 {
		ids = append(ids, fmt.Sprintf("%s-%d", prefix, i))
	}
	data := watching(unique("16"), append([]string{ids[0]}, ids...)...) // a repeat counts once
	c.sendSignin(data)
	c.expectSignedIn(data)
	if got, want := c.expectError(4302), "Watchlist limit exceeded. Only the first 100 user IDs are accepted."; got != want {
		t.Errorf("message = %q, want %q", got, want)
	}
	c.expectWatchlist(nil, ids[:limit])
	c.open()

	fits := fixture(t, watchlistOn).connect(t)
	fits.signin(watching(unique("16"), append([]string{ids[0]}, ids[:limit]...)...))
	fits.expectWatchlist(nil, ids[:limit])
	fits.open()
}

func testWatchlistSwitchedOff(t *testing.T) {
	a := plainWithout(t, watchlistOn)
	c, other := a.connect(t), a.connect(t)
	watched := unique("17")
	list := []string{watched}
	for i := range 101 {
		list = append(list, fmt.Sprintf("%s-%d", watched, i))
	}
	c.signin(watching(unique("16"), list...))
	c.open()
	other.signin(userData(watched))
	other.open()
	c.nothing()
}

// testAuthorizedConnections opens those that must stay before those that must
// go, so that the end of the latter shows that the deadline of all has passed.
func testAuthorizedConnections(t *testing.T) {
	a := fixture(t, authorizedOn)
	name, room := unique("private-a"), unique("presence-r")
	signedIn := a.connect(t)
	signedIn.signin(userData(unique("16")))
	private := a.connect(t)
	private.subscribe(name)
	private.unsubscribe(name)
	presence := a.connect(t)
	presence.join(room, `{"user_id":"1"}`)
	presence.unsubscribe(room)

	refused := a.connect(t)
	refused.refuse(unique("private-a"), "wrong", nil)
	public, idle := a.connect(t), a.connect(t)
	public.subscribe(unique("news"))
	for _, c := range []*conn{refused, public, idle} {
		if got, want := c.ended(4009), "Connection not authorized within timeout."; got != want {
			t.Errorf("message = %q, want %q", got, want)
		}
	}
	for _, c := range []*conn{signedIn, private, presence} {
		c.open()
	}
}

func testTerminateConnections(t *testing.T) {
	a := fixture(t, plain)
	c1, c2, c3 := a.connect(t), a.connect(t), a.connect(t)
	id, room := unique("16"), unique("presence-r")
	c1.signin(userData(id))
	c2.signin(userData(id))
	c3.join(room, `{"user_id":"`+id+`"}`)
	a.post("/users/"+id+"/terminate_connections", "{}").do(t).expect(t, 200, "{}")
	for _, c := range []*conn{c1, c2} {
		if got, want := c.ended(4009), "You got disconnected by the app."; got != want {
			t.Errorf("message = %q, want %q", got, want)
		}
	}
	c3.open()
	a.connect(t).signin(userData(id)) // and may come back
}

func testEncryptedPayload(t *testing.T) {
	a := fixture(t, plain)
	c1, c2, channel := pair(t, a, "private-encrypted-a")
	const data = `{"nonce":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYX","ciphertext":"cUvi6VQlRGyKCRRclUJdHUsGJzgoj596PYEg0Ekt7UbHsAQ="}`
	a.publish(t, channel, "secret-news", data)
	c1.expect("secret-news", channel, data)
	c2.expect("secret-news", channel, data)
	for _, channels := range [][]string{{channel, "news"}, {"news", channel}, {channel, unique("private-encrypted-b")}} {
		body := map[string]any{"name": "e", "channels": channels, "data": data}
		if got := a.post("/events", body).do(t); got.status != 400 {
			t.Errorf("%s = %d %q, want 400", got.request, got.status, got.body)
		}
	}
	c1.nothing()
	c2.nothing()
}
