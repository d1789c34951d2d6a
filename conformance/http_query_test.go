package conformance

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

// httpQueries is statements 69 to 85 of the HTTP API checklist.
func httpQueries() []statement {
	return []statement{
		{69, "only_occupied_listed", testOnlyOccupiedListed},
		{70, "list_without_info", testListWithoutInfo},
		{71, "nothing_occupied", testNothingOccupied},
		{72, "prefix_filter", testPrefixFilter},
		{73, "user_count_needs_filter", testUserCountNeedsFilter},
		{74, "user_counts", testUserCounts},
		{75, "unknown_channel", testUnknownChannel},
		{76, "empty_info", testEmptyInfo},
		{77, "user_count_of_public", testUserCountOfPublic},
		{78, "subscription_count_off", testSubscriptionCountOff},
		{79, "cache_attribute", testCacheAttribute},
		{80, "unknown_attribute", testUnknownAttribute},
		{81, "users_listed_once", testUsersListedOnce},
		{82, "ids_are_strings", testIDsAreStrings},
		{83, "no_users", testNoUsers},
		{84, "users_of_public", testUsersOfPublic},
		{85, "extraneous_parameters", testExtraneousParameters},
	}
}

func testOnlyOccupiedListed(t *testing.T) {
	a := fixture(t, plain)
	c1, c2 := a.connect(t), a.connect(t)
	channel := unique("news")
	a.publish(t, channel, "e", "D")
	for _, step := range []struct {
		name string
		act  func(string)
		want int
	}{
		{"nobody", func(string) {}, 0},
		{"first subscribes", c1.subscribe, 1},
		{"second subscribes", c2.subscribe, 1},
		{"first unsubscribes", func(name string) { c1.unsubscribe(name); c1.open() }, 1},
		{"second unsubscribes", func(name string) { c2.unsubscribe(name); c2.open() }, 0},
	} {
		step.act(channel)
		if got := a.listed(t, channel); len(got) != step.want {
			t.Errorf("channels listed after %q = %v, want %d", step.name, got, step.want)
		}
	}
}

func testListWithoutInfo(t *testing.T) {
	a := fixture(t, plain)
	c := a.connect(t)
	prefix := unique("presence-r")
	c.join(prefix+"-a", `{"user_id":"1"}`)
	c.join(prefix+"-b", `{"user_id":"1"}`)
	for _, r := range []*apiRequest{
		a.get("/channels", "filter_by_prefix", prefix), a.get("/channels", "filter_by_prefix", prefix, "info", ""),
	} {
		r.do(t).expect(t, http.StatusOK, `{"channels":{"`+prefix+`-a":{},"`+prefix+`-b":{}}}`)
	}
}

// testNothingOccupied needs an app of its own, and without one asks for
// channels that nobody has.
func testNothingOccupied(t *testing.T) {
	if target.external != nil {
		target.external.get("/channels", "filter_by_prefix", unique("none")).do(t).expect(t, http.StatusOK, `{"channels":{}}`)
		return
	}
	a := fixture(t, empty)
	a.get("/channels").do(t).expect(t, http.StatusOK, `{"channels":{}}`)
	a.get("/channels", "filter_by_prefix", "").do(t).expect(t, http.StatusOK, `{"channels":{}}`)
}

func testPrefixFilter(t *testing.T) {
	a := fixture(t, plain)
	c := a.connect(t)
	name := unique("r")
	for _, channel := range []string{"news-" + name, "private-news-" + name, "News-" + name} {
		c.subscribe(channel)
	}
	for filter, want := range map[string]bool{
		"news-" + name: true, "private-news-" + name: true, "News-" + name: true, "NEWS-" + name: false, "*" + name: false, name: false,
		"news-" + name + "x": false, ".*" + name: false,
	} {
		if got := len(a.listed(t, filter)); got > 1 || want != (got == 1) {
			t.Errorf("channels listed with filter %q = %d, want one: %v", filter, got, want)
		}
	}
	all := a.get("/channels").do(t).members(t)["channels"].(map[string]any)
	for _, channel := range []string{"news-" + name, "private-news-" + name, "News-" + name} {
		if all[channel] == nil {
			t.Errorf("channel %s is not in the list without a filter", channel)
		}
	}
}

func testUserCountNeedsFilter(t *testing.T) {
	a := fixture(t, plain)
	const want = "user_count may only be requested for presence channels - please supply filter_by_prefix begining with presence-"
	a.get("/channels", "info", "user_count").do(t).expect(t, http.StatusBadRequest, want)
	for _, filter := range []string{"", "private-", "presence", "Presence-", "x-presence-"} {
		a.get("/channels", "info", "user_count", "filter_by_prefix", filter).do(t).expect(t, http.StatusBadRequest, want)
	}
	a.get("/channels", "info", "subscription_count", "filter_by_prefix", "presence-").do(t).expect(t, http.StatusBadRequest, "…")
}

func testUserCounts(t *testing.T) {
	a := fixture(t, plain)
	c1, c2, c3 := a.connect(t), a.connect(t), a.connect(t)
	prefix := unique("presence-abc")
	first, second := prefix+"-1", prefix+"-2"
	c1.join(first, `{"user_id":"1"}`)
	c2.join(first, `{"user_id":"1"}`)
	c3.join(first, `{"user_id":"2"}`)
	c3.join(second, `{"user_id":"2"}`)
	a.get("/channels", "info", "user_count", "filter_by_prefix", prefix).do(t).expect(t, http.StatusOK,
		`{"channels":{"`+first+`":{"user_count":2},"`+second+`":{"user_count":1}}}`)
	all := a.listed(t, "presence-", "info", "user_count")
	if got, _ := all[first].(map[string]any); got["user_count"] != number(2) {
		t.Errorf("entry of %s with filter presence- = %v, want user_count 2", first, all[first])
	}
}

func testUnknownChannel(t *testing.T) {
	a := fixture(t, plain)
	for _, kind := range []string{"news", "presence-r", "private-cache-x"} {
		a.get("/channels/"+unique(kind)).do(t).expect(t, http.StatusOK, `{"occupied":false}`)
	}
	a.get("/channels/"+unique("presence-r"), "info", "user_count").do(t).expect(t, http.StatusOK, `{"occupied":false,"user_count":0}`)
}

func testEmptyInfo(t *testing.T) {
	a := fixture(t, plain)
	c := a.connect(t)
	channel := unique("project")
	c.subscribe(channel)
	a.get("/channels/"+channel, "info", "").do(t).expect(t, http.StatusOK, `{"occupied":true}`)
}

func testUserCountOfPublic(t *testing.T) {
	a := fixture(t, plain)
	for _, kind := range []string{"news", "private-x", "cache-x", "x-presence-y"} {
		a.get("/channels/"+unique(kind), "info", "user_count").
			do(t).expect(t, http.StatusBadRequest, "Cannot retrieve the user count unless the channel is a presence channel")
	}
}

func testSubscriptionCountOff(t *testing.T) {
	a := plainWithout(t, countsOn)
	const want = "Cannot retrieve the subscription count because subscription counting is not enabled"
	a.get("/channels/"+unique("news"), "info", "subscription_count").do(t).expect(t, http.StatusBadRequest, want)
	c := a.connect(t)
	channel := unique("news")
	c.subscribe(channel)
	body := event1(channel, "e", "D")
	body["info"] = "subscription_count"
	a.post("/events", body).do(t).expect(t, http.StatusBadRequest, want)
	c.nothing()
	if target.external != nil {
		return // which has no second app, with counting on
	}
	on := fixture(t, countsOn)
	d := on.connect(t)
	d.subscribe(channel)
	on.get("/channels/"+channel, "info", "subscription_count").do(t).expect(t, http.StatusOK, `{"occupied":true,"subscription_count":1}`)
}

func testCacheAttribute(t *testing.T) {
	a := fixture(t, plain)
	channel := unique("cache-x")
	a.get("/channels/"+channel, "info", "cache").do(t).expect(t, http.StatusOK, `{"occupied":false,"cache":null}`)
	a.publish(t, channel, "e", `{"usd":12}`)
	cached, _ := a.channel(t, channel, "cache")["cache"].(map[string]any)
	ttl, _ := cached["ttl"].(json.Number)
	seconds, err := ttl.Int64()
	if len(cached) != 2 || cached["data"] != `{"usd":12}` || err != nil || seconds < 1 || seconds > 1800 {
		t.Errorf("cache of %s = %v, want the data and a ttl of 1 to 1800 whole seconds (%v)", channel, cached, err)
	}
	if target.external != nil {
		return // whose cache lives too long to wait for
	}
	brief := fixture(t, cacheOfASecond)
	brief.publish(t, channel, "e", "D")
	time.Sleep(1500 * time.Millisecond) // the statement's own clock
	brief.get("/channels/"+channel, "info", "cache").do(t).expect(t, http.StatusOK, `{"occupied":false,"cache":null}`)
}

func testUnknownAttribute(t *testing.T) {
	a := fixture(t, plain)
	for _, info := range []string{"foo", "user_count,foo", "User_Count", "subscription_counts"} {
		a.get("/channels/"+unique("presence-r"), "info", info).do(t).expect(t, http.StatusBadRequest, "…")
	}
	a.get("/channels/"+unique("news"), "info", "foo").do(t).expect(t, http.StatusBadRequest, "Unknown info attribute: foo")
	for _, kind := range []string{"news", "presence-r", "my-cache-x"} {
		a.get("/channels/"+unique(kind), "info", "cache").
			do(t).expect(t, http.StatusBadRequest, "Cannot retrieve the cache unless the channel is a cache channel")
	}
}

func testUsersListedOnce(t *testing.T) {
	a := fixture(t, plain)
	c1, c2, c3 := a.connect(t), a.connect(t), a.connect(t)
	channel := unique("presence-r")
	c1.join(channel, `{"user_id":"1","user_info":{"secret":"x"}}`)
	c2.join(channel, `{"user_id":"1"}`)
	c3.join(channel, `{"user_id":"2"}`)
	users := a.get("/channels/" + channel + "/users").do(t).members(t)["users"].([]any)
	seen := make(map[any]int)
	for _, user := range users {
		entry := user.(map[string]any)
		seen[entry["id"]]++
		if len(entry) != 1 {
			t.Errorf("user = %v, want an id only", entry)
		}
	}
	if len(users) != 2 || seen["1"] != 1 || seen["2"] != 1 {
		t.Errorf("users = %v, want 1 and 2 once each", users)
	}
}

func testIDsAreStrings(t *testing.T) {
	a := fixture(t, plain)
	c := a.connect(t)
	channel := unique("presence-r")
	c.join(channel, `{"user_id":10}`)
	a.get("/channels/"+channel+"/users").do(t).expect(t, http.StatusOK, `{"users":[{"id":"10"}]}`)
}

func testNoUsers(t *testing.T) {
	a := fixture(t, plain)
	a.get("/channels/"+unique("presence-r")+"/users").do(t).expect(t, http.StatusOK, `{"users":[]}`)
}

func testUsersOfPublic(t *testing.T) {
	a := fixture(t, plain)
	for _, kind := range []string{"news", "private-x", "x-presence-y"} {
		a.get("/channels/"+unique(kind)+"/users").
			do(t).expect(t, http.StatusBadRequest, "Users can only be retrieved for presence channels")
	}
}

func testExtraneousParameters(t *testing.T) {
	a := fixture(t, plain)
	path := "/channels/" + unique("presence-foobar") + "/users"
	a.get(path, "info", "user_count").do(t).expect(t, http.StatusBadRequest, "The following query string parameters are extraneous: info")
	two := a.get(path, "info", "user_count", "other", "1").do(t)
	two.expect(t, http.StatusBadRequest, "The following query string parameters are extraneous: …")
	if !strings.Contains(two.body, "info") || !strings.Contains(two.body, "other") {
		t.Errorf("%s = %q, want both parameters named", two.request, two.body)
	}
	a.get(path, "body_md5", md5Hex(nil)).do(t).expect(t, http.StatusOK, `{"users":[]}`)
}
