package conformance

import (
	"net/http"
	"strings"
	"testing"
)

// httpDelivery is statements 46 to 61 of the HTTP API checklist.
func httpDelivery() []statement {
	return []statement{
		{46, "two_of_the_channels", testTwoOfTheChannels},
		{47, "duplicate_channels", testDuplicateChannels},
		{48, "all_in_the_query", testAllInTheQuery},
		{49, "body_not_an_object", testBodyNotAnObject},
		{50, "body_not_utf8", testBodyNotUTF8},
		{51, "unknown_body_keys", testUnknownBodyKeys},
		{52, "content_type", testContentType},
		{53, "info_on_a_mix", testInfoOnAMix},
		{54, "no_info_no_channels", testNoInfoNoChannels},
		{55, "counts_are_integers", testCountsAreIntegers},
		{56, "unoccupied_channel", testUnoccupiedChannel},
		{57, "cache_without_subscribers", testCacheWithoutSubscribers},
		{58, "reserved_event_names", testReservedEventNames},
		{59, "user_channel", testHTTPUserChannel},
		{60, "other_names_with_hash", testOtherNamesWithHash},
		{61, "identical_publishes", testIdenticalPublishes},
	}
}

func testTwoOfTheChannels(t *testing.T) {
	a := fixture(t, plain)
	c := a.connect(t)
	first, second, third := unique("news"), unique("private-news"), unique("news")
	c.subscribe(first)
	c.subscribe(second)
	a.trigger(t, map[string]any{"name": "e", "channels": []string{first, second, third}, "data": "D"})
	got := map[string]int{}
	for _, m := range c.collect() {
		got[m.Channel]++
	}
	if len(got) != 2 || got[first] != 1 || got[second] != 1 {
		t.Errorf("frames by channel = %v, want one on %s and one on %s", got, first, second)
	}
}

func testDuplicateChannels(t *testing.T) {
	a := fixture(t, plain)
	c := a.connect(t)
	channel := unique("presence-news")
	c.join(channel, `{"user_id":"1"}`)
	body := map[string]any{"name": "e", "channels": []string{channel, channel, channel}, "data": "D", "info": "user_count"}
	a.trigger(t, body).expect(t, http.StatusOK, `{"channels":{"`+channel+`":{"user_count":1}}}`)
	c.expect("e", channel, "D")
	c.nothing()
}

func testAllInTheQuery(t *testing.T) {
	a := fixture(t, plain)
	c := a.connect(t)
	first, second := unique("project"), unique("project")
	c.subscribe(first)
	c.subscribe(second)
	a.post("/events", nil, "name", "foo", "data", `{"some":"data"}`, "channels[]", first, "channels[]", second).
		do(t).expect(t, http.StatusOK, `{}`)
	if got := c.collect(); len(got) != 2 || got[0].Data != `{"some":"data"}` || got[1].Data != `{"some":"data"}` {
		t.Errorf("frames = %s, want two with the data", summary(got))
	}
	a.post("/events", nil, "name", "foo", "data", "x", "channel", first).do(t).expect(t, http.StatusOK, `{}`)
	c.expect("foo", first, "x")
	a.post("/events", map[string]any{"name": "bar", "data": "y"}, "channel", first).do(t).expect(t, http.StatusOK, `{}`)
	c.expect("bar", first, "y")
}

func testBodyNotAnObject(t *testing.T) {
	a := fixture(t, plain)
	for _, body := range []string{
		"not json", "[]", "3", `"x"`, "null", `{"name":"e","channel":"news","data":"D"`, `{"name":"e","channel":"news","data":"D"} x`,
		"\xef\xbb\xbf{}", "{,}", " ",
	} {
		for _, path := range []string{"/events", "/batch_events"} {
			a.post(path, body).do(t).expect(t, http.StatusBadRequest, "…")
		}
	}
	a.post("/events", "not json").do(t).expect(t, http.StatusBadRequest, "Invalid JSON body")
}

func testBodyNotUTF8(t *testing.T) {
	a := fixture(t, plain)
	c := a.connect(t)
	channel := unique("news")
	c.subscribe(channel)
	for _, bad := range []string{"\xff", "\xc3", "\xed\xa0\x80", "\xc0\xaf"} {
		a.post("/events", `{"name":"e","channel":"`+channel+`","data":"`+bad+`"}`).
			do(t).expect(t, http.StatusBadRequest, "…")
		a.post("/channels/"+channel+"/events", bad, "name", "e").do(t).expect(t, http.StatusBadRequest, "…")
	}
	c.nothing()
}

func testUnknownBodyKeys(t *testing.T) {
	a := fixture(t, plain)
	c := a.connect(t)
	channel := unique("news")
	c.subscribe(channel)
	body := event1(channel, "e", "D")
	body["unknown"], body["user_id"], body["id"] = map[string]any{"a": []int{1}}, "forged", 7
	a.trigger(t, body).expect(t, http.StatusOK, `{}`)
	c.expect("e", channel, "D")
}

func testContentType(t *testing.T) {
	a := fixture(t, plain)
	for _, kind := range []string{"", "application/json; charset=utf-8", "text/plain", "application/x-www-form-urlencoded", "nonsense"} {
		r := a.post("/events", event1(unique("news"), "e", "D"))
		r.header.Del("Content-Type")
		if kind != "" {
			r.header.Set("Content-Type", kind)
		}
		r.do(t).expect(t, http.StatusOK, `{}`)
	}
}

func testInfoOnAMix(t *testing.T) {
	a := fixture(t, plain)
	c1, c2 := a.connect(t), a.connect(t)
	room, news, none := unique("presence-desk"), unique("ticker"), unique("presence-none")
	c1.join(room, `{"user_id":"1"}`)
	c2.join(room, `{"user_id":"2"}`)
	c1.expect("pusher_internal:member_added", room, `{"user_id":"2"}`)
	c2.subscribe(news)
	body := map[string]any{"name": "e", "channels": []string{room, news, none}, "data": "D", "info": "user_count"}
	a.trigger(t, body).expect(t, http.StatusOK,
		`{"channels":{"`+room+`":{"user_count":2},"`+news+`":{},"`+none+`":{"user_count":0}}}`)
	body["info"] = ""
	a.trigger(t, body).expect(t, http.StatusOK, `{}`)
}

func testNoInfoNoChannels(t *testing.T) {
	a := fixture(t, plain)
	c := a.connect(t)
	channel := unique("presence-news")
	c.join(channel, `{"user_id":"1"}`)
	if got, ok := a.trigger(t, event1(channel, "e", "D")).members(t)["channels"]; ok {
		t.Errorf("channels = %v in the answer to a call without info, want none", got)
	}
}

func testCountsAreIntegers(t *testing.T) {
	a := fixture(t, countsOn)
	c1, c2 := a.connect(t), a.connect(t)
	room, news := unique("presence-desk"), unique("ticker")
	c1.join(room, `{"user_id":"1"}`)
	c2.join(room, `{"user_id":"1"}`)
	c2.subscribe(news)
	body := map[string]any{"name": "e", "channels": []string{room, news}, "data": "D", "info": "user_count, subscription_count,user_count"}
	a.trigger(t, body).expect(t, http.StatusOK, // numbers are compared by their text
		`{"channels":{"`+room+`":{"user_count":1,"subscription_count":2},"`+news+`":{"subscription_count":1}}}`)
}

func testUnoccupiedChannel(t *testing.T) {
	a := fixture(t, plain)
	for _, kind := range []string{"news", "private-x", "private-encrypted-x", "presence-x", "cache-x", "presence-cache-x"} {
		a.post("/events", event1(unique(kind), "e", "D")).do(t).expect(t, http.StatusOK, `{}`)
	}
}

func testCacheWithoutSubscribers(t *testing.T) {
	a := fixture(t, plain)
	for _, kind := range []string{"cache-x", "private-cache-x", "private-encrypted-cache-x", "presence-cache-x"} {
		channel := unique(kind)
		a.publish(t, channel, "e", `{"usd":12}`)
		state := a.channel(t, channel, "cache")
		cached, ok := state["cache"].(map[string]any)
		if !ok || cached["data"] != `{"usd":12}` || state["occupied"] != false {
			t.Errorf("state of %s = %v, want unoccupied with the data cached", channel, state)
		}
	}
}

func testReservedEventNames(t *testing.T) {
	a := fixture(t, plain)
	c := a.connect(t)
	channel := unique("news")
	c.subscribe(channel)
	for _, name := range []string{"pusher:x", "pusher:", "pusher_internal:x", "pusher_internal:member_added", "pusher-notification", "pusher"} {
		const reserved = "The 'pusher' namespace is reserved for internal usage"
		a.post("/events", event1(channel, name, "D")).do(t).expect(t, http.StatusBadRequest, reserved)
		a.post("/batch_events", batch(event1(channel, name, "D"))).do(t).expect(t, http.StatusBadRequest, reserved)
	}
	c.nothing()
	for _, name := range []string{"client-x", "pushers", "Pusher:x", `App\Events\X`, "ä:/ #"} {
		a.publish(t, channel, name, "D")
		c.expect(name, channel, "D")
	}
}

func testHTTPUserChannel(t *testing.T) {
	a := fixture(t, plain)
	c1, c2, other, nobody := a.connect(t), a.connect(t), a.connect(t), a.connect(t)
	id, channel := unique("12345"), unique("news")
	c1.signin(userData(id))
	c2.signin(userData(id))
	other.signin(userData(unique("54321")))
	nobody.subscribe(channel)
	body := map[string]any{"name": "alert", "channels": []string{userChannel(id)}, "data": `{"hello":"world"}`}
	a.post("/events", body).do(t).expect(t, http.StatusOK, `{}`)
	for _, c := range []*conn{c1, c2} {
		c.expect("alert", userChannel(id), `{"hello":"world"}`)
		c.nothing()
	}
	other.nothing()
	nobody.nothing()

	body["channels"], body["info"] = []string{channel, userChannel(id)}, "user_count"
	a.trigger(t, body).expect(t, http.StatusOK, `{"channels":{"`+channel+`":{},"`+userChannel(id)+`":{}}}`)
	c1.expect("alert", userChannel(id), `{"hello":"world"}`)
	nobody.expect("alert", channel, `{"hello":"world"}`)
	a.post("/batch_events", batch(event1(userChannel(id), "b", "D"))).do(t).expect(t, http.StatusOK, `{}`)
	c1.expect("b", userChannel(id), "D")
}

func testOtherNamesWithHash(t *testing.T) {
	a := fixture(t, plain)
	for _, channel := range []string{
		"#server-to-user-", "#x", "#", "x#server-to-user-1", "#Server-To-User-1", "news#1", "private-#server-to-user-1",
		"#server-to-user-" + strings.Repeat("x", 201), "#server-to-user-a\x00",
	} {
		a.post("/events", event1(channel, "e", "D")).do(t).expect(t, http.StatusBadRequest, "…")
	}
}

func testIdenticalPublishes(t *testing.T) {
	a := fixture(t, plain)
	c := a.connect(t)
	channel := unique("news")
	c.subscribe(channel)
	r := a.post("/events", event1(channel, "e", "D")).sign()
	for range 2 {
		r.do(t).expect(t, http.StatusOK, `{}`)
		c.expect("e", channel, "D")
	}
}
