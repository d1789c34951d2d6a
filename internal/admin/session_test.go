package admin

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
)

// TestSessionsAreAsDescribed goes through a session; the fixture holds each
// answer against openapi.yaml.
func TestSessionsAreAsDescribed(t *testing.T) {
	f := newFixture(t)
	f.expect(f.call("GET", "/api/v1/session", ""), 200, `"via":"token"`, `"role":"operator"`)
	made := f.expect(f.call("POST", "/api/v1/session/code", ""), 201, `"until":`)
	code, _ := made.member("code").(string)
	began := f.expect(f.call("POST", "/api/v1/session", `{"code":"`+code+`"}`), 201, `"via":"code"`, `"idle_seconds":1800`)
	cookie, _, _ := strings.Cut(began.header.Get("Set-Cookie"), ";")
	as := func(cookie string) []string { return []string{"Authorization", "", "Cookie", cookie} }
	f.expect(f.call("GET", "/api/v1/apps", "", as(cookie)...), 200, `"apps":[]`)
	f.expect(f.call("POST", "/api/v1/session/code", "", as(cookie)...), 403)
	f.expect(f.call("POST", "/api/v1/session", `{"token":"x","code":"y"}`), 400)
	f.expect(f.call("POST", "/api/v1/session", `{"tokn":"x"}`), 400)
	f.expect(f.call("DELETE", "/api/v1/session", "", as(cookie)...), 204)
	f.expect(f.call("GET", "/api/v1/apps", "", as(cookie)...), 401)
	f.expect(f.call("GET", "/api/v1/session/none", ""), 404)
	f.expect(f.call("PUT", "/api/v1/session", ""), 405)
	if strings.Contains(f.log.String(), code) || strings.Contains(f.log.String(), cookie) {
		t.Errorf("the log has a code or a cookie:\n%s", f.log)
	}
}

// TestPagesOfOtherHostsChangeNothing whatever they show. Programs say neither
// where they come from nor what they are.
func TestPagesOfOtherHostsChangeNothing(t *testing.T) {
	f := newFixture(t)
	for name, tt := range map[string]struct {
		header []string
		status int
	}{
		"a program":              {nil, 201},
		"a page of this port":    {[]string{"Sec-Fetch-Site", "same-origin", "Origin", "http://127.0.0.1:6002"}, 201},
		"a page of another port": {[]string{"Sec-Fetch-Site", "same-site", "Origin", "http://127.0.0.1:3000"}, 403},
		"a page elsewhere":       {[]string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"}, 403},
		"an old browser":         {[]string{"Origin", "https://evil.example"}, 403},
		"a sandboxed page":       {[]string{"Origin", "null"}, 403},
	} {
		for _, path := range []string{"/api/v1/apps", "/api/v1/session/code"} {
			if got := f.call("POST", path, "", tt.header...); got.status != tt.status || got.header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s: POST %s = %d, want %d and no CORS", name, path, got.status, tt.status)
			}
		}
	}
}

func TestNodeTellsWhatItIs(t *testing.T) {
	f := newFixture(t)
	c := f.cluster.config()
	c.Node = func() NodeInfo {
		return NodeInfo{Name: "n1", Version: "v1", Since: time.Unix(1e9, 0).UTC(), Clustered: true, Listen: "0.0.0.0:6001", Path: "/realtime"}
	}
	f.handler = New(c)
	f.expect(f.call("GET", "/api/v1/node", ""), 200, `"name":"n1"`, `"ready":true`, `"connections":7`, `"path":"/realtime"`)
	c.Ready = func() error { return http.ErrServerClosed }
	f.handler = New(c)
	f.expect(f.call("GET", "/api/v1/node", ""), 200, `"ready":false`, `"reason":`)
	f.expect(f.call("GET", "/api/v1/node?x=1", ""), 400)
}

func TestSnippetsAreForTheAddressThatIsAskedFor(t *testing.T) {
	f := newFixture(t, configured("1", "key"))
	f.snippets = func(app *apps.App, at *url.URL) []Snippet {
		return []Snippet{{"Go", "in the backend", app.ID + " at " + at.String()}}
	}
	f.expect(f.call("GET", "/api/v1/apps/1/snippets?url=https%3A%2F%2Fx.example%2Frealtime", ""), 200, "1 at https://x.example/realtime")
	f.expect(f.call("GET", "/api/v1/apps/2/snippets?url=https%3A%2F%2Fx.example", ""), 404)
	for _, wrong := range []string{"ftp://x", "javascript:alert(1)", "https://", "https://a:b@x", "https://x?a=b", "x"} {
		f.expect(f.call("GET", "/api/v1/apps/1/snippets?url="+url.QueryEscape(wrong), ""), 400)
	}
}
