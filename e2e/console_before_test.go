package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/belfryhq/belfry/e2e/service"
)

// rowsOf returns how often a text is in the rows of Live.
const rowsOf = `[...document.querySelectorAll(".stream .lines .line")].filter((l) => l.textContent.includes(%q)).length`

// TestConsoleLiveBeginsWithWhatIsRemembered: rows from before the page was opened are
// below those that come, once, by the same filters and without data.
func TestConsoleLiveBeginsWithWhatIsRemembered(t *testing.T) {
	t.Parallel()
	svc := service.Start(t, service.Config{})
	w := dialWire(t, svc)
	w.subscribe("orders", "")
	triggered(t, svc, "orders", "created", "secret-data", "")
	triggered(t, svc, "other", "created", "secret-data", "")
	tb := openConsole(t, svc)
	tb.open("apps/1/live?channel=ord*")
	tb.see("What is below happened before this page was opened", "created", "Subscribed")
	triggered(t, svc, "orders", "shipped", "later-data", "")
	tb.see("shipped")
	for text, want := range map[string]int{"created": 1, "shipped": 1, "Subscribed": 1, "secret-data": 0, "other": 0, "before this page": 1} {
		tb.await(fmt.Sprintf(rowsOf, text), want)
	}
	tb.await(`[...document.querySelectorAll(".stream .lines .line")].map((l) => /shipped|before this page|created|Subscribed/.exec(l.textContent)?.[0]).join()`, "shipped,before this page,created,Subscribed")
	tb.open("apps/1/live?type=disconnection")
	tb.see("since")
	tb.gone("before this page was opened")
}

// TestConsoleLiveSaysWhetherClientsConnect from this browser, when it is asked.
func TestConsoleLiveSaysWhetherClientsConnect(t *testing.T) {
	t.Parallel()
	svc := service.Start(t, service.Config{})
	tb := openConsole(t, svc)
	tb.must("allow", map[string]any{"origins": []string{"http://" + svc.Addr, "ws://" + svc.Addr}}, nil)
	tb.open("apps/1/live")
	tb.press("Connect as a client")
	tb.see("This browser connects as a client to")
	tb.accessible("live, connected")
	tb.await(`document.querySelector("iframe")`, nil)
	api(t, svc, "PATCH", "/api/v1/apps/1", `{}`, http.StatusConflict, nil) // it stands in the file
	makeApp(t, svc, "9", "off")
	api(t, svc, "PATCH", "/api/v1/apps/9", `{"disabled":true}`, http.StatusOK, nil)
	tb.open("apps/9/live")
	tb.press("Connect as a client")
	tb.see("does not connect as a client", "4003")
	tb.press("Diagnostics")
	tb.see("The app is disabled")
}

// TestConsoleShowsAHistory: what is kept of a channel, and what a client gets that
// comes back.
func TestConsoleShowsAHistory(t *testing.T) {
	t.Parallel()
	svc := service.Start(t, service.Config{Apps: `
  - id: "1"
    keys: [{key: app-key, secret: app-secret}]
    history: {enabled: true, channel_prefixes: [chat-], events: 60}
`})
	w := dialWire(t, svc)
	w.subscribe("chat-1", "")
	w.subscribe("news", "")
	var page struct {
		Events []struct {
			Name, Place string
			Data        *json.RawMessage
		}
		Position string
		Reason   string
		More     bool
	}
	const path = "/api/v1/apps/1/channels/chat-1/history"
	var first string
	for i := range 70 {
		triggered(t, svc, "chat-1", fmt.Sprintf("message-%d", i), "hello", "")
		if i == 0 {
			api(t, svc, "GET", path, "", http.StatusOK, &page)
			first = page.Position
		}
	}
	api(t, svc, "GET", path+"?limit=60", "", http.StatusOK, &page)
	if len(page.Events) != 60 || page.Events[0].Name != "message-69" || page.Events[0].Data != nil || page.More {
		t.Fatalf("the history is %+v", page)
	}
	newest, old := page.Events[0].Place, page.Events[5].Place
	tb := openConsole(t, svc)
	tb.open("apps/1/channels/chat-1")
	tb.see("History", "message-69")
	tb.accessible("history")
	tb.press("Older")
	tb.see("message-10")
	tb.gone("message-69\n")
	tb.press("Newest")
	tb.see("message-69")
	const label = "What does a client get that comes back from a position?"
	tb.fill(label, old)
	tb.see("Recovered: 5 events, up to", newest)
	tb.fill(label, page.Position) // before all that is kept
	tb.see("Recovered: 60 events")
	tb.fill(label, first)
	tb.see("Not recovered: events behind it are not kept any more")
	tb.fill(label, "Z"+newest[1:])
	tb.see("Not recovered: it names a node that was started anew")
	tb.fill(label, "?")
	tb.see("after is not a position")
	tb.open("apps/1/channels/chat-1?payloads=1")
	tb.see("hello")
	tb.open("apps/1/channels/news")
	tb.see("Timeline")
	tb.gone("What does a client get")
	api(t, svc, "GET", "/api/v1/apps/1/channels/news/history", "", http.StatusNotFound, nil)
	api(t, svc, "GET", path+"?direction=x", "", http.StatusBadRequest, nil)
}
