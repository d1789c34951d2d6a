package httpapi

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/history"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/protocol"
)

// The app of the published vectors.
const (
	testKey    = "278d425bdf160c739803"
	testSecret = "7ad3773142a6692b25b8"
	testTime   = 1353088179
)

// A triggered event is what a fakeHub was told.
type triggered struct {
	App      string
	Channels []string
	Name     string
	Data     string // JSON literal
	Except   string // "0.0" if nobody
}

// A fakeHub records what it is told and answers what it is given.
type fakeHub struct {
	triggers   []triggered // of Trigger and TriggerBatch alike
	terminated []string    // app, a slash, and the user
	channels   map[string]hub.ChannelState
	users      map[string][]string
	cached     map[string]hub.Cached
	receipt    hub.Receipt
	log        *history.Log // of all channels; nil: none is kept
	err        error        // answers triggers, which are not recorded then
	wait       bool         // triggers wait for the end of their context
}

func (h *fakeHub) Trigger(ctx context.Context, app *apps.App, channels []string, e hub.Event, except protocol.SocketID) (hub.Receipt, error) {
	if err := h.refuse(ctx); err != nil {
		return hub.Receipt{}, err
	}
	h.triggers = append(h.triggers, triggered{app.ID, slices.Clone(channels), e.Name, string(e.Data), except.String()})
	return h.receipt, nil
}

func (h *fakeHub) TriggerBatch(ctx context.Context, app *apps.App, events []hub.Targeted) (hub.Receipt, error) {
	if err := h.refuse(ctx); err != nil {
		return hub.Receipt{}, err
	}
	for _, e := range events {
		h.triggers = append(h.triggers, triggered{app.ID, []string{e.Channel}, e.Name, string(e.Data), e.Except.String()})
	}
	return h.receipt, nil
}

func (h *fakeHub) History(_ context.Context, _ *apps.App, channel string, q history.Query) (history.Page, history.Reason, error) {
	if h.log == nil {
		return history.Page{}, history.Complete, hub.ErrNoHistory
	}
	page, reason := h.log.Page(q, time.Unix(testTime, 0))
	return page, reason, h.err
}

func (h *fakeHub) ConnectionsHere(*apps.App) int { return 17 }

func (h *fakeHub) refuse(ctx context.Context) error {
	if h.wait {
		<-ctx.Done()
		return hub.ErrOverloaded
	}
	return h.err
}

func (h *fakeHub) Channel(_ *apps.App, name string) hub.ChannelState { return h.channels[name] }

func (h *fakeHub) Channels(_ *apps.App, prefix string, each func(string, hub.ChannelState)) {
	for name, s := range h.channels {
		if s.Occupied && strings.HasPrefix(name, prefix) {
			each(name, s)
		}
	}
}

func (h *fakeHub) Users(_ *apps.App, channel string) []string { return h.users[channel] }

func (h *fakeHub) Cached(_ *apps.App, channel string) (hub.Cached, bool) {
	c, ok := h.cached[channel]
	return c, ok
}

func (h *fakeHub) Terminate(app *apps.App, id string) {
	h.terminated = append(h.terminated, app.ID+"/"+id)
}

// testApp is the app of the vectors, with a second key.
func testApp() *apps.App {
	return &apps.App{
		ID:     "3",
		Keys:   []apps.Key{{Key: testKey, Secret: testSecret}, {Key: "second", Secret: "second secret"}},
		Limits: apps.DefaultLimits(),
	}
}

// A fixture is an API over a fake hub. What is changed before the first call
// counts.
type fixture struct {
	hub *fakeHub
	app *apps.App
	cfg Config

	handler http.Handler
}

// newFixture serves testApp and another app, at the time of the vectors.
func newFixture() *fixture {
	f := &fixture{hub: &fakeHub{}, app: testApp()}
	f.cfg = Config{Hub: f.hub, Now: func() time.Time { return time.Unix(testTime, 0) }}
	return f
}

// serving returns the handler, made on first use.
func (f *fixture) serving(t testing.TB) http.Handler {
	t.Helper()
	if f.handler != nil {
		return f.handler
	}
	other := &apps.App{ID: "4", Keys: []apps.Key{{Key: "other", Secret: "other secret"}}, Limits: apps.DefaultLimits()}
	registry, err := apps.NewRegistry([]*apps.App{f.app, other})
	if err != nil {
		t.Fatal(err)
	}
	f.cfg.Apps = registry
	h := New(f.cfg)
	f.handler = h
	if hastily != nil {
		f.handler = hastily(h)
	}
	return f.handler
}

// do answers a request and checks what holds for every answer.
func (f *fixture) do(t testing.TB, r *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	f.serving(t).ServeHTTP(w, r)
	checkForm(t, r.Method, w)
	return w
}

// checkForm checks type, length and shape of an answer.
func checkForm(t testing.TB, method string, w *httptest.ResponseRecorder) {
	t.Helper()
	body, h := w.Body.String(), w.Header()
	if w.Code == http.StatusNoContent {
		return
	}
	if got, want := h.Get("Content-Length"), strconv.Itoa(len(body)); got != want && method != http.MethodHead {
		t.Errorf("status %d: Content-Length = %q, want %q", w.Code, got, want)
	}
	switch {
	case method == http.MethodHead:
	case w.Code == http.StatusOK:
		if got := h.Get("Content-Type"); got != "application/json" || !strings.HasPrefix(body, "{") {
			t.Errorf("status 200 with Content-Type %q and body %q, want a JSON object", got, body)
		}
	case w.Code == http.StatusAccepted:
		if body != "" {
			t.Errorf("status 202 with body %q, want none", body)
		}
	default:
		if got, want := h.Get("Content-Type"), "text/plain; charset=utf-8"; got != want {
			t.Errorf("status %d: Content-Type = %q, want %q", w.Code, got, want)
		}
		if strings.Count(body, "\n") != 1 || !strings.HasSuffix(body, "\n") {
			t.Errorf("status %d: body = %q, want one line", w.Code, body)
		}
	}
}

// A request is a call that a library would make. Its signature is computed
// here, with nothing of what is tested.
type request struct {
	method, path string
	params       []string // "key=value", not escaped, in the order sent
	body         string

	set       map[string]string   // parameters of the signature that are otherwise
	leaveOut  []string            // or not there
	secret    string              // "" means testSecret
	signPath  string              // what is signed as the path; "" means path
	signature func(string) string // changes the signature
	header    http.Header
}

// get and post are requests as most are.
func get(path string, params ...string) request {
	return request{method: http.MethodGet, path: path, params: params}
}

func post(path, body string, params ...string) request {
	return request{method: http.MethodPost, path: path, params: params, body: body}
}

// event is a call of E1.
func event(body string) request { return post("/apps/3/events", body) }

// pairs returns the parameters that are signed, not escaped.
func (q request) pairs() []string {
	values := map[string]string{
		"auth_key":       testKey,
		"auth_timestamp": strconv.Itoa(testTime),
		"auth_version":   "1.0",
	}
	if q.body != "" {
		sum := md5.Sum([]byte(q.body))
		values["body_md5"] = hex.EncodeToString(sum[:])
	}
	for key, value := range q.set {
		values[key] = value
	}
	for _, key := range q.leaveOut {
		delete(values, key)
	}
	pairs := slices.Clone(q.params)
	for key, value := range values { // in any order
		pairs = append(pairs, key+"="+value)
	}
	return pairs
}

// sign returns the signature over pairs.
func (q request) sign(pairs []string) string {
	base := func(pair string) string {
		key, _, _ := strings.Cut(pair, "=")
		return strings.TrimSuffix(key, "[]")
	}
	sorted := slices.Clone(pairs)
	for i, pair := range sorted {
		key, value, _ := strings.Cut(pair, "=")
		sorted[i] = strings.ToLower(key) + "=" + value
	}
	slices.SortStableFunc(sorted, func(a, b string) int { return strings.Compare(base(a), base(b)) })
	text := q.method + "\n" + cmp.Or(q.signPath, q.path) + "\n" + strings.Join(sorted, "&")
	mac := hmac.New(sha256.New, []byte(cmp.Or(q.secret, testSecret)))
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}

// target returns path and query as they go on the wire.
func (q request) target() string {
	pairs := q.pairs()
	signature := q.sign(pairs)
	if q.signature != nil {
		signature = q.signature(signature)
	}
	if !slices.Contains(q.leaveOut, "auth_signature") {
		pairs = append(pairs, "auth_signature="+signature)
	}
	for i, pair := range pairs {
		key, value, _ := strings.Cut(pair, "=")
		pairs[i] = url.QueryEscape(key) + "=" + url.QueryEscape(value)
	}
	return q.path + "?" + strings.Join(pairs, "&")
}

func (q request) build() *http.Request {
	r := httptest.NewRequest(q.method, q.target(), strings.NewReader(q.body))
	if q.body == "" {
		r.Body = http.NoBody
	}
	for key, values := range q.header {
		r.Header[key] = values
	}
	return r
}

// A statement is one of the conformance checklist's, or a part of one.
type statement struct {
	name   string // starts with the statement's number
	call   request
	given  func(*fixture) // changes before the call; may be nil
	status int
	body   string // all of it for 200, without its end of line otherwise; "" is not compared
	starts bool   // body is only its start
	heard  []triggered
}

// runStatements makes each call on a service of its own.
func runStatements(t *testing.T, list []statement) {
	t.Helper()
	for _, s := range list {
		t.Run(s.name, func(t *testing.T) {
			f := newFixture()
			if s.given != nil {
				s.given(f)
			}
			w := f.do(t, s.call.build())
			body := strings.TrimSuffix(w.Body.String(), "\n")
			if w.Code != s.status {
				t.Fatalf("status = %d with %q, want %d", w.Code, body, s.status)
			}
			if s.starts {
				body = body[:min(len(body), len(s.body))]
			}
			if s.body != "" && body != s.body {
				t.Errorf("body = %q, want %q", body, s.body)
			}
			if s.heard != nil || s.status >= 300 {
				checkHeard(t, f.hub, s.heard...)
			}
		})
	}
}

// checkHeard checks what the hub was told to deliver.
func checkHeard(t testing.TB, h *fakeHub, want ...triggered) {
	t.Helper()
	if !slices.EqualFunc(h.triggers, want, func(a, b triggered) bool {
		return a.App == b.App && a.Name == b.Name && a.Data == b.Data && a.Except == b.Except && slices.Equal(a.Channels, b.Channels)
	}) {
		t.Errorf("hub heard %q, want %q", h.triggers, want)
	}
}

// heard is one event that excludes nobody.
func heard(name, data string, channels ...string) triggered {
	return triggered{App: "3", Channels: channels, Name: name, Data: data, Except: "0.0"}
}
