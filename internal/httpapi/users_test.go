package httpapi

import (
	"slices"
	"strings"
	"testing"
)

func TestChecklistUsers(t *testing.T) {
	const path = "/apps/3/channels/presence-desk/users"
	only := "Users can only be retrieved for presence channels"
	md5 := get(path)
	md5.set = map[string]string{"body_md5": "d41d8cd98f00b204e9800998ecf8427e"}
	runStatements(t, []statement{
		{name: "81, 82 ids", call: get(path), given: occupy, status: 200, body: `{"users":[{"id":"1"},{"id":"zoë"},{"id":"a\"b"}]}`},
		{name: "83 empty", call: get("/apps/3/channels/presence-x/users"), given: occupy, status: 200, body: `{"users":[]}`},
		{name: "84 public", call: get("/apps/3/channels/ticker/users"), given: occupy, status: 400, body: only},
		{name: "84 private", call: get("/apps/3/channels/private-a/users"), given: occupy, status: 400, body: only},
		{name: "84 invalid", call: get("/apps/3/channels/presence-a%20b/users"), status: 400, body: "Invalid channel name: presence-a b"},
		{name: "85 extra", call: get(path, "info=user_count"), status: 400, body: "The following query string parameters are extraneous: info"},
		{name: "85 two extra", call: get(path, "info=", "Limit=1\n"), status: 400, body: "The following query string parameters are extraneous: info, limit"},
		{name: "85 line feed", call: get(path, "a\n=1"), status: 400, body: "The following query string parameters are extraneous: a\uFFFD"},
		{name: "85 body_md5", call: md5, status: 200},
	})
}

func TestChecklistTerminate(t *testing.T) {
	for _, s := range []struct {
		name string
		call request
		want []string
	}{
		{"86 user", post("/apps/3/users/12345/terminate_connections", `{}`), []string{"3/12345"}},
		{"89 empty body", post("/apps/3/users/12345/terminate_connections", ``), []string{"3/12345"}},
		{"89 string", post("/apps/3/users/12345/terminate_connections", `"{}"`), []string{"3/12345"}},
		{"89 anything", post("/apps/3/users/12345/terminate_connections", "\xff"), []string{"3/12345"}},
		{"90 escaped", post("/apps/3/users/a%40b%20%2Fc%C3%A9/terminate_connections", `{}`), []string{"3/a@b /cé"}},
		{"slashes", post("/apps/3/users/idp/u/1/terminate_connections", `{}`), []string{"3/idp/u/1"}},
		{"URL", post("/apps/3/users/https://idp.test/u/1/terminate_connections", `{}`), []string{"3/https://idp.test/u/1"}},
		{"slash at both ends", post("/apps/3/users//a//terminate_connections", `{}`), []string{"3//a/"}},
		{"named like the call", post("/apps/3/users/a/terminate_connections/terminate_connections", `{}`), []string{"3/a/terminate_connections"}},
		{"slashes without the app", post("/users/idp/u/1/terminate_connections", `{}`), []string{"3/idp/u/1"}},
		{"without the app", post("/users/12345/terminate_connections", `{}`), []string{"3/12345"}},
		{"longest", post("/apps/3/users/"+strings.Repeat("%C3%A9", 200)+"/terminate_connections", `{}`), []string{"3/" + strings.Repeat("é", 200)}},
	} {
		t.Run(s.name, func(t *testing.T) {
			f := newFixture()
			w := f.do(t, s.call.build())
			if w.Code != 200 || w.Body.String() != "{}" {
				t.Errorf("answer = %d %q, want 200 {}", w.Code, w.Body) // 88: the hub is not asked whether there is such a user
			}
			if !slices.Equal(f.hub.terminated, s.want) {
				t.Errorf("terminated %q, want %q", f.hub.terminated, s.want)
			}
		})
	}
}

func TestTerminateRefusals(t *testing.T) {
	other := post("/users/1/terminate_connections", `{}`)
	other.set, other.secret = map[string]string{"auth_key": "other"}, testSecret
	for _, s := range []struct {
		name   string
		call   request
		status int
		body   string
	}{
		{"extra parameter", post("/apps/3/users/1/terminate_connections", `{}`, "reason=x"), 400, "The following query string parameters are extraneous: reason"},
		{"too long", post("/apps/3/users/"+strings.Repeat("a", 201)+"/terminate_connections", `{}`), 400, "Invalid user id: " + strings.Repeat("a", 200)},
		{"control character", post("/apps/3/users/a%00/terminate_connections", `{}`), 400, "Invalid user id: a\uFFFD"},
		{"not UTF-8", post("/apps/3/users/%ff/terminate_connections", `{}`), 400, "Invalid UTF-8"},
		{"no user", post("/apps/3/users//terminate_connections", `{}`), 404, "404 NOT FOUND"},
		{"wrong secret without the app", other, 401, ""},
	} {
		t.Run(s.name, func(t *testing.T) {
			f := newFixture()
			w := f.do(t, s.call.build())
			if got := strings.TrimSuffix(w.Body.String(), "\n"); w.Code != s.status || s.body != "" && got != s.body {
				t.Errorf("answer = %d %q, want %d %q", w.Code, got, s.status, s.body)
			}
			if len(f.hub.terminated) > 0 {
				t.Errorf("terminated %q, want nobody", f.hub.terminated)
			}
		})
	}
}
