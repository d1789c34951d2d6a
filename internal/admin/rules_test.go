package admin

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/belfryhq/belfry/internal/access"
)

// calls are those that openapi.yaml describes, as METHOD path.
func calls(t *testing.T) (list []string) {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(OpenAPI)
	if err != nil {
		t.Fatal(err)
	}
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			list = append(list, method+" "+path)
		}
	}
	slices.Sort(list)
	return list
}

// free are calls for whoever asks: they are how somebody says who he is.
var free = []string{"GET /api/v1/session", "POST /api/v1/session", "DELETE /api/v1/session", "POST /api/v1/session/code"}

func TestEveryCallHasARule(t *testing.T) {
	all := calls(t)
	for _, call := range all {
		r, ok := rules[call]
		switch {
		case slices.Contains(free, call):
		case !ok:
			t.Errorf(`%q has no rule, so only operators may make it: put a line into the table of internal/admin/rules.go.
It says the least role (a viewer sees no payloads and no addresses, and changes nothing) and which apps the call is about.
If its answer has apps other than the one in its path, the handler leaves out those that access.From(r.Context()).Sees does not.`, call)
		case (r.about == appInPath) != strings.Contains(call, "{id}"):
			t.Errorf("%q: the rule is to be appInPath where the path has {id}, and nowhere else", call)
		case !slices.Contains(access.Roles, r.least):
			t.Errorf("%q is for %q, which is no role", call, r.least)
		case !r.least.AtLeast(access.Developer) && !strings.HasPrefix(call, "GET "):
			t.Errorf("%q changes something, which no viewer may", call)
		}
	}
	for call := range rules {
		if !slices.Contains(all, call) {
			t.Errorf("%q has a rule and is not in openapi.yaml", call)
		}
	}
}

// asked are named tokens for each role, for the app mine and for all.
type asked map[string]*access.Token

func (a asked) Find(secret string) (*access.Token, error) { return a[secret], nil }

func tokensOf(t *testing.T) asked {
	a := asked{}
	for _, role := range access.Roles {
		for _, app := range []string{"mine", access.AllApps} {
			if role != access.Operator || app == access.AllApps {
				a[access.TokenPrefix+string(role)+app] = &access.Token{Name: string(role), Role: role, Apps: []string{app}, Life: t.Context()}
			}
		}
	}
	return a
}

// TestRolesAreHeld makes every call in every role: about an app that the token is
// for, about another one, and about all. What is let through meets no handler of ours.
func TestRolesAreHeld(t *testing.T) {
	tokens := tokensOf(t)
	reached := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	c := Config{Access: access.New(access.Config{Token: testToken, Tokens: tokens}), Parts: map[string]http.Handler{"/api/v1/part": reached}}
	own := []string{"/api/v1/node", "/api/v1/audit", "/api/v1/cluster", "/api/v1/cluster/remove", "/api/v1/drain"} // of every node
	for _, call := range calls(t) {
		if _, path, _ := strings.Cut(call, " "); !strings.HasPrefix(path, access.Path) && !slices.Contains(own, path) {
			c.Parts[path] = reached
		}
	}
	h := New(c)
	status := func(method, path, secret string) int {
		r := httptest.NewRequest(method, path, nil)
		r.Header.Set("Authorization", "Bearer "+secret)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	for secret, token := range tokens {
		for _, app := range []string{"mine", "theirs"} {
			for call, rule := range rules {
				method, pattern, _ := strings.Cut(call, " ")
				got := status(method, strings.ReplaceAll(pattern, "{id}", app), secret)
				want := "let through"
				switch {
				case !token.Role.AtLeast(rule.least):
					want = "403"
				case rule.about == wholeService && token.Apps[0] != access.AllApps:
					want = "403"
				case rule.about == appInPath && token.Apps[0] == "mine" && app == "theirs":
					want = "404"
				}
				through := got == http.StatusTeapot || slices.Contains(own, pattern) && got != 403
				if ok := map[string]bool{"let through": through, "403": got == 403, "404": got == 404}[want]; !ok {
					t.Errorf("%s of a %s for %v about %s = %d, want it %s", call, token.Role, token.Apps, app, got, want)
				}
			}
		}
		for path, reachable := range map[string]bool{"/api/v1/part": true, "/api/v1/part/x": true, "/api/v2": false, "/api/v1/apps/mine/nothing": true, "/api/v1/apps/mine/": true} {
			if got, want := status("GET", path, secret), token.Role == access.Operator; (got == 403) == want || want && reachable != (got == http.StatusTeapot) {
				t.Errorf("GET %s, which has no rule, of a %s = %d", path, token.Role, got)
			}
		}
		if got := status("PUT", "/api/v1/apps", secret); (got == 403) != (token.Role != access.Operator) {
			t.Errorf("PUT, which has no rule, of a %s = %d", token.Role, got)
		}
	}
}

// TestWhatCanNotBeUndoneWantsAFreshLogin of a session; a token in the request is one.
func TestWhatCanNotBeUndoneWantsAFreshLogin(t *testing.T) {
	now := time.Unix(1e9, 0)
	reached := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	gate := access.New(access.Config{Token: testToken, Insecure: true, Now: func() time.Time { return now }})
	c := Config{Access: gate, Parts: map[string]http.Handler{}}
	known := calls(t)
	for call := range final {
		if !slices.Contains(known, call) {
			t.Errorf("%s is no call", call)
		}
	}
	for _, path := range []string{"/api/v1/apps/{id}", "/api/v1/apps/{id}/keys/{key}", "/api/v1/apps/{id}/connections/{socket}", "/api/v1/apps/{id}/users/{user}/terminate", "/api/v1/tokens/{name}"} {
		c.Parts[path] = reached
	}
	h := New(c)
	ask := func(method, path string, header ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "http://127.0.0.1"+path, strings.NewReader(`{"token":"`+testToken+`"}`))
		r.RemoteAddr = "127.0.0.1:1"
		r.Header.Set("Content-Type", "application/json")
		for i := 0; i+1 < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	login := func() (cookie string) {
		w := ask("POST", access.Path)
		cookie, _, _ = strings.Cut(w.Header().Get("Set-Cookie"), ";")
		if w.Code != http.StatusCreated || cookie == "" {
			t.Fatalf("login = %d %s", w.Code, w.Body)
		}
		return cookie
	}
	cookie := login()
	for _, tt := range []struct {
		after        time.Duration
		method, path string
		header       []string
		want         int
	}{
		{0, "DELETE", "/api/v1/apps/1", []string{"Cookie", cookie}, http.StatusTeapot},
		{14 * time.Minute, "DELETE", "/api/v1/tokens/ada", []string{"Cookie", cookie}, http.StatusTeapot},
		{time.Minute, "DELETE", "/api/v1/apps/1", []string{"Cookie", cookie}, http.StatusForbidden},
		{0, "POST", "/api/v1/apps/1/users/7/terminate", []string{"Cookie", cookie}, http.StatusForbidden},
		{0, "POST", "/api/v1/drain", []string{"Cookie", cookie}, http.StatusForbidden},
		{0, "PATCH", "/api/v1/apps/1", []string{"Cookie", cookie}, http.StatusTeapot},
		{0, "GET", "/api/v1/apps/1", []string{"Cookie", cookie}, http.StatusTeapot},
		{0, "DELETE", "/api/v1/apps/1", []string{"Authorization", "Bearer " + testToken}, http.StatusTeapot},
	} {
		now = now.Add(tt.after)
		if w := ask(tt.method, tt.path, tt.header...); w.Code != tt.want || w.Code == http.StatusForbidden && !strings.Contains(w.Body.String(), `"Log in again"`) {
			t.Errorf("%s %s = %d %s, want %d", tt.method, tt.path, w.Code, w.Body, tt.want)
		}
	}
	if w := ask("DELETE", "/api/v1/apps/1", "Cookie", login()); w.Code != http.StatusTeapot {
		t.Errorf("after another login DELETE = %d %s", w.Code, w.Body)
	}
}
