package e2e

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"testing"

	"github.com/belfryhq/belfry/e2e/service"
)

// TestConsolePagesAreForEverybody visits every page in each form: wide and
// narrow, light and dark, and the narrowest that is promised. With
// BELFRY_TEST_PICTURES it writes pictures there.
func TestConsolePagesAreForEverybody(t *testing.T) {
	if os.Getenv("E2E_ACCEPTANCE") == "" {
		t.Skip("every page in every form takes a while: make acceptance-console")
	}
	t.Parallel()
	svc := service.Start(t, service.Config{})
	pages := furnish(t, svc)
	tb := openConsole(t, svc)
	for name, p := range pages {
		t.Run(name, func(*testing.T) { tb.look(name, p) })
	}
	t.Run("live-rows", func(*testing.T) { tb.lookAtRows(svc) })
}

// look visits a page in each form.
func (tb *tab) look(name string, p view) {
	tb.t.Helper()
	tb.open(p.path)
	tb.see(p.says)
	tb.inEachForm(name)
}

// inEachForm looks at the page that is shown.
func (tb *tab) inEachForm(name string) {
	tb.t.Helper()
	for _, width := range []int{1280, 800, 390, 360} {
		for _, dark := range []bool{false, true} {
			tb.must("screen", map[string]any{"width": width, "dark": dark}, nil)
			tb.accessible(name)
			if dir := picturesDir(); dir != "" && (width == 1280 || width == 390) {
				tb.picture(dir, name, width, dark)
			}
		}
	}
}

// picturesDir is where pictures of pages are wanted, or empty.
func picturesDir() string { return os.Getenv("BELFRY_TEST_PICTURES") }

// A view is a page, and something that it says when it is complete.
type view struct{ path, says string }

// hostile are texts of strangers that want to be more than text.
const (
	hostileName    = `<img src=x onerror=alert(1)>"'&amp;` + "\u202egnp.exe\u2066 \u0000\u200b" + `</title><script>alert(2)</script>`
	hostilePrefix  = `private-<b onmouseover=alert(3)>` + "\u202e"
	hostileHeader  = "X-Note: <script>alert(4)</script>"
	hostileURLPath = "/<script>alert(5)</script>?secret=hunter2"
)

// furnish fills a service with what pages can show, all of it as strangers would
// write it, and lists the pages.
func furnish(t *testing.T, svc *service.Service) map[string]view {
	t.Helper()
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "<script>alert(6)</script>\u202e", http.StatusTeapot)
	}))
	t.Cleanup(receiver.Close)
	app := map[string]any{
		"id": "77", "name": hostileName, "client_events": true, "limits": map[string]any{"connections": 500},
		"webhooks": []any{map[string]any{
			"id": "hook", "url": receiver.URL + hostileURLPath, "events": []string{"channel_occupied", "channel_vacated", "client_event"},
			"channel_prefixes": []string{hostilePrefix}, "headers": []string{hostileHeader},
		}},
	}
	body, err := json.Marshal(app)
	if err != nil {
		t.Fatal(err)
	}
	api(t, svc, "POST", "/api/v1/apps", string(body), http.StatusCreated, nil)
	pages := inhabit(t, svc)
	maps.Copy(pages, map[string]view{
		"apps":         {"", "Create an app"},
		"new":          {"new", "For people"},
		"overview":     {"apps/77", "Peak connections"},
		"events":       {"apps/77/events?" + url.Values{"channel": {hostileName + "\nnews"}, "event": {hostileName}}.Encode(), "The same in code"},
		"diagnostics":  {"apps/77/diagnostics?endpoint=" + url.QueryEscape("https://evil.example/<script>") + "&channel=" + url.QueryEscape(hostileName), "Address of clients"},
		"keys":         {"apps/77/keys", "signs webhooks"},
		"settings":     {"apps/77/settings", "Force TLS"},
		"fixed":        {"apps/1/settings", "can only be changed there"},
		"connect":      {"apps/77/connect", "REVERB_APP_KEY"},
		"webhooks":     {"apps/77/webhooks", "Last success"},
		"endpoint":     {"apps/77/webhooks/1", "Channel existence"},
		"dead-letters": {"dead-letters", "no endpoint took"},
		"usage":        {"apps/77/usage?range=7d", "Export CSV"},
		"all-usage":    {"usage", "Usage of all apps"},
		"endpoints":    {"webhooks", "Oldest"},
		"nodes":        {"cluster", "Drain this node"},
		"access":       {"access", "Make a token"},
		"audit":        {"audit", "POST /api/v1/apps"},
		"none":         {"no/such/page", "There is no page"},
	})
	return pages
}
