package admin

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

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
