package admin

import (
	"context"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/belfryhq/belfry/internal/jsonhttp"
)

func TestTokenIsNeeded(t *testing.T) {
	f := newFixture(t)
	for _, path := range []string{"/api/v1/apps", "/api/v1/apps/1", "/api/v1/usage", "/api/v1/cluster", "/api/v1/cluster/remove", "/api/v1/drain", "/api/v1/part/x", "/api/v1/webhooks", "/api/v1/webhooks/test", "/api/", "/api/v2"} {
		for _, method := range []string{"GET", "POST", "DELETE"} {
			for _, given := range []string{"", "Bearer x", "Basic " + testToken} {
				a := f.call(method, path, "", "Authorization", given)
				if a.status != 401 || a.header.Get("WWW-Authenticate") == "" {
					t.Errorf("%s %s with %q = %d, want 401", method, path, given, a.status)
				}
			}
		}
	}
	for _, path := range []string{"/", "/healthz", "/readyz", "/metrics", "/openapi.yaml"} {
		w := httptest.NewRecorder()
		f.handler.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != 200 {
			t.Errorf("%s without a token = %d, want 200", path, w.Code)
		}
	}
	w := httptest.NewRecorder()
	New(Config{}).ServeHTTP(w, httptest.NewRequest("GET", "/api/v1/apps", nil))
	if w.Code != 404 {
		t.Errorf("the API without a token = %d, want 404", w.Code)
	}
}

func TestRefusals(t *testing.T) {
	f := newFixture(t)
	f.expect(f.call("POST", "/api/v1/apps", `{"id":"1","keys":[{"key":"k","secret":"s"}]}`), 201)
	huge := `{"name":"` + strings.Repeat("x", jsonhttp.MaxBody) + `"}`
	for name, tt := range map[string]struct {
		method, path, body string
		status             int
		want               string
	}{
		"no such app":         {"GET", "/api/v1/apps/2", "", 404, "There is no such app."},
		"update of none":      {"PATCH", "/api/v1/apps/2", `{"name":"x"}`, 404, "There is no such app."},
		"delete of none":      {"DELETE", "/api/v1/apps/a%2Fb", "", 404, "There is no such app."},
		"key for none":        {"POST", "/api/v1/apps/2/keys", "", 404, "There is no such app."},
		"id twice":            {"POST", "/api/v1/apps", `{"id":"1"}`, 409, "There is an app with that id."},
		"key twice":           {"POST", "/api/v1/apps", `{"keys":[{"key":"k","secret":"s"}]}`, 409, "Another app has that key."},
		"own key twice":       {"POST", "/api/v1/apps/1/keys", `{"key":"k","secret":"s"}`, 409, "The app has that key already."},
		"not an object":       {"POST", "/api/v1/apps", `[]`, 400, "The body is not a JSON object."},
		"not JSON":            {"POST", "/api/v1/apps", `{"name":hunter2}`, 400, "The body is not a JSON object."},
		"nothing to change":   {"PATCH", "/api/v1/apps/1", "", 400, "The body is not a JSON object."},
		"too large":           {"POST", "/api/v1/apps", huge, 413, "larger than"},
		"mistakes":            {"POST", "/api/v1/apps", `{"nam":"x","limits":{"connections":-1}}`, 422, `{"name":"nam","text":"unknown setting; did you mean name?"},{"name":"limits.connections","text":"-1 is below 0; 0 is no limit"}`},
		"mistakes in keys":    {"POST", "/api/v1/apps", `{"keys":[{"key":"a b","secret":""},{"key":"a","secret":"s"},{"key":"a","secret":"s"}]}`, 422, `keys[0].secret`},
		"keys are no list":    {"POST", "/api/v1/apps", `{"keys":"hunter2"}`, 422, "is not a list of pairs"},
		"too many keys":       {"POST", "/api/v1/apps", `{"keys":[` + strings.Repeat(`{"key":"k","secret":"s"},`, 10) + `{"key":"l","secret":"s"}]}`, 422, "has more than 10 pairs"},
		"keys in an update":   {"PATCH", "/api/v1/apps/1", `{"keys":[]}`, 422, `"name":"keys"`},
		"mistakes in changes": {"PATCH", "/api/v1/apps/1", `{"tls_only":1}`, 422, `"name":"tls_only"`},
		"another id":          {"PATCH", "/api/v1/apps/1", `{"id":"2"}`, 422, "can not be changed"},
		"bad pair":            {"POST", "/api/v1/apps/1/keys", `{"key":"hunter2 "}`, 422, `"name":"secret"`},
		"unknown in a pair":   {"POST", "/api/v1/apps/1/keys", `{"kee":"x"}`, 400, "is unknown"},
		"made up time":        {"POST", "/api/v1/apps/1/keys", `{"key":"x","secret":"s","created":"2026-01-01T00:00:00Z"}`, 422, `"name":"created"`},
		"unknown parameter":   {"DELETE", "/api/v1/apps/1?force=1", "", 400, "force"},
		"unknown path":        {"GET", "/api/v1/app", "", 404, "There is nothing at this path"},
		"slash at the end":    {"GET", "/api/v1/apps/", "", 404, "There is nothing at this path"},
		"method":              {"PUT", "/api/v1/apps/1", `{}`, 405, "DELETE, GET, PATCH"},
	} {
		a := f.call(tt.method, tt.path, tt.body)
		if a.status != tt.status || !strings.Contains(a.text, tt.want) || a.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s = %d %s, want %d and %s", name, a.status, a.text, tt.status, tt.want)
		}
		expectNoSecrets(t, f, "hunter2", a.text)
	}
	f.expect(f.call("POST", "/api/v1/apps", `{}`, "Content-Type", "text/plain"), 415)
	f.expect(f.call("PATCH", "/api/v1/apps/1", `{}`, "Content-Type", "text/plain"), 415)
	f.expect(f.call("POST", "/api/v1/apps/1/keys", `{}`, "Content-Type", "text/plain"), 415)
	if f.registry.Len() != 1 || len(f.registry.ByID("1").Keys) != 1 {
		t.Error("something that was refused was done")
	}
}

func TestEngineThatIsGone(t *testing.T) {
	f := newFixture(t)
	f.expect(f.call("POST", "/api/v1/apps", `{"id":"1"}`), 201)
	if err := f.engine.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, a := range []answer{
		f.call("POST", "/api/v1/apps", `{}`), f.call("PATCH", "/api/v1/apps/1", `{"name":"x"}`), f.call("DELETE", "/api/v1/apps/1", ""),
		f.call("POST", "/api/v1/apps/1/keys", ""), f.call("DELETE", "/api/v1/apps/1/keys/x", ""), f.call("GET", "/api/v1/apps/1/usage", ""), f.call("GET", "/api/v1/usage", ""),
	} {
		f.expect(a, 503, "The engine does not answer")
	}
	f.expect(f.call("GET", "/api/v1/apps/1", ""), 200) // what is known is told
}

// elsewhere are the paths below an app that other packages serve.
var elsewhere = regexp.MustCompile(`^/api/v1/(errors|now|apps/{id}/(now|key-uses|usage/minutes|live|explain|timeline|events|batch_events|diagnostics|channels|connections|users|errors|webhooks))\b`)

// Each operation of openapi.yaml exists, with the method and the path that it
// has there, and no path has others.
func TestEveryOperationExists(t *testing.T) {
	f := newFixture(t)
	doc, err := openapi3.NewLoader().LoadFromData(OpenAPI)
	if err != nil {
		t.Fatal(err)
	}
	for path, item := range doc.Paths.Map() {
		if elsewhere.MatchString(path) {
			continue // served by other packages
		}
		concrete := strings.NewReplacer("{id}", "none", "{key}", "none").Replace(path)
		var described []string
		for method := range item.Operations() {
			described = append(described, method)
			if a := f.call(method, concrete, ""); a.status == 405 || strings.Contains(a.text, "There is nothing at this path") {
				t.Errorf("%s %s is described and does not exist", method, path)
			}
		}
		slices.Sort(described)
		if got, want := f.call("TRACE", concrete, "").header.Get("Allow"), strings.Join(described, ", "); got != want {
			t.Errorf("%s can be asked %s, and %s is described", path, got, want)
		}
	}
}

func TestPartsAreBehindTheToken(t *testing.T) {
	f := newFixture(t)
	for _, path := range []string{"/api/v1/part", "/api/v1/part/x"} {
		r := httptest.NewRequest("GET", path, nil)
		r.Header.Set("Authorization", "Bearer "+testToken)
		w := httptest.NewRecorder()
		f.handler.ServeHTTP(w, r)
		if w.Code != 200 || w.Body.String() != path {
			t.Errorf("%s = %d %s", path, w.Code, w.Body)
		}
	}
}

func TestToken(t *testing.T) {
	dir := t.TempDir()
	token, made, err := Token(dir)
	if err != nil || !made || len(token) < 40 {
		t.Fatalf("Token = %d characters, %t, %v, want a long one that was made", len(token), made, err)
	}
	if again, made, err := Token(dir); err != nil || made || again != token {
		t.Errorf("second Token = %t, %v, want the same, not made", made, err)
	}
	if other, _, err := Token(t.TempDir()); err != nil || other == token {
		t.Errorf("two services have the same token (err %v)", err)
	}
}
