package fallback_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/fallback"
)

func urls() []statement {
	return []statement{
		{1, "paths_of_a_session", testPaths},
		{2, "polling_is_at_xhr", testPollingPath},
		{3, "http_path_is_configurable", testHTTPPath},
		{4, "query_is_optional", testQueryIsOptional},
		{5, "any_host", testAnyHost},
		{6, "wrong_methods_and_no_redirects", testMethods},
		{7, "node_build_requests", testNodeBuildRequests},
		{8, "apps_do_not_mix", testAppsDoNotMix},
	}
}

func testPaths(t *testing.T) {
	for _, number := range []string{"0", "7", "42", "999"} {
		run(t, setup{}, func(n *node) {
			session := appPath("1") + "/" + number + "/0v9abcde"
			s := n.connected(session, "news")
			n.trigger("news", "hello", "you")
			s.event("hello")
			n.polling(appPath("1")+"/"+number+"/other123", "news")
		})
	}
}

func testPollingPath(t *testing.T) {
	run(t, setup{}, func(n *node) {
		n.polling(appPath("1") + "/1/aaaaaaaa")
		if status, _ := n.post(appPath("1")+"/1/aaaaaaaa/xhr_polling"+query, ""); status != http.StatusTeapot {
			t.Errorf("/xhr_polling = %d, want no such route", status)
		}
	})
}

func testHTTPPath(t *testing.T) {
	tests := map[string]struct{ path, httpPath, request string }{
		"default":          {"", "", "/pusher/app/key1/1/aaaaaaaa/xhr"},
		"doubled slashes":  {"", "", "//pusher//app/key1/1//aaaaaaaa/xhr"},
		"other":            {"", "/a/b", "/a/b/app/key1/1/aaaaaaaa/xhr"},
		"slash at the end": {"", "/a/b/", "/a/b//app/key1/1/aaaaaaaa/xhr"},
		"none":             {"", "/", "//app/key1/1/aaaaaaaa/xhr"},
		"behind a path":    {"/realtime", "", "/realtime/pusher/app/key1/1/aaaaaaaa/xhr"},
		"path stripped":    {"/realtime", "", "/pusher/app/key1/1/aaaaaaaa/xhr"},
		"slash and path":   {"/realtime", "", "//realtime//pusher/app/key1/1/aaaaaaaa/xhr"},
		"twice the same":   {"/pusher", "", "/pusher/pusher/app/key1/1/aaaaaaaa/xhr"},
		"one stripped":     {"/pusher", "", "/pusher/app/key1/1/aaaaaaaa/xhr"},
		"path and none":    {"/realtime", "/", "/realtime/app/key1/1/aaaaaaaa/xhr"},
		"none, stripped":   {"/realtime", "/", "/app/key1/1/aaaaaaaa/xhr"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			run(t, setup{fallback: fallback.Config{Path: tt.path, HTTPPath: tt.httpPath}}, func(n *node) {
				n.base = "http://belfry.test"
				if status, answer := n.post(tt.request+query, ""); status != 200 || !strings.HasPrefix(answer, "o\na[") {
					t.Errorf("POST %s = %d %q, want a session", tt.request, status, answer)
				}
			})
		})
	}
}

func testQueryIsOptional(t *testing.T) {
	run(t, setup{}, func(n *node) {
		if status, answer := n.post(appPath("1")+"/1/aaaaaaaa/xhr", ""); status != 200 || !strings.Contains(answer, "connection_established") {
			t.Errorf("poll without a query = %d %q", status, answer)
		}
		if status, _ := n.post(appPath("1")+"/1/aaaaaaaa/xhr_send", `["{}"]`); status != 204 {
			t.Errorf("xhr_send without a query = %d, want 204", status)
		}
	})
}

func testAnyHost(t *testing.T) {
	run(t, setup{}, func(n *node) {
		for i, host := range []string{"ws-mt1.pusher.com:80", "sockjs-eu.pusher.com", "127.0.0.1:6001", "[::1]:443"} {
			session := appPath("1") + "/" + string(rune('1'+i)) + "/aaaaaaaa"
			if resp, answer := n.do("POST", session+"/xhr"+query, "", "Host", host); resp.StatusCode != 200 || !strings.HasPrefix(answer, "o\na[") {
				t.Errorf("poll at %s = %d %q", host, resp.StatusCode, answer)
			}
		}
	})
}

func testMethods(t *testing.T) {
	run(t, setup{}, func(n *node) {
		n.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		session := appPath("1") + "/1/aaaaaaaa"
		for _, path := range []string{session + "/xhr", session + "/xhr_streaming", session + "/xhr_send", "/000/aaaaaaaa/jsonp_send"} {
			for _, method := range []string{"GET", "HEAD", "PUT", "DELETE", "PATCH"} {
				if resp, _ := n.do(method, path, ""); resp.StatusCode != http.StatusMethodNotAllowed || resp.Header.Get("Allow") != "POST, OPTIONS" {
					t.Errorf("%s %s = %d %v, want 405", method, path, resp.StatusCode, resp.Header)
				}
			}
		}
		for _, path := range []string{"/000/aaaaaaaa/eventsource", "/000/aaaaaaaa/htmlfile", "/000/aaaaaaaa/jsonp", "/info", "/iframe.html"} {
			if resp, _ := n.do("POST", path, ""); resp.StatusCode != http.StatusMethodNotAllowed {
				t.Errorf("POST %s = %d, want 405", path, resp.StatusCode)
			}
		}
		for _, path := range []string{session + "/xhr/", "//" + session + "//xhr", "/info/"} {
			resp, _ := n.do("PUT", path, "")
			if resp.StatusCode != http.StatusMethodNotAllowed {
				t.Errorf("PUT %s = %d, want 405 and no redirect", path, resp.StatusCode)
			}
		}
		if n.sockets() != 0 {
			t.Errorf("%d sessions were made", n.sockets())
		}
	})
}

func testNodeBuildRequests(t *testing.T) {
	run(t, setup{}, func(n *node) {
		resp, answer := n.do("POST", appPath("1")+"/5/aaaaaaaa/xhr"+query, "",
			"Connection", "close", "User-Agent", "node-XMLHttpRequest", "Accept", "*/*", "Content-Type", "application/json")
		if resp.StatusCode != 200 || !strings.HasPrefix(answer, "o\na[") {
			t.Errorf("poll = %d %q", resp.StatusCode, answer)
		}
		resp, _ = n.do("POST", appPath("1")+"/5/aaaaaaaa/xhr_send", "[]", "Connection", "close", "Content-Type", "application/json")
		if resp.StatusCode != 204 {
			t.Errorf("send = %d", resp.StatusCode)
		}
	})
}

func testAppsDoNotMix(t *testing.T) {
	run(t, setup{app: func(a *apps.App) { a.Keys = append(a.Keys, apps.Key{Key: "key3", Secret: "x"}) }}, func(n *node) {
		one := n.connected(appPath("1")+"/1/aaaaaaaa", "news")
		two := n.connected(appPath("2")+"/1/aaaaaaaa", "news")
		n.trigger("news", "hello", "one")
		one.event("hello")
		two.silent(1e9)
		n.send(appPath("2")+"/1/aaaaaaaa", subscribeMessage("more"))
		two.event("pusher_internal:subscription_succeeded")
		one.silent(1e9)
		// Not even another key of the same app leads to the session.
		if status, _ := n.post(appPath("3")+"/1/aaaaaaaa/xhr_send", "[]"); status != 404 {
			t.Errorf("send under another key = %d, want 404", status)
		}
	})
}
