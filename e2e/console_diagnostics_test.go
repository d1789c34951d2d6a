package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/e2e/service"
	"github.com/belfryhq/belfry/protocol"
)

// diagnose opens the page for an address of clients. Its frame may talk to that.
func (tb *tab) diagnose(svc *service.Service, at, more string) {
	tb.t.Helper()
	tb.must("allow", map[string]any{"origins": []string{"http://" + svc.Addr, at}}, nil)
	tb.open("apps/1/diagnostics?at=" + url.QueryEscape(at) + more)
	tb.see("tries each transport")
}

// verdicts are those of the checks that were made, when all are.
func (tb *tab) verdicts(done string) map[string]string {
	tb.t.Helper()
	tb.see(done)
	var found map[string]string
	tb.evaluate(`Object.fromEntries([...document.querySelectorAll("section[aria-label=Findings] h2")].map((h) => {
		const [verdict, ...check] = h.innerText.replace(/^\S+\s+/, "").split(/\s+/)
		return [check.join(" ").replace(/ (< )?[\d.]+ (ms|s)$/, ""), verdict]
	}))`, &found)
	return found
}

// every are all checks.
var every = []string{"environment", "connection", "websocket", "xhr_streaming", "xhr_polling", "sockjs", "without websocket", "public channel", "private channel", "presence channel",
	"encrypted channel", "cache channel", "client event", "sign-in", "subscription count", "large event", "50 subscriptions", "reconnect"}

// TestConsoleDiagnosesAServiceThatWorks with pusher-js in a frame, which leaves
// nothing behind.
func TestConsoleDiagnosesAServiceThatWorks(t *testing.T) {
	t.Parallel()
	svc := service.Start(t, service.Config{Apps: `
  - id: "1"
    keys: [{key: app-key, secret: app-secret}]
    client_events: true
    subscription_count: true
`})
	tb := openConsole(t, svc)
	tb.diagnose(svc, "http://"+svc.Addr, "")
	tb.press("Start")
	tb.see(every...) // one after the other, each in its time
	found := tb.verdicts("Start again")
	for _, check := range every {
		want := "ok"
		if check == "sockjs" {
			want = "skipped" // the frame is shut off
		}
		if found[check] != want {
			var log string
			tb.evaluate(fmt.Sprintf(`document.querySelector("[aria-label='Log of %s']")?.textContent ?? ""`, check), &log)
			t.Errorf("%s is %q, want %s:\n%s", check, found[check], want, log)
		}
	}
	tb.see("The service works for this browser; not tried: sockjs.")
	tb.accessible("diagnostics")
	if dir := picturesDir(); dir != "" {
		for _, width := range []int{1280, 390} {
			tb.picture(dir, "diagnostics-done", width, false)
			tb.picture(dir, "diagnostics-done", width, true)
		}
	}
	tb.await(`document.documentElement.outerHTML.includes("app-secret")`, false)
	tb.await(`document.querySelector("iframe")`, nil)
	// A client that polled is gone when it has not asked for a while.
	for _, what := range []string{"channels", "users", "connections"} {
		tb.await(fmt.Sprintf(`fetch("/api/v1/apps/1/%s").then((r) => r.json()).then((list) => list.%s.length)`, what, what), 0)
	}
}

// TestConsoleDiagnosesWhatIsInBetween: a proxy that passes no upgrades, and an app
// that takes no page like this one.
func TestConsoleDiagnosesWhatIsInBetween(t *testing.T) {
	t.Parallel()
	svc := service.Start(t, service.Config{Apps: `
  - id: "1"
    keys: [{key: app-key, secret: app-secret}]
  - id: "2"
    keys: [{key: other-key, secret: other-secret}]
    allowed_origins: [shop.example]
`})
	to := &httputil.ReverseProxy{FlushInterval: -1, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(&url.URL{Scheme: "http", Host: svc.Addr}) }}
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			http.Error(w, "no upgrades", http.StatusBadRequest)
			return
		}
		to.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	tb := openConsole(t, svc)
	tb.diagnose(svc, proxy.URL, "")
	tb.press("Start")
	tb.see(every...) // one after the other: what is tried in vain takes a while
	found := tb.verdicts("checks failed: websocket")
	for check, want := range map[string]string{"websocket": "failed", "connection": "warning", "xhr_streaming": "ok", "public channel": "ok", "client event": "skipped", "subscription count": "skipped"} {
		if found[check] != want {
			t.Errorf("%s is %q behind a proxy without upgrades, want %s", check, found[check], want)
		}
	}
	tb.see("does not pass WebSocket upgrades")
	tb.open("apps/2/diagnostics")
	tb.press("Start")
	found = tb.verdicts("checks failed: connection")
	if found["connection"] != "failed" || found["public channel"] != "skipped" {
		t.Errorf("with allowed_origins connection is %q and a channel %q, want failed and skipped", found["connection"], found["public channel"])
	}
	tb.see("4009", "the app takes clients of certain origins only")
}

// TestConsoleDiagnosesAuthEndpoints: each mistake that they make has its words.
func TestConsoleDiagnosesAuthEndpoints(t *testing.T) {
	t.Parallel()
	svc := service.Start(t, service.Config{})
	answer := func(secret string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, `{"auth":"app-key:%s"}`, protocol.Sign(secret, r.FormValue("socket_id")+":"+r.FormValue("channel_name")))
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/right", answer(service.Secret))
	mux.HandleFunc("/secret", answer("another"))
	mux.HandleFunc("/html", func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "<!doctype html><title>Log in</title><script>alert(20)</script>")
	})
	mux.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer mine" {
			http.Error(w, "who are you?", http.StatusForbidden)
			return
		}
		answer(service.Secret)(w, r)
	})
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/cors" {
			w.Header().Set("Access-Control-Allow-Origin", "*")
			w.Header().Set("Access-Control-Allow-Headers", "authorization")
		}
		if r.Method != http.MethodOptions {
			mux.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(backend.Close)
	tb := openConsole(t, svc)
	for path, want := range map[string]struct{ verdict, says string }{
		"/right":  {"ok", "the signature is right, and made with the key app-key"},
		"/secret": {"failed", "made with another secret"},
		"/html":   {"failed", "a page of HTML instead of JSON"},
		"/cors":   {"warning", "(CORS)"},
		"/none":   {"failed", "is the path right?"},
		"/login":  {"failed", "refused it with 403"},
	} {
		tb.diagnose(svc, "http://"+svc.Addr, "&endpoint="+url.QueryEscape(backend.URL+path)+"&channel=private-orders")
		tb.must("allow", map[string]any{"origins": []string{"http://" + svc.Addr, backend.URL}}, nil)
		tb.press("Check the endpoint only")
		tb.see("Start again")
		if found := tb.verdicts(want.says); found["auth endpoint"] != want.verdict || len(found) != 3 {
			t.Errorf("%s: %v, want %s", path, found, want.verdict)
		}
	}
	tb.diagnose(svc, "http://"+svc.Addr, "&endpoint="+url.QueryEscape(backend.URL+"/login")+"&channel=private-orders")
	tb.must("allow", map[string]any{"origins": []string{"http://" + svc.Addr, backend.URL}}, nil)
	tb.fill("Headers", "Authorization: Bearer mine")
	tb.press("Check the endpoint only")
	tb.see("Start again")
	if found := tb.verdicts("the signature is right"); found["auth endpoint"] != "ok" {
		t.Errorf("with its header: %v", found)
	}
	tb.await(`(location.href + JSON.stringify(localStorage) + JSON.stringify(sessionStorage)).includes("mine")`, false)
	svc.Stop()
	if strings.Contains(svc.Log(), "mine") {
		t.Error("the header is in the log of the service")
	}
}
