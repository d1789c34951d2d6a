package admin

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/belfryhq/belfry/internal/access"
	"github.com/belfryhq/belfry/internal/audit"
)

// An auditedSite is a fixture whose changes are written down.
type auditedSite struct {
	*fixture
	log *audit.Log
}

func (f *fixture) openAudit() *audit.Log {
	return audit.Open(audit.Config{
		Open:      func(ctx context.Context) (jetstream.Stream, error) { return f.engine.Stream(ctx, audit.Stream) },
		JetStream: f.engine.JetStream(), Node: "n1",
	})
}

func newAudited(t *testing.T, parts map[string]http.Handler) *auditedSite {
	f := newFixture(t)
	s := &auditedSite{f, f.openAudit()}
	if _, _, err := s.log.List(t.Context(), audit.Query{}, 1); err != nil { // or it ends before the engine has its stream
		t.Fatal(err)
	}
	c := f.cluster.config()
	c.Audit = s.log
	c.Access = access.New(access.Config{Token: testToken, Insecure: true, Tokens: f.tokens, Note: Attempted(s.log)})
	c.API, c.Parts = f.api, parts
	f.handler = New(c)
	return s
}

// written closes the log and returns what is in it, the oldest first.
func (s *auditedSite) written() []audit.Entry {
	s.t.Helper()
	// What is closed before the engine has opened the stream is in the log of the node alone.
	for tries := 10; ; tries-- {
		_, _, err := s.log.List(s.t.Context(), audit.Query{}, 1)
		if err == nil {
			break
		}
		if tries == 0 {
			s.t.Fatal(err)
		}
	}
	s.log.Close()
	again := s.openAudit()
	defer again.Close()
	list, _, err := again.List(s.t.Context(), audit.Query{}, 1000)
	if err != nil {
		s.t.Fatal(err)
	}
	slices.Reverse(list)
	return list
}

func TestChangesAreWrittenDown(t *testing.T) {
	s := newAudited(t, nil)
	s.expect(s.call("POST", "/api/v1/apps", `{"id":"1","name":"shop","webhooks":[{"url":"https://a.test/hunter2"}],"keys":[{"key":"k","secret":"hunter2"}]}`), 201)
	s.expect(s.call("PATCH", "/api/v1/apps/1", `{"limits":{"connections":5}}`), 200)
	s.expect(s.call("PATCH", "/api/v1/apps/2", `{"name":"x"}`), 404)
	key, _ := s.call("POST", "/api/v1/apps/1/keys", "").member("key").(string)
	made := s.expect(s.call("POST", "/api/v1/tokens", `{"name":"ada","role":"developer","apps":["1"]}`), 201)
	secret, _ := made.member("token").(string)
	as := []string{"Authorization", "Bearer " + secret}
	s.expect(s.call("GET", "/api/v1/apps", "", as...), 200)                                // says nothing
	s.expect(s.call("GET", "/api/v1/webhooks/dead-letters?app=1", "", as...), 200)         // is said
	s.expect(s.call("GET", "/api/v1/webhooks/dead-letters?app=1&limit=1", "", as...), 200) // once
	s.expect(s.call("DELETE", "/api/v1/apps/1", "", as...), 403)
	s.expect(s.call("GET", "/api/v1/cluster", "", as...), 403) // says nothing: it would have changed nothing
	began := s.expect(s.call("POST", "/api/v1/session", `{"token":"`+secret+`"}`, "Authorization", ""), 201)
	cookie, _, _ := strings.Cut(began.header.Get("Set-Cookie"), ";")
	s.expect(s.call("DELETE", "/api/v1/session", "", "Authorization", "", "Cookie", cookie), 204)
	s.expect(s.call("POST", "/api/v1/session", `{"token":"hunter2"}`, "Authorization", ""), 401)
	s.expect(s.call("GET", "/api/v1/apps", "", "Authorization", "Bearer hunter2"), 401)
	s.expect(s.call("POST", "/api/v1/cluster/remove", `{"name":"n9"}`), 404)
	want := []string{
		`operator POST /api/v1/apps 1  id: "" → "1"; name: "" → "shop"; webhooks: to [a.test] 201`,
		`operator PATCH /api/v1/apps/{id} 1  limits.connections: 0 → 5 200`,
		`operator PATCH /api/v1/apps/{id} 2   404`,
		`operator POST /api/v1/apps/{id}/keys 1 ` + key + `  201`,
		`operator POST /api/v1/tokens  ada developer for 1 201`,
		`ada payloads seen 1   200`,
		`ada DELETE /api/v1/apps/{id} 1   403`,
		`ada login    200`,
		`ada logout    200`,
		` login    401`,
		` wrong token    401`,
		`operator POST /api/v1/cluster/remove  n9  404`,
	}
	var got []string
	for _, e := range s.written() {
		if e.Address != "192.0.2.1" || e.Node != "n1" || e.At.IsZero() {
			t.Errorf("%+v: want address, node and time", e)
		}
		got = append(got, strings.Join([]string{e.Who, e.Action, e.App, e.Target, e.Detail, http.StatusText(e.Status)}, " "))
	}
	for i, line := range want {
		status := line[strings.LastIndex(line, " ")+1:]
		want[i] = strings.TrimSuffix(line, status) + http.StatusText(map[string]int{"200": 200, "201": 201, "401": 401, "403": 403, "404": 404}[status])
	}
	if !slices.Equal(got, want) {
		t.Errorf("written down:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if text := strings.Join(got, "\n"); strings.Contains(text, "hunter2") || strings.Contains(text, secret) {
		t.Errorf("a secret is written down:\n%s", text)
	}
}

// TestEveryChangeIsWrittenDown that openapi.yaml describes.
func TestEveryChangeIsWrittenDown(t *testing.T) {
	parts := map[string]http.Handler{}
	var want []string
	s := newAudited(t, parts)
	own := []string{"/api/v1/cluster/remove", "/api/v1/drain"}
	for _, call := range calls(t) {
		_, path, _ := strings.Cut(call, " ")
		if strings.HasPrefix(path, access.Path) || strings.HasPrefix(call, "GET ") {
			continue
		}
		if _, ok := s.api[path]; !ok && !slices.Contains(own, path) {
			parts[path] = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
		}
		want = append(want, call)
	}
	c := s.cluster.config()
	c.Audit, c.API, c.Parts = s.log, s.api, parts
	h := New(c)
	s.handler = h
	for _, call := range want {
		method, path, _ := strings.Cut(call, " ")
		get(authorized(h), method, strings.NewReplacer("{", "", "}", "").Replace(path))
	}
	var got []string
	for _, e := range s.written() {
		got = append(got, e.Action)
	}
	if !slices.Equal(got, want) {
		t.Errorf("written down: %q, want %q", got, want)
	}
}

// authorized adds the token to requests.
func authorized(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Header.Set("Authorization", "Bearer "+testToken)
		h.ServeHTTP(w, r)
	})
}

func TestAuditIsTold(t *testing.T) {
	s := newAudited(t, nil)
	for _, name := range []string{"a", "b", "c"} {
		s.expect(s.call("POST", "/api/v1/apps", `{"id":"`+name+`"}`), 201)
	}
	s.written()
	log := s.openAudit()
	defer log.Close()
	c := s.cluster.config()
	c.Audit = log
	s.handler = New(c)
	first := s.expect(s.call("GET", "/api/v1/audit?limit=2", ""), 200, `"app":"c"`, `"app":"b"`)
	next, _ := first.member("next").(string)
	second := s.expect(s.call("GET", "/api/v1/audit?limit=2&after="+next, ""), 200, `"app":"a"`)
	if second.member("next") != nil || strings.Contains(second.text, `"app":"b"`) {
		t.Errorf("the second page is %s", second.text)
	}
	s.expect(s.call("GET", "/api/v1/audit?app=b&who=operator", ""), 200, `"app":"b"`)
	s.expect(s.call("GET", "/api/v1/audit?who=ada", ""), 200, `"entries":[]`)
	s.expect(s.call("GET", "/api/v1/audit?after=x", ""), 400)
	s.expect(s.call("GET", "/api/v1/audit?from=x", ""), 400)
}
