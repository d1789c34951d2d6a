package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/belfryhq/belfry/internal/access"
	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/appstore"
	"github.com/belfryhq/belfry/internal/cluster/roster/local"
	"github.com/belfryhq/belfry/internal/engine"
	"github.com/belfryhq/belfry/internal/tokenstore"
	"github.com/belfryhq/belfry/internal/usage"
	"github.com/belfryhq/belfry/internal/webhook"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testToken = "0123456789abcdef"

// A fixture is an API over a real engine. Every answer is held against
// openapi.yaml, and so is every request that is answered as a success.
type fixture struct {
	t        testing.TB
	handler  http.Handler
	registry *apps.Registry
	engine   *engine.Engine
	routes   routers.Router
	log      *lockedLog
	tokens   *tokenstore.Store
	api      Routes

	mu   sync.Mutex
	used map[string]usage.Sample // what is told when usage is asked for next

	cluster  fakeCluster
	snippets Snippets
}

type lockedLog struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lockedLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func newFixture(t testing.TB, configured ...*apps.App) *fixture {
	t.Helper()
	f := &fixture{t: t, log: &lockedLog{}}
	log := slog.New(slog.NewTextHandler(f.log, nil))
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var err error
	f.registry, err = apps.NewRegistry(nil)
	must(err)
	f.engine, err = engine.Open(t.Context(), engine.Config{})
	must(err)
	t.Cleanup(func() { f.engine.Close(context.Background()) })
	bucket, err := f.engine.KeyValue(t.Context(), appstore.Bucket)
	must(err)
	store, err := appstore.Open(t.Context(), appstore.Config{Bucket: bucket, Registry: f.registry, Configured: configured, Log: log})
	must(err)
	t.Cleanup(store.Close)
	recorder, err := usage.Open(t.Context(), usage.Config{JetStream: f.engine.JetStream(), Storage: f.engine.Storage(), Take: f.take})
	must(err)
	t.Cleanup(func() { recorder.Close(context.Background()) })
	f.tokens = tokenstore.Open(tokenstore.Config{
		Bucket: func(ctx context.Context) (jetstream.KeyValue, error) {
			return f.engine.KeyValue(ctx, tokenstore.Bucket)
		},
		Log: log,
	})
	t.Cleanup(f.tokens.Close)
	f.cluster.status = threeNodes()
	c := f.cluster.config()
	c.Access = access.New(access.Config{Token: testToken, Insecure: true, Tokens: f.tokens})
	c.API, c.Log = AppRoutes(store, recorder, f.tokens, nil, func(app *apps.App, at *url.URL) []Snippet { return f.snippets(app, at) }), log
	sender, err := webhook.New(t.Context(), webhook.Config{Apps: f.registry, Engine: f.engine, Roster: local.New(local.Config{}), Log: log})
	must(err)
	t.Cleanup(func() { sender.Stop(context.Background()) })
	maps.Copy(c.API, WebhookRoutes(sender))
	maps.Copy(c.API, PushRoutes(func() PushDelivery { return nil }))
	maps.Copy(c.API, TokenRoutes(f.tokens, func(app string) bool { return f.registry.ByID(app) != nil }))
	c.Parts = map[string]http.Handler{
		"/api/v1/part": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.URL.Path) }),
	}
	f.api, f.handler = c.API, New(c)
	doc, err := openapi3.NewLoader().LoadFromData(OpenAPI)
	must(err)
	must(doc.Validate(t.Context()))
	f.routes, err = legacy.NewRouter(doc)
	must(err)
	return f
}

func (f *fixture) take(each func(string, usage.Sample)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for app, s := range f.used {
		each(app, s)
	}
	f.used = nil
}

// An answer is what the API said.
type answer struct {
	status int
	header http.Header
	text   string
}

// member returns a member of the JSON object, "a.b" for one inside.
func (a answer) member(name string) any {
	var v any
	if err := json.Unmarshal([]byte(a.text), &v); err != nil {
		return err
	}
	for part := range strings.SplitSeq(name, ".") {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[part]
	}
	return v
}

// call sends a request and checks its answer.
func (f *fixture) call(method, path, body string, header ...string) answer {
	f.t.Helper()
	r := httptest.NewRequest(method, "http://127.0.0.1:6002"+path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+testToken)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	described := r.Clone(context.Background())
	described.Body = io.NopCloser(strings.NewReader(body))
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, r)
	f.check(described, w)
	return answer{w.Code, w.Header(), w.Body.String()}
}

// check holds a request and its answer against openapi.yaml.
func (f *fixture) check(r *http.Request, w *httptest.ResponseRecorder) {
	f.t.Helper()
	route, params, err := f.routes.FindRoute(r)
	if err != nil || strings.HasSuffix(r.URL.Path, "/") { // which the router takes for the path without
		if w.Code != http.StatusNotFound && w.Code != http.StatusMethodNotAllowed && w.Code != http.StatusUnauthorized {
			f.t.Errorf("%s %s is answered with %d and not described: %v", r.Method, r.URL.Path, w.Code, err)
		}
		return
	}
	input := &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route, Options: &openapi3filter.Options{
		AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true,
	}}
	if w.Code < 300 {
		if err := openapi3filter.ValidateRequest(context.Background(), input); err != nil {
			f.t.Errorf("%s %s succeeds and is not as described: %v", r.Method, r.URL.Path, err)
		}
	}
	err = openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: w.Code, Header: w.Header(), Body: io.NopCloser(bytes.NewReader(w.Body.Bytes())),
		Options: input.Options,
	})
	if err != nil {
		f.t.Errorf("the answer to %s %s is not as described: %v\n%s", r.Method, r.URL.Path, err, w.Body)
	}
}

// expect compares the status of an answer, and what is in it.
func (f *fixture) expect(a answer, status int, want ...string) answer {
	f.t.Helper()
	if a.status != status {
		f.t.Errorf("status %d, want %d: %s", a.status, status, a.text)
	}
	for _, part := range want {
		if !strings.Contains(a.text, part) {
			f.t.Errorf("the answer lacks %s:\n%s", part, a.text)
		}
	}
	return a
}

func configured(id, key string) *apps.App {
	a := apps.New()
	a.ID, a.Keys = id, []apps.Key{{Key: key, Secret: "hunter2"}}
	return a
}

func TestLifeOfAnApp(t *testing.T) {
	f := newFixture(t)
	made := f.expect(f.call("POST", "/api/v1/apps", `{"name":"shop","limits":{"connections":5}}`), 201, `"name":"shop"`, `"connections":5`, `"source":"store"`)
	id, _ := made.member("id").(string)
	pair, _ := made.member("keys").([]any)[0].(map[string]any)
	app := f.registry.ByID(id)
	if app == nil || app.Keys[0].Key != pair["key"] || app.Keys[0].Secret != pair["secret"] || app.Limits.Connections != 5 {
		t.Fatalf("the registry has %+v, want what was answered: %s", app, made.text)
	}
	path := "/api/v1/apps/" + id
	if got := made.header.Get("Location"); got != path {
		t.Errorf("Location = %q, want %q", got, path)
	}
	shown := f.expect(f.call("GET", path, ""), 200, `"client_events":false`)
	if shown.header.Get("ETag") != made.header.Get("ETag") || made.header.Get("ETag") == "" {
		t.Errorf("ETag = %q after %q", shown.header.Get("ETag"), made.header.Get("ETag"))
	}
	f.expect(f.call("PATCH", path, `{"client_events":true,"limits":{"connections":null}}`, "Content-Type", "application/merge-patch+json"), 200, `"client_events":true`, `"connections":0`, `"name":"shop"`)
	f.expect(f.call("PATCH", path, `{"disabled":true}`), 200, `"disabled":true`)
	if app := f.registry.ByID(id); !app.Disabled || !app.ClientEvents {
		t.Errorf("the registry has %+v, want what was changed", app)
	}
	f.expect(f.call("DELETE", path, ""), 204)
	f.expect(f.call("GET", path, ""), 404)
	if f.registry.Len() != 0 {
		t.Error("the registry still has the app")
	}
	expectNoSecrets(t, f, pair["secret"].(string), shown.text)
}

// expectNoSecrets looks for a secret where none may be.
func expectNoSecrets(t *testing.T, f *fixture, secret string, answers ...string) {
	t.Helper()
	for _, text := range append(answers, f.log.String()) {
		if strings.Contains(text, secret) {
			t.Errorf("a secret is told again:\n%s", text)
		}
	}
}

func TestRotationWithOverlap(t *testing.T) {
	f := newFixture(t)
	f.expect(f.call("POST", "/api/v1/apps", `{"id":"1","keys":[{"key":"old","secret":"hunter2-old"}]}`), 201, `"secret":"hunter2-old"`)
	first := f.expect(f.call("POST", "/api/v1/apps/1/keys", ""), 201)
	f.expect(f.call("POST", "/api/v1/apps/1/keys", `{"key":"mine","secret":"hunter2-mine"}`), 201, `"secret":"hunter2-mine"`)
	key := first.member("key").(string)
	for _, k := range []string{"old", key, "mine"} {
		if app := f.registry.ByKey(k); app == nil || app.ID != "1" {
			t.Errorf("key %s is not that of the app", k)
		}
	}
	shown := f.expect(f.call("GET", "/api/v1/apps/1", ""), 200, key, "mine")
	expectNoSecrets(t, f, "hunter2", shown.text)
	expectNoSecrets(t, f, first.member("secret").(string), shown.text)

	f.expect(f.call("DELETE", "/api/v1/apps/1/keys/old", ""), 204)
	f.expect(f.call("DELETE", "/api/v1/apps/1/keys/old", ""), 404)
	f.expect(f.call("DELETE", "/api/v1/apps/1/keys/mine", ""), 204)
	f.expect(f.call("DELETE", "/api/v1/apps/1/keys/"+key, ""), 409, "last key")
	if f.registry.ByKey("old") != nil || f.registry.ByKey(key) == nil {
		t.Error("the wrong keys are valid")
	}
	for range 9 {
		f.expect(f.call("POST", "/api/v1/apps/1/keys", ""), 201)
	}
	f.expect(f.call("POST", "/api/v1/apps/1/keys", ""), 409, "has 10 pairs")
}

func TestTwoOperators(t *testing.T) {
	f := newFixture(t)
	first := f.call("POST", "/api/v1/apps", `{"id":"1"}`).header.Get("ETag")
	second := f.expect(f.call("PATCH", "/api/v1/apps/1", `{"name":"a"}`, "If-Match", first), 200).header.Get("ETag")
	for name, a := range map[string]answer{
		"update": f.call("PATCH", "/api/v1/apps/1", `{"name":"b"}`, "If-Match", first),
		"delete": f.call("DELETE", "/api/v1/apps/1", "", "If-Match", first),
		"key":    f.call("POST", "/api/v1/apps/1/keys", "", "If-Match", first),
		"revoke": f.call("DELETE", "/api/v1/apps/1/keys/x", "", "If-Match", first),
		"weak":   f.call("DELETE", "/api/v1/apps/1", "", "If-Match", "W/"+second),
		"odd":    f.call("DELETE", "/api/v1/apps/1", "", "If-Match", "x"),
	} {
		if a.status != 412 {
			t.Errorf("%s of another revision = %d %s, want 412", name, a.status, a.text)
		}
	}
	f.expect(f.call("PATCH", "/api/v1/apps/1", `{"name":"c"}`, "If-Match", "*"), 200)
	f.expect(f.call("PATCH", "/api/v1/apps/1", `{"name":"d"}`), 200)
}

func TestConfiguredAppsAreReadOnly(t *testing.T) {
	f := newFixture(t, configured("file", "kf"))
	shown := f.expect(f.call("GET", "/api/v1/apps/file", ""), 200, `"source":"configuration"`, `"keys":[{"key":"kf"}]`)
	if shown.header.Get("ETag") != "" || strings.Contains(shown.text, "revision") {
		t.Errorf("a configured app has a revision: %s", shown.text)
	}
	for _, a := range []answer{
		f.call("PATCH", "/api/v1/apps/file", `{"name":"x"}`), f.call("DELETE", "/api/v1/apps/file", ""),
		f.call("POST", "/api/v1/apps/file/keys", ""), f.call("DELETE", "/api/v1/apps/file/keys/kf", ""),
	} {
		f.expect(a, 409, "stands in the configuration")
	}
	f.expect(f.call("POST", "/api/v1/apps", `{"id":"file"}`), 409, "There is an app with that id.")
	f.expect(f.call("POST", "/api/v1/apps", `{"keys":[{"key":"kf","secret":"s"}]}`), 409, "Another app has that key.")
	expectNoSecrets(t, f, "hunter2", shown.text)
}

func TestPages(t *testing.T) {
	f := newFixture(t, configured("c", "kc"))
	for _, id := range []string{"e", "a", "b", "d"} {
		f.expect(f.call("POST", "/api/v1/apps", `{"id":"`+id+`"}`), 201)
	}
	ids, after := "", ""
	for pages := 0; pages == 0 || after != ""; pages++ {
		a := f.expect(f.call("GET", "/api/v1/apps?limit=2&after="+after, ""), 200)
		for _, app := range a.member("apps").([]any) {
			ids += app.(map[string]any)["id"].(string)
		}
		after, _ = a.member("next").(string)
		ids += "|"
	}
	if ids != "ab|cd|e|" {
		t.Errorf("the pages are %s, want ab|cd|e|", ids)
	}
	f.expect(f.call("GET", "/api/v1/apps?limit=0", ""), 400)
	f.expect(f.call("GET", "/api/v1/apps?page=2", ""), 400)
}

func TestWebhooksKeepWhatWasHidden(t *testing.T) {
	f := newFixture(t)
	const hooks = `[{"url":"https://u:hunter2@a.test/?token=hunter2","headers":["Authorization: hunter2","X-Other: 1"]},` +
		`{"url":"https://u:hunter2@a.test/","id":"named","headers":["Authorization: hunter2"]}]`
	f.expect(f.call("POST", "/api/v1/apps", `{"id":"1","webhooks":`+hooks+`}`), 201, "Authorization: …")
	before := f.registry.ByID("1").Webhooks
	shown := f.call("GET", "/api/v1/apps/1", "")
	webhooks, err := json.Marshal(shown.member("webhooks"))
	if err != nil {
		t.Fatal(err)
	}
	f.expect(f.call("PATCH", "/api/v1/apps/1", `{"name":"x","webhooks":`+strings.Replace(string(webhooks), "X-Other: …", "X-Other: 2", 1)+`}`), 200)
	before[0].Headers[1].Value = "2"
	if diff := cmp.Diff(before, f.registry.ByID("1").Webhooks); diff != "" {
		t.Errorf("the endpoints changed by coming back as they were told:\n%s", diff)
	}
	expectNoSecrets(t, f, "hunter2", shown.text)
}

func TestUsageIsTold(t *testing.T) {
	f := newFixture(t, configured("a", "ka"), configured("b", "kb"))
	f.used = map[string]usage.Sample{"a": {PeakConnections: 3, BackendEvents: 2, ClientEvents: 1, Deliveries: 6}, "gone": {BackendEvents: 9}}
	a := f.expect(f.call("GET", "/api/v1/apps/a/usage", ""), 200, `"total":{"peak_connections":3,"backend_events":2,"client_events":1,"deliveries":6,"requests":0}`)
	if hours, _ := a.member("hours").([]any); len(hours) != 1 {
		t.Errorf("hours: %s, want one", a.text)
	}
	f.expect(f.call("GET", "/api/v1/apps/b/usage", ""), 200, `"hours":[]`)
	f.expect(f.call("GET", "/api/v1/usage", ""), 200, `"id":"a","peak_connections":3`, `"id":"gone"`)
	f.expect(f.call("GET", "/api/v1/usage?limit=1", ""), 200, `"next":"a"`)
	f.expect(f.call("GET", "/api/v1/usage?after=a", ""), 200, `"apps":[{"id":"gone"`)
	past := "?from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00%2B01:00"
	f.expect(f.call("GET", "/api/v1/apps/a/usage"+past, ""), 200, `"hours":[]`, `"from":"2026-01-01T00:00:00Z"`)
	for _, query := range []string{"?from=yesterday", "?to=1", "?from=" + time.Now().AddDate(1, 0, 0).Format(time.RFC3339Nano[:19]+"Z"), "?since=1"} {
		f.expect(f.call("GET", "/api/v1/apps/a/usage"+query, ""), 400)
		f.expect(f.call("GET", "/api/v1/usage"+query, ""), 400)
	}
	f.expect(f.call("GET", "/api/v1/apps/c/usage", ""), 404)
}
