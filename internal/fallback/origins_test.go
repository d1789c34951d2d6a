package fallback_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/internal/apps"
)

func origins() []statement {
	return []statement{
		{9, "preflight", testPreflight},
		{10, "preflight_creates_nothing", testPreflightCreatesNothing},
		{11, "every_answer_may_be_read", testAnswersMayBeRead},
		{12, "no_cookies", testNoCookies},
		{13, "foreign_origins", testForeignOrigins},
	}
}

func testPreflight(t *testing.T) {
	run(t, setup{}, func(n *node) {
		n.polling(appPath("1") + "/1/aaaaaaaa")
		for _, end := range []string{"xhr", "xhr_streaming", "xhr_send"} {
			resp, _ := n.do("OPTIONS", appPath("1")+"/1/aaaaaaaa/"+end+"?t=1&n=2", "",
				"Origin", "https://page.test", "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "content-type")
			h := resp.Header
			if resp.StatusCode/100 != 2 || h.Get("Access-Control-Allow-Origin") != "*" ||
				!strings.Contains(h.Get("Access-Control-Allow-Headers"), "content-type") || !strings.Contains(h.Get("Access-Control-Allow-Methods"), "POST") {
				t.Errorf("OPTIONS %s = %d %v", end, resp.StatusCode, h)
			}
		}
	})
}

func testPreflightCreatesNothing(t *testing.T) {
	run(t, setup{}, func(n *node) {
		for _, path := range []string{appPath("1"), "/app/unknown"} {
			resp, _ := n.do("OPTIONS", path+"/1/aaaaaaaa/xhr", "", "Origin", "https://page.test", "Access-Control-Request-Method", "POST")
			if resp.StatusCode != http.StatusNoContent || resp.Header.Get("Access-Control-Allow-Origin") != "*" {
				t.Errorf("OPTIONS of %s = %d %v", path, resp.StatusCode, resp.Header)
			}
		}
		if n.sockets() != 0 || n.connections() != 0 {
			t.Errorf("%d sessions, %d connections", n.sockets(), n.connections())
		}
	})
}

func testAnswersMayBeRead(t *testing.T) {
	run(t, setup{}, func(n *node) {
		session := appPath("1") + "/1/aaaaaaaa"
		n.polling(session)
		tests := map[string]struct {
			method, path, body string
			status             int
		}{
			"send":            {"POST", session + "/xhr_send", "[]", 204},
			"poll":            {"POST", session + "/xhr", "", 200},
			"unknown session": {"POST", appPath("1") + "/1/bbbbbbbb/xhr_send", "[]", 404},
			"broken JSON":     {"POST", session + "/xhr_send", "[", 400},
			"too long":        {"POST", session + "/xhr_send", strings.Repeat("x", 300<<10), 413},
			"method":          {"GET", session + "/xhr", "", 405},
			"unknown key":     {"POST", "/app/nope/1/aaaaaaaa/xhr", "", 200},
		}
		for name, tt := range tests {
			resp, _ := n.do(tt.method, tt.path, tt.body, "Origin", "https://page.test", "Content-Type", "application/json")
			if resp.StatusCode != tt.status || resp.Header.Get("Access-Control-Allow-Origin") != "*" {
				t.Errorf("%s: %d %v, want %d that every page may read", name, resp.StatusCode, resp.Header, tt.status)
			}
		}
	})
}

func testNoCookies(t *testing.T) {
	run(t, setup{}, func(n *node) {
		n.polling(appPath("1") + "/1/aaaaaaaa")
		for _, path := range []string{"/1/aaaaaaaa/xhr_send", "/2/aaaaaaaa/xhr"} {
			resp, _ := n.do("POST", appPath("1")+path, "[]")
			for _, name := range []string{"Set-Cookie", "Strict-Transport-Security"} {
				if v := resp.Header.Values(name); len(v) > 0 {
					t.Errorf("%s has %s: %q", path, name, v)
				}
			}
		}
	})
}

func testForeignOrigins(t *testing.T) {
	run(t, setup{app: func(a *apps.App) { a.AllowedOrigins = []string{"*.good.test"} }}, func(n *node) {
		for origin, want := range map[string]string{
			"https://www.good.test:8443": "https://www.good.test:8443",
			"https://evil.test":          "",
			"":                           "",
		} {
			for _, method := range []string{"OPTIONS", "POST"} {
				resp, _ := n.do(method, appPath("1")+"/1/x"+method+"/xhr"+query, "", "Origin", origin, "Access-Control-Request-Method", "POST")
				if got := resp.Header.Get("Access-Control-Allow-Origin"); got != want {
					t.Errorf("%s from %q: Allow-Origin %q, want %q", method, origin, got, want)
				}
				if got := resp.Header.Get("Vary"); got != "Origin" {
					t.Errorf("%s from %q: Vary %q, want Origin", method, origin, got)
				}
			}
		}
		// What a browser would not show is refused as on every transport.
		_, answer := n.do("POST", appPath("1")+"/1/bbbbbbbb/xhr"+query, "", "Origin", "https://evil.test")
		if want := "o\nc[4009,\"Origin not allowed\"]\n"; answer != want {
			t.Errorf("poll = %q, want %q", answer, want)
		}
		// An app without a list is read by all.
		resp, _ := n.do("POST", appPath("2")+"/1/aaaaaaaa/xhr"+query, "", "Origin", "https://evil.test")
		if got := resp.Header.Get("Access-Control-Allow-Origin"); got != "*" {
			t.Errorf("other app: Allow-Origin %q, want *", got)
		}
	})
}

// Native apps send no Origin.
func TestNoOriginIsForClientsThatAreNoPages(t *testing.T) {
	run(t, setup{app: func(a *apps.App) { a.AllowedOrigins = []string{"*.good.test", apps.NoOrigin} }}, func(n *node) {
		for origin, want := range map[string]string{"": "", "https://www.good.test": "https://www.good.test", "https://evil.test": "", "null": ""} {
			resp, answer := n.do("POST", appPath("1")+"/1/x"+strings.Trim(strings.ReplaceAll(origin, ".", ""), "htps:/")+"/xhr"+query, "", "Origin", origin)
			if got := resp.Header.Get("Access-Control-Allow-Origin"); got != want {
				t.Errorf("from %q: Allow-Origin %q, want %q", origin, got, want)
			}
			if refused := strings.Contains(answer, "Origin not allowed"); refused != (origin == "https://evil.test" || origin == "null") {
				t.Errorf("from %q: poll = %q", origin, answer)
			}
		}
	})
}
