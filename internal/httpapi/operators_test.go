package httpapi

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/trace"
)

// operate asks what operators ask, about an app.
func (f *fixture) operate(t *testing.T, path, app, body string) *httptest.ResponseRecorder {
	t.Helper()
	f.serving(t)
	r := httptest.NewRequest(http.MethodPost, strings.Replace(path, "{id}", app, 1), strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.SetPathValue("id", app)
	w := httptest.NewRecorder()
	f.handler.(*Handler).Operators()[path].ServeHTTP(w, r)
	return w
}

// TestOperatorsTriggerAsBackendsDo: whatever a backend sends has the same effect, and
// whatever it is refused for is refused in the same words.
func TestOperatorsTriggerAsBackendsDo(t *testing.T) {
	large := strings.Repeat("x", 10<<10+1)
	for name, body := range map[string]string{
		"text":              `{"name":"e","channel":"news","data":"hi"}`,
		"JSON":              `{"name":"e","channels":["news","private-a"],"data":{"a": 1}}`,
		"excluded":          `{"name":"e","channel":"news","data":"x","socket_id":"1.2"}`,
		"user":              `{"name":"e","channel":"#server-to-user-7","data":"x"}`,
		"info":              `{"name":"e","channel":"presence-x","data":"x","info":"user_count"}`,
		"nothing":           ``,
		"no object":         `[]`,
		"no name":           `{"channel":"news","data":"x"}`,
		"reserved":          `{"name":"pusher:x","channel":"news","data":"x"}`,
		"no data":           `{"name":"e","channel":"news"}`,
		"no channel":        `{"name":"e","data":"x"}`,
		"bad channel":       `{"name":"e","channel":"a b","data":"x"}`,
		"encrypted and not": `{"name":"e","channels":["private-encrypted-a","b"],"data":"x"}`,
		"too large":         `{"name":"e","channel":"news","data":"` + large + `"}`,
		"too many":          `{"name":"e","channels":[` + strings.Repeat(`"a",`, 100) + `"b"],"data":"x"}`,
		"unknown info":      `{"name":"e","channel":"news","data":"x","info":"mood"}`,
	} {
		theirs, ours := newFixture(), newFixture()
		theirs.hub.channels = map[string]hub.ChannelState{"presence-x": {Users: 3}}
		ours.hub.channels = theirs.hub.channels
		want := theirs.do(t, event(body).build())
		got := ours.operate(t, OperatorsEvents, "3", body)
		if got.Code != want.Code {
			t.Errorf("%s: an operator gets %d %s, a backend %d %s", name, got.Code, got.Body, want.Code, want.Body)
		}
		if diff := cmp.Diff(theirs.hub.triggers, ours.hub.triggers); diff != "" {
			t.Errorf("%s: other events (-backend +operator):\n%s", name, diff)
		}
		var answer struct {
			Detail string
			Answer json.RawMessage
		}
		if err := json.Unmarshal(got.Body.Bytes(), &answer); err != nil {
			t.Fatalf("%s: %s: %v", name, got.Body, err)
		}
		text := answer.Detail + "\n"
		if want.Code == http.StatusOK {
			text = string(answer.Answer)
		}
		if text != want.Body.String() {
			t.Errorf("%s: an operator reads %q, a backend %q", name, text, want.Body)
		}
	}
}

func TestOperatorsAreToldWhoGetsIt(t *testing.T) {
	f := newFixture()
	f.hub.receipt = hub.Receipt{ID: trace.ID{Node: "N", Number: 41}, Events: 2, Here: 3, Elsewhere: 4}
	batch := `{"batch":[{"name":"e","channel":"a","data":"1"},{"name":"f","channel":"b","data":"2","socket_id":"1.2"}]}`
	got := f.operate(t, OperatorsBatch, "3", batch)
	if want := `{"event_ids":["N-41","N-42"],"here":3,"elsewhere":4,"answer":{}}` + "\n"; got.Code != http.StatusOK || got.Body.String() != want {
		t.Errorf("batch = %d %s, want %s", got.Code, got.Body, want)
	}
	if want := []triggered{{"3", []string{"a"}, "e", `"1"`, "0.0"}, {"3", []string{"b"}, "f", `"2"`, "1.2"}}; !cmp.Equal(f.hub.triggers, want) {
		t.Errorf("triggers = %v, want %v", f.hub.triggers, want)
	}
}

// TestOperatorsAreRefused where backends can not come to, or the app takes no more.
func TestOperatorsAreRefused(t *testing.T) {
	const body = `{"name":"e","channel":"news","data":"x"}`
	f := newFixture()
	if got := f.operate(t, OperatorsEvents, "none", body); got.Code != http.StatusNotFound {
		t.Errorf("an app that there is not = %d %s", got.Code, got.Body)
	}
	f.app.Limits.BackendEventsPerSecond = 1
	f.operate(t, OperatorsEvents, "3", body)
	got := f.operate(t, OperatorsEvents, "3", body)
	if wait, err := strconv.Atoi(got.Header().Get("Retry-After")); got.Code != http.StatusTooManyRequests || err != nil || wait < 1 {
		t.Errorf("beyond the rate of the app = %d %s, Retry-After %q", got.Code, got.Body, got.Header().Get("Retry-After"))
	}
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", "text/plain")
	r.SetPathValue("id", "3")
	w := httptest.NewRecorder()
	f.handler.(*Handler).Operators()[OperatorsEvents].ServeHTTP(w, r)
	if w.Code != http.StatusUnsupportedMediaType {
		t.Errorf("a form of a page elsewhere = %d %s", w.Code, w.Body)
	}
	f = newFixture()
	f.app.Disabled = true
	if got := f.operate(t, OperatorsEvents, "3", body); got.Code != http.StatusForbidden || !strings.Contains(got.Body.String(), "App disabled") {
		t.Errorf("a disabled app = %d %s", got.Code, got.Body)
	}
	f = newFixture()
	f.hub.err = hub.ErrOverloaded
	if got := f.operate(t, OperatorsEvents, "3", body); got.Code != http.StatusServiceUnavailable || got.Header().Get("Retry-After") == "" {
		t.Errorf("an overloaded node = %d %s", got.Code, got.Body)
	}
	f = newFixture()
	f.cfg.MaxBodySize = 10
	if got := f.operate(t, OperatorsEvents, "3", body); got.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("a large body = %d %s", got.Code, got.Body)
	}
}
