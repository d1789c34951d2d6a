package devsite

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/internal/apps"
)

// service is one at that address.
func service(base string) Service {
	u, err := url.Parse(base)
	if err != nil {
		panic(err)
	}
	return Service{Base: u, AppID: "1", Pair: apps.Key{Key: "k", Secret: "s"}, Authorizes: true, Command: "./belfry"}
}

func TestPageHasTheAddressByWhichItWasAskedFor(t *testing.T) {
	for _, host := range []string{"localhost:6001", "127.0.0.1:7001", "[::1]:6001"} {
		r := ask(t, "GET", "/", "", "Host", host)
		page := text(t, r)
		if r.StatusCode != 200 || r.Header.Get("Content-Type") != "text/html; charset=utf-8" {
			t.Fatalf("GET / = %d %v", r.StatusCode, r.Header)
		}
		h := strings.TrimSuffix(strings.TrimSuffix(host, ":6001"), ":7001")
		for _, want := range []string{
			"<code>" + host + "</code>",
			"wsHost: &#34;" + h + "&#34;, wsPort: ",
			"httpHost: &#34;" + h + "&#34;, httpPort: ",
			"REVERB_HOST=" + h + "\n",
			"http://app-key:app-secret@" + host + "/apps/app-id",
			"port: &#34;",
		} {
			if !strings.Contains(page, want) {
				t.Errorf("the page at %s lacks %q", host, want)
			}
		}
		if policy := r.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "ws://"+host+" wss://"+host+";") {
			t.Errorf("policy = %q", policy)
		}
	}
}

// TestPageIsSelfContained follows what the page loads.
func TestPageIsSelfContained(t *testing.T) {
	page := text(t, ask(t, "GET", "/", ""))
	loaded := regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(page, -1)
	if len(loaded) != 4 {
		t.Fatalf("the page loads %q, want an icon, a style, pusher-js and a script", loaded)
	}
	for _, l := range loaded {
		if strings.HasPrefix(l[1], "data:") || strings.HasPrefix(l[1], "/latest/pusher") { // which package web answers
			continue
		}
		r := ask(t, "GET", l[1], "")
		if body := text(t, r); r.StatusCode != 200 || len(body) < 500 {
			t.Errorf("GET %s = %d, %d bytes", l[1], r.StatusCode, len(body))
		} else if strings.Contains(body, "http://") || strings.Contains(body, "https://") {
			t.Errorf("%s names another place", l[1])
		}
	}
	if strings.Contains(page, "style=\"") || strings.Contains(page, "onclick") {
		t.Error("the page has what its policy forbids")
	}
}

// TestPageBehindTLS: the lines are for what is in front of the service.
func TestPageBehindTLS(t *testing.T) {
	for proto, want := range map[string]string{"https": `wsPort: 443, wssPort: 443,`, "HTTPS, http": "forceTLS: true", "http": "forceTLS: false", "": `wsPort: 80, wssPort: 80,`} {
		r := ask(t, "GET", "/", "", "Host", "app.localhost", "X-Forwarded-Proto", proto)
		if page := text(t, r); !strings.Contains(page, want) {
			t.Errorf("the page behind %q lacks %s", proto, want)
		}
	}
}

func TestNoSnippetHasAPlaceholderLeft(t *testing.T) {
	for _, s := range service("http://localhost:6001").Snippets() {
		if left := regexp.MustCompile(`<[a-z]+>`).FindString(s.Code); left != "" {
			t.Errorf("%s: %s is left", s.Title, left)
		}
	}
	js := service("http://localhost:6001").PusherJS()
	if !strings.HasPrefix(js, `import Pusher from "pusher-js"`) {
		t.Error("the lines for pusher-js do not import it")
	}
	for _, option := range []string{"wsHost", "wsPort", "wssPort", "httpHost", "httpPort", "httpsPort", "forceTLS", "cluster"} {
		if !strings.Contains(js, option+": ") {
			t.Errorf("the lines for pusher-js lack %s", option)
		}
	}
}

// A service for others has no endpoints that authorize, and may have a prefix
// and TLS.
func TestSnippetsOfAService(t *testing.T) {
	s := service("https://realtime.example/prefix")
	s.Authorizes, s.HTTPPath = false, "/fallback"
	js := s.PusherJS()
	for _, want := range []string{`wsHost: "realtime.example", wsPort: 443, wssPort: 443,`, "forceTLS: true", `wsPath: "/prefix"`, `httpPath: "/prefix/fallback"`} {
		if !strings.Contains(js, want) {
			t.Errorf("the lines for pusher-js lack %s:\n%s", want, js)
		}
	}
	if strings.Contains(js, "/auth") {
		t.Errorf("the lines name endpoints that only dev has:\n%s", js)
	}
	if got, want := s.URL(), "https://k:s@realtime.example:443/prefix/apps/1"; got != want {
		t.Errorf("URL = %s, want %s", got, want)
	}
	if got, want := s.Terminal(), "./belfry subscribe my-channel"; !strings.Contains(got, want) {
		t.Errorf("the lines for a terminal lack %s:\n%s", want, got)
	}
}

func TestForeignNamesAreRefused(t *testing.T) {
	for host, want := range map[string]int{
		"localhost": 200, "localhost:6001": 200, "LOCALHOST:1": 200, "app.localhost:6001": 200, "localhost.:6001": 200,
		"127.0.0.1": 200, "127.1.2.3:6001": 200, "[::1]:6001": 200, "[::1]": 200, "[::ffff:127.0.0.1]:1": 200,
		"evil.example": 403, "localhost.evil.example": 403, "127.0.0.1.evil.example:6001": 403, "notlocalhost": 403,
		"10.0.0.1:6001": 403, "0.0.0.0:6001": 403, "[::]:6001": 403, "": 403, "localhost:6001@evil": 403, "localhost:99999": 403,
	} {
		for _, path := range []string{"/", "/dev/page.js"} {
			if r := ask(t, "GET", path, "", "Host", host); r.StatusCode != want {
				t.Errorf("GET %s of %q = %d, want %d", path, host, r.StatusCode, want)
			}
		}
		if r := ask(t, "POST", "/pusher/auth", "socket_id=1.2&channel_name=private-a", "Host", host); r.StatusCode != want {
			t.Errorf("POST /pusher/auth of %q = %d, want %d", host, r.StatusCode, want)
		}
	}
}

func TestUnknownPaths(t *testing.T) {
	for _, path := range []string{"/x", "/dev", "/dev/", "/dev/page.html", "/dev/page.js/", "/pusher/authx"} {
		if r := ask(t, "GET", path, ""); r.StatusCode != 404 {
			t.Errorf("GET %s = %d, want 404", path, r.StatusCode)
		}
	}
}

func TestTrigger(t *testing.T) {
	var got Event
	var failure error
	site := newSite(func(_ context.Context, e Event) error { got = e; return failure })
	post := func(header ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("POST", "/dev/trigger", strings.NewReader(url.Values{"channel": {"c"}, "event": {"e"}, "data": {`{"a":1}`}}.Encode()))
		r.Host = "localhost:6001"
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for i := 0; i+1 < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		site.ServeHTTP(w, r)
		return w
	}
	if w := post("Origin", "http://localhost:6001", "Sec-Fetch-Site", "same-origin"); w.Code != http.StatusNoContent || got != (Event{"c", "e", `{"a":1}`}) {
		t.Errorf("trigger = %d, %+v", w.Code, got)
	}
	got = Event{}
	if w := post("Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"); w.Code != http.StatusForbidden || got != (Event{}) {
		t.Errorf("trigger from another site = %d, %+v, want 403 and nothing sent", w.Code, got)
	}
	failure = &Refusal{Status: 413, Text: "the service answered 413"}
	if w := post(); w.Code != 413 || w.Body.String() != "the service answered 413\n" {
		t.Errorf("trigger that the service refuses = %d %q, want what it said", w.Code, w.Body)
	}
	failure = errors.New("the channel is no channel")
	if w := post(); w.Code != http.StatusBadGateway || w.Body.String() != "the channel is no channel\n" {
		t.Errorf("failed trigger = %d %q", w.Code, w.Body)
	}
}
