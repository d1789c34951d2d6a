package httpapi

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/hub"
)

// occupy gives the hub some channels and what can be asked about them.
func occupy(f *fixture) {
	f.hub.channels = map[string]hub.ChannelState{
		"presence-desk":      {Occupied: true, Subscriptions: 5, Users: 3},
		"presence-cache-x":   {Occupied: true, Subscriptions: 1, Users: 1},
		"ticker":             {Occupied: true, Subscriptions: 18},
		"private-a":          {Occupied: true, Subscriptions: 2},
		"cache-left":         {},
		"#server-to-user-12": {Occupied: true, Subscriptions: 1},
	}
	f.hub.users = map[string][]string{"presence-desk": {"1", "zoë", `a"b`}}
	f.hub.cached = map[string]hub.Cached{"cache-x": {Data: []byte(`"{\"usd\":12}\u00e9"`), TTL: 1740*time.Second + 999*time.Millisecond}}
}

func TestChecklistChannelList(t *testing.T) {
	const (
		needsFilter = "user_count may only be requested for presence channels - please supply filter_by_prefix begining with presence-"
		path        = "/apps/3/channels"
	)
	for _, s := range []struct {
		name   string
		call   request
		status int
		want   string // channels of 200, or the text
	}{
		{"69 occupied only", get(path), 200, `{"presence-desk":{},"presence-cache-x":{},"ticker":{},"private-a":{}}`},
		{"70 empty info", get(path, "info="), 200, `{"presence-desk":{},"presence-cache-x":{},"ticker":{},"private-a":{}}`},
		{"72 prefix", get(path, "filter_by_prefix=p"), 200, `{"presence-desk":{},"presence-cache-x":{},"private-a":{}}`},
		{"72 whole name", get(path, "filter_by_prefix=ticker"), 200, `{"ticker":{}}`},
		{"72 case", get(path, "filter_by_prefix=T"), 200, `{}`},
		{"72 user", get(path, "filter_by_prefix=#"), 200, `{}`},
		{"72 unknown parameter", get(path, "filter_by_prefix=ticker", "limit=1"), 200, `{"ticker":{}}`},
		{"73 no filter", get(path, "info=user_count"), 400, needsFilter},
		{"73 private-", get(path, "info=user_count", "filter_by_prefix=private-"), 400, needsFilter},
		{"73 presence", get(path, "info=user_count", "filter_by_prefix=presence"), 400, needsFilter},
		{"74 presence-", get(path, "info=user_count", "filter_by_prefix=presence-"), 200,
			`{"presence-desk":{"user_count":3},"presence-cache-x":{"user_count":1}}`},
		{"74 presence-d", get(path, "info=user_count", "filter_by_prefix=presence-d"), 200, `{"presence-desk":{"user_count":3}}`},
		{"array of attributes", get(path, "info[]=user_count", "filter_by_prefix=presence-d"), 200, `{"presence-desk":{"user_count":3}}`},
		{"array with indexes", get(path, "info[0]=", "info[1]=user_count", "filter_by_prefix=presence-d"), 200, `{"presence-desk":{"user_count":3}}`},
		{"array with an unknown attribute", get(path, "info[]=user_count", "info[]=nonsense", "filter_by_prefix=presence-d"), 400, "Unknown info attribute: nonsense"},
		{"array of prefixes", get(path, "filter_by_prefix[]=presence-"), 400, "Expected filter_by_prefix parameter to be a string"},
		{"unknown attribute", get(path, "info=nonsense"), 400, "Unknown info attribute: nonsense"},
		{"cache", get(path, "info=cache"), 400, "Unknown info attribute: cache"},
		{"subscription_count", get(path, "info=subscription_count", "filter_by_prefix=presence-"), 400,
			"Cannot retrieve the subscription count of a list of channels"},
	} {
		t.Run(s.name, func(t *testing.T) {
			f := newFixture()
			occupy(f)
			w := f.do(t, s.call.build())
			if w.Code != s.status {
				t.Fatalf("status = %d with %q, want %d", w.Code, w.Body, s.status)
			}
			if s.status != 200 {
				if got := w.Body.String(); got != s.want+"\n" {
					t.Errorf("body = %q, want %q", got, s.want)
				}
				return
			}
			got, want := map[string]map[string]map[string]int{}, map[string]map[string]int{}
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
				t.Fatalf("body = %q: %v", w.Body, err)
			}
			if err := json.Unmarshal([]byte(s.want), &want); err != nil {
				t.Fatal(err)
			}
			if len(got) != 1 || !maps.EqualFunc(got["channels"], want, maps.Equal) {
				t.Errorf("body = %v, want channels %v", got, want)
			}
		})
	}
}

func TestConnectionsAreCountedAsReverbDoes(t *testing.T) {
	f := newFixture()
	if w := f.do(t, get("/apps/3/connections").build()); w.Code != 200 || w.Body.String() != `{"connections":17}` {
		t.Errorf("GET connections = %d %q", w.Code, w.Body)
	}
	unsigned := httptest.NewRequest("GET", "/apps/3/connections", nil)
	if w := f.do(t, unsigned); w.Code != 401 {
		t.Errorf("GET connections without a signature = %d, want 401", w.Code)
	}
}

func TestChecklistChannel(t *testing.T) {
	occupyCounting := func(f *fixture) {
		occupy(f)
		f.app.SubscriptionCount = true
	}
	const (
		desk   = "/apps/3/channels/presence-desk"
		ticker = "/apps/3/channels/ticker"
		off    = "Cannot retrieve the subscription count because subscription counting is not enabled"
	)
	runStatements(t, []statement{
		{name: "71 nothing occupied", call: get("/apps/3/channels"), status: 200, body: `{"channels":{}}`},
		{name: "75 never seen", call: get("/apps/3/channels/x"), given: occupy, status: 200, body: `{"occupied":false}`},
		{name: "75 never seen, counts", call: get("/apps/3/channels/presence-x", "info=user_count,subscription_count"), given: occupyCounting,
			status: 200, body: `{"occupied":false,"user_count":0,"subscription_count":0}`},
		{name: "76 empty info", call: get(ticker, "info="), given: occupyCounting, status: 200, body: `{"occupied":true}`},
		{name: "77 user_count of a public channel", call: get(ticker, "info=user_count"), given: occupy, status: 400,
			body: "Cannot retrieve the user count unless the channel is a presence channel"},
		{name: "77 user_count", call: get(desk, "info=user_count"), given: occupy, status: 200, body: `{"occupied":true,"user_count":3}`},
		{name: "78 counting is off", call: get(ticker, "info=subscription_count"), given: occupy, status: 400, body: off},
		{name: "78 counting is off, old name", call: get(ticker, "info=connection_count"), given: occupy, status: 400, body: off},
		{name: "78 counting is on", call: get(ticker, "info=subscription_count"), given: occupyCounting, status: 200,
			body: `{"occupied":true,"subscription_count":18}`},
		{name: "78 old name", call: get(ticker, "info=connection_count"), given: occupyCounting, status: 200,
			body: `{"occupied":true,"connection_count":18}`},
		{name: "78 array of attributes", call: get(desk, "info[]=subscription_count", "info[]=user_count"), given: occupyCounting, status: 200,
			body: `{"occupied":true,"user_count":3,"subscription_count":5}`},
		{name: "78 said twice", call: get(desk, "info=subscription_count", "info=user_count"), given: occupyCounting, status: 200,
			body: `{"occupied":true,"user_count":3,"subscription_count":5}`},
		{name: "78 on a presence channel", call: get(desk, "info=subscription_count, user_count"), given: occupyCounting, status: 200,
			body: `{"occupied":true,"user_count":3,"subscription_count":5}`},
		{name: "79 cached", call: get("/apps/3/channels/cache-x", "info=cache"), given: occupy, status: 200,
			body: `{"occupied":false,"cache":{"data":"{\"usd\":12}\u00e9","ttl":1740}}`},
		{name: "79 nothing cached", call: get("/apps/3/channels/private-encrypted-cache-y", "info=cache"), given: occupy, status: 200,
			body: `{"occupied":false,"cache":null}`},
		{name: "80 unknown attribute", call: get(ticker, "info=nonsense"), given: occupy, status: 400, body: "Unknown info attribute: nonsense"},
		{name: "80 cache of another channel", call: get(ticker, "info=cache"), given: occupy, status: 400,
			body: "Cannot retrieve the cache unless the channel is a cache channel"},
		{name: "invalid name", call: get("/apps/3/channels/a%20b"), status: 400, body: "Invalid channel name: a b"},
		{name: "escaped slash", call: get("/apps/3/channels/a%2Fusers"), status: 400, body: "Invalid channel name: a/users"},
		{name: "user", call: get("/apps/3/channels/%23server-to-user-12"), given: occupy, status: 400, body: badName, starts: true},
		{name: "not UTF-8", call: get("/apps/3/channels/%ff"), status: 400, body: "Invalid UTF-8"},
	})
}

func TestHead(t *testing.T) {
	f := newFixture()
	occupy(f)
	q := get("/apps/3/channels/ticker")
	q.method = http.MethodHead
	w := f.do(t, q.build())
	if got, want := w.Header().Get("Content-Length"), "17"; w.Code != 200 || got != want || w.Body.Len() != 0 {
		t.Errorf("HEAD = %d, Content-Length %q, body %q, want 200, %q and no body", w.Code, got, w.Body, want)
	}
}

// TestAnswersDoNotMix makes calls of different kinds on one handler, whose
// buffers are used again.
func TestAnswersDoNotMix(t *testing.T) {
	f := newFixture()
	occupy(f)
	calls := []struct {
		call request
		want string
	}{
		{get("/apps/3/channels/ticker"), `{"occupied":true}`},
		{get("/apps/3/channels/presence-desk/users"), `{"users":[{"id":"1"},{"id":"zoë"},{"id":"a\"b"}]}`},
		{event(`{"name":"n","data":"d","channels":["c","presence-desk"],"info":"user_count"}`), `{"channels":{"c":{},"presence-desk":{"user_count":3}}}`},
		{event(`{"name":"n","data":"d","channel":"x"}`), `{}`},
		{batch(`{"name":"n","data":"d","channel":"x","info":"user_count"}`), `{"batch":[{}]}`},
		{batch(`{"name":"n","data":"d","channel":"x"}`, `{"name":"n","data":"d","channel":"x"}`), `{}`},
		{event(`{"name":"n","data":"d"}`), noChannels + "\n"},
		{post("/apps/3/events", ""), nameNoText + "\n"},
	}
	for range 3 {
		for _, c := range slices.Backward(calls) {
			if got := f.do(t, c.call.build()).Body.String(); got != c.want {
				t.Errorf("%s %q = %q, want %q", c.call.path, c.call.body, got, c.want)
			}
		}
	}
}
