package httpapi

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/pusher/pusher-http-go/v5"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestChecklistTransport(t *testing.T) {
	t.Run("94 unknown paths", testUnknownPaths)
	t.Run("95 disabled app", testDisabledApp)
	t.Run("97 connection stays usable", testConnectionStaysUsable)
	t.Run("98 same over every version", testSameOverEveryVersion)
	t.Run("99 body size", testBodySize)
	t.Run("99 refused early", testBodyRefusedEarly)
}

func testUnknownPaths(t *testing.T) {
	f := newFixture()
	for _, method := range []string{"GET", "POST", "OPTIONS"} {
		for _, path := range []string{
			"/", "/apps", "/apps/", "/apps//events", "/apps/3", "/apps/3/", "/apps/3/event", "/apps/3/events/", "/apps/3/events/x",
			"/apps/3/channels/", "/apps/3/channels//users", "/apps/3/channels/a/", "/apps/3/channels/a/b", "/apps/3/channels/a/users/",
			"/apps/3/users", "/apps/3/users/1", "/apps/3/users/1/", "/apps/3/users//terminate_connections", "/users/1", "/users//terminate_connections",
			"/Apps/3/events", "/apps/3/%65vents", "/apps//3/events", "//Apps/3/events",
		} {
			r := httptest.NewRequest(method, "/", nil)
			r.RequestURI = path
			if w := f.do(t, r); w.Code != 404 || w.Body.String() != "404 NOT FOUND\n" {
				t.Errorf("%s %s = %d %q, want 404 NOT FOUND", method, path, w.Code, w.Body)
			}
		}
	}
}

func TestWrongMethod(t *testing.T) {
	f := newFixture()
	for path, allow := range map[string]string{
		"/apps/3/events":                        "POST",
		"/apps/3/batch_events":                  "POST",
		"/apps/3/channels":                      "GET, HEAD",
		"/apps/3/channels/a":                    "GET, HEAD",
		"/apps/3/channels/a/users":              "GET, HEAD",
		"/apps/3/channels/a/stats":              "GET, HEAD",
		"/apps/3/channels/a/events":             "GET, HEAD, POST",
		"/apps/3/users/1/terminate_connections": "POST",
		"/users/1/terminate_connections":        "POST",
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "post"} {
			if strings.Contains(allow, method) {
				continue
			}
			w := f.do(t, httptest.NewRequest(method, path, nil))
			if w.Code != 405 || w.Header().Get("Allow") != allow {
				t.Errorf("%s %s = %d, Allow %q, want 405 and %q", method, path, w.Code, w.Header().Get("Allow"), allow)
			}
		}
	}
}

func testDisabledApp(t *testing.T) {
	f := newFixture()
	f.app.Disabled = true
	for _, q := range []request{event(`{"name":"n","data":"d","channel":"c"}`), get("/apps/3/channels"), event(`nonsense`)} {
		if w := f.do(t, q.build()); w.Code != 403 || w.Body.String() != "App disabled\n" {
			t.Errorf("%s %s = %d %q, want 403 App disabled", q.method, q.path, w.Code, w.Body)
		}
	}
	checkHeard(t, f.hub)
}

func TestCORS(t *testing.T) {
	f := newFixture()
	if w := f.do(t, get("/apps/3/channels").build()); w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Error("CORS header without being asked for")
	}
	f = newFixture()
	f.cfg.CORS = true
	for _, r := range []*http.Request{
		httptest.NewRequest("OPTIONS", "/apps/3/events", nil),
		httptest.NewRequest("OPTIONS", "/apps/3/channels/news/events", nil),
		get("/apps/3/channels").build(),
		httptest.NewRequest("GET", "/apps/3/channels", nil),
	} {
		w := f.do(t, r)
		for key, want := range map[string]string{
			"Access-Control-Allow-Origin":   "*",
			"Access-Control-Allow-Methods":  "GET, POST, OPTIONS",
			"Access-Control-Allow-Headers":  "Content-Type, X-Pusher-Library, Authorization, X-Requested-With, Idempotency-Key, X-Idempotency-Key",
			"Access-Control-Expose-Headers": "Retry-After, Idempotent-Replayed, X-Belfry-Event-Id, X-Belfry-Receivers",
		} {
			if got := w.Header().Get(key); got != want {
				t.Errorf("%s: %s = %q, want %q", r.Method, key, got, want)
			}
		}
		if r.Method == "OPTIONS" && (w.Code != 204 || w.Body.Len() > 0) {
			t.Errorf("OPTIONS = %d %q, want 204", w.Code, w.Body)
		}
	}
}

// countingBody counts what is read of an endless body.
type countingBody struct{ n int }

func (b *countingBody) Read(p []byte) (int, error) {
	b.n += len(p)
	return copy(p, bytes.Repeat([]byte{' '}, len(p))), nil
}

func testBodySize(t *testing.T) {
	body := `{"name":"n","data":"d","channel":"c"}`
	f := newFixture()
	f.cfg.MaxBodySize = len(body)
	if w := f.do(t, event(body).build()); w.Code != 200 {
		t.Errorf("largest body: status = %d with %q, want 200", w.Code, w.Body)
	}
	chunked := event(body).build()
	chunked.ContentLength = -1
	if w := f.do(t, chunked); w.Code != 200 {
		t.Errorf("largest body in chunks: status = %d with %q, want 200", w.Code, w.Body)
	}

	const text = "The request body exceeds the allowed maximum (37 bytes)\n"
	long := event(body + " ").build()
	long.Body = brokenBody{t}
	if w := f.do(t, long); w.Code != 413 || w.Body.String() != text {
		t.Errorf("one byte more: answer = %d %q, want 413 %q", w.Code, w.Body, text)
	}
	chunked = event(body + " ").build()
	chunked.ContentLength = -1
	if w := f.do(t, chunked); w.Code != 413 || w.Body.String() != text {
		t.Errorf("one byte more in chunks: answer = %d %q, want 413 %q", w.Code, w.Body, text)
	}
	endless, counted := event(body).build(), &countingBody{}
	endless.ContentLength, endless.Body = -1, io.NopCloser(counted)
	if w := f.do(t, endless); w.Code != 413 || counted.n > 4096 {
		t.Errorf("endless body: status = %d after %d bytes, want 413 after a few", w.Code, counted.n)
	}
	checkHeard(t, f.hub, heard("n", `"d"`, "c"), heard("n", `"d"`, "c"))
}

func TestIncompleteBody(t *testing.T) {
	f := newFixture()
	body := `{"name":"n","data":"d","channel":"c"}`
	r := event(body).build()
	r.Body = io.NopCloser(strings.NewReader(body[:20]))
	if w := f.do(t, r); w.Code != 400 {
		t.Errorf("status = %d with %q, want 400", w.Code, w.Body)
	}
	r = event(body).build()
	r.ContentLength, r.Body = -1, io.NopCloser(io.MultiReader(strings.NewReader(body), iotest.ErrReader(io.ErrUnexpectedEOF)))
	if w := f.do(t, r); w.Code != 400 {
		t.Errorf("in chunks: status = %d with %q, want 400", w.Code, w.Body)
	}
	checkHeard(t, f.hub)
}

func TestTooManyParameters(t *testing.T) {
	f := newFixture()
	r := httptest.NewRequest("GET", "/apps/3/channels?"+strings.Repeat("a&", maxParams+1)+"auth_key="+testKey, nil)
	if w := f.do(t, r); w.Code != 400 {
		t.Errorf("status = %d with %q, want 400", w.Code, w.Body)
	}
}

// TestOfficialLibrary drives the API with the client that Pusher publishes.
func TestOfficialLibrary(t *testing.T) {
	f := newFixture()
	f.cfg.Now = nil // it signs with the time it is
	occupy(f)
	f.app.SubscriptionCount = true
	s := httptest.NewServer(f.serving(t))
	defer s.Close()
	client := pusher.Client{AppID: "3", Key: testKey, Secret: testSecret, Host: strings.TrimPrefix(s.URL, "http://"),
		HTTPClient: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}

	if err := client.TriggerMulti([]string{"a", "b"}, "n", map[string]string{"k": "v\"é"}); err != nil {
		t.Errorf("TriggerMulti: %v", err)
	}
	socket, userCount := "1.2", "user_count"
	got, err := client.TriggerWithParams("presence-desk", "n", "d", pusher.TriggerParams{SocketID: &socket, Info: &userCount})
	if err != nil || got.Channels["presence-desk"].UserCount == nil || *got.Channels["presence-desk"].UserCount != 3 {
		t.Errorf("TriggerWithParams = %+v, %v, want user_count 3", got, err)
	}
	batch, err := client.TriggerBatch([]pusher.Event{{Channel: "a", Name: "n", Data: "d"}, {Channel: "presence-desk", Name: "n", Data: "d", Info: &userCount}})
	if err != nil || len(batch.Batch) != 2 || *batch.Batch[1].UserCount != 3 {
		t.Errorf("TriggerBatch = %+v, %v, want user_count 3 at last", batch, err)
	}
	if err := client.SendToUser("7", "n", "d"); err != nil {
		t.Errorf("SendToUser: %v", err)
	}
	prefix := "presence-"
	list, err := client.Channels(pusher.ChannelsParams{FilterByPrefix: &prefix, Info: &userCount})
	if err != nil || len(list.Channels) != 2 || list.Channels["presence-desk"].UserCount != 3 {
		t.Errorf("Channels = %+v, %v, want two with user_count", list, err)
	}
	both := "user_count,subscription_count"
	channel, err := client.Channel("presence-desk", pusher.ChannelParams{Info: &both})
	if err != nil || !channel.Occupied || channel.UserCount != 3 || channel.SubscriptionCount != 5 {
		t.Errorf("Channel = %+v, %v, want 3 users and 5 subscriptions", channel, err)
	}
	users, err := client.GetChannelUsers("presence-desk")
	if err != nil || len(users.List) != 3 {
		t.Errorf("GetChannelUsers = %+v, %v, want three", users, err)
	}
	checkHeard(t, f.hub, heard("n", `"{\"k\":\"v\\\"é\"}"`, "a", "b"),
		triggered{App: "3", Channels: []string{"presence-desk"}, Name: "n", Data: `"d"`, Except: "1.2"},
		heard("n", `"d"`, "a"), heard("n", `"d"`, "presence-desk"), heard("n", `"d"`, "#server-to-user-7"))
	if err := client.Trigger("a b", "n", "d"); err == nil {
		t.Error("Trigger on an invalid channel succeeded")
	}
}

func TestMetrics(t *testing.T) {
	f := newFixture()
	registry := prometheus.NewRegistry()
	f.cfg.Registerer = registry
	f.do(t, event(`{"name":"n","data":"d","channels":["a","b"]}`).build())
	f.do(t, event(`{"name":"n","data":"d"}`).build())
	f.do(t, post("/apps/3/batch_events", `{"batch":[{"name":"n","data":"d","channel":"c"}]}`).build())
	f.do(t, post("/apps/3/channels/c/events", `d`, "name=n").build())
	f.do(t, get("/nothing").build())
	m := f.serving(t).(*Handler).metrics
	if got := count(t, m.events); got != 4 {
		t.Errorf("events = %v, want 4", got)
	}
	for _, c := range []struct {
		route, code string
	}{{"events", "200"}, {"events", "400"}, {"batch_events", "200"}, {"channel_events", "202"}, {"none", "404"}} {
		if got := count(t, m.requests.WithLabelValues(c.route, c.code)); got != 1 {
			t.Errorf("requests{%s,%s} = %v, want 1", c.route, c.code, got)
		}
	}
	if got := count(t, m.received); got != 117 {
		t.Errorf("received = %v bytes, want 117, those of the bodies", got)
	}
	if families, err := registry.Gather(); err != nil || len(families) != 5 {
		t.Errorf("Gather() = %d metrics, %v, want 5", len(families), err)
	}
}

// count returns the value of a counter.
func count(t *testing.T, c prometheus.Counter) float64 {
	t.Helper()
	var m dto.Metric
	if err := c.Write(&m); err != nil {
		t.Fatal(err)
	}
	return m.GetCounter().GetValue()
}

func TestLogHasNoSignatures(t *testing.T) {
	f := newFixture()
	var log bytes.Buffer
	f.cfg.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	q := event(`{"name":"n","data":"d","channel":"c"}`)
	q.header = http.Header{"X-Pusher-Library": {"pusher-http-ruby 2.1.0"}}
	f.do(t, q.build())
	f.hub.err = context.Canceled
	f.do(t, q.build())
	f.hub.err = io.ErrUnexpectedEOF
	f.do(t, q.build())
	text := log.String()
	for _, want := range []string{"app=3", "path=/apps/3/events", "status=200", "status=503", "status=500", "pusher-http-ruby 2.1.0", "unexpected EOF"} {
		if !strings.Contains(text, want) {
			t.Errorf("log has no %q: %s", want, text)
		}
	}
	if strings.Contains(text, q.sign(q.pairs())) || strings.Contains(text, testSecret) {
		t.Errorf("log gives away how to sign: %s", text)
	}
}
