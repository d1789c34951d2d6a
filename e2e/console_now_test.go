package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/e2e/service"
)

// TestConsoleSaysByWhomAKeyIsUsed before it is revoked, and shows the name of a
// library as text.
func TestConsoleSaysByWhomAKeyIsUsed(t *testing.T) {
	t.Parallel()
	svc := service.Start(t, service.Config{})
	makeApp(t, svc, "8", "shop")
	old := showApp(t, svc, "8").Keys[0].Key
	tb := openConsole(t, svc)
	tb.open("apps/8/keys")
	tb.see("not since the nodes started")
	tb.press("Add a key")
	tb.see("never again")
	dialWireAs(t, svc, old)
	dialWireAs(t, svc, old)
	tb.see("It was used 2 times in the last hour")
	tb.press("Revoke " + old)
	tb.see("It was used last:")
	tb.keys("Escape")
	dialHostile(t, svc).subscribe("private-a", "")
	be := startGoBackend(t, svc, theApp)
	if _, err := be.Trigger([]string{"news"}, "said", "x", triggerParams{}); err != nil {
		t.Fatal(err)
	}
	tb.open("apps/1/keys?open=" + service.Key)
	tb.see("pusher-http-go", "requests of a backend: 1 in the last hour", `<script>alert(8)</script>\u{2066}`, "signatures for clients: 1 in the last hour")
	tb.accessible("keys with uses")
	if dir := picturesDir(); dir != "" {
		tb.picture(dir, "uses", 1280, false)
		tb.picture(dir, "uses", 390, true)
	}
}

// TestConsoleShowsWhatAppsUseNow: in the list, which can be sorted by it, on the page
// of an app, and before its connections are closed.
func TestConsoleShowsWhatAppsUseNow(t *testing.T) {
	t.Parallel()
	svc := service.Start(t, service.Config{})
	makeApp(t, svc, "8", "shop")
	key := showApp(t, svc, "8").Keys[0].Key
	for i := range 3 {
		dialWireAs(t, svc, key).subscribe(fmt.Sprint("news-", i%2), "")
	}
	api(t, svc, "GET", "/api/v1/apps/8/now", "", http.StatusOK, nil)
	tb := openConsole(t, svc)
	const cell = `document.querySelector("tbody [data-label=%s]").innerText.trim()`
	tb.press("Connections")
	tb.await("location.search", "?sort=connections")
	tb.press("Connections")
	tb.await("location.search", "?sort=-connections")
	tb.await(fmt.Sprintf(cell, "App"), "8")
	tb.await(fmt.Sprintf(cell, "Connections"), "3")
	tb.accessible("apps")
	tb.open("apps/8")
	now := func(label string) string {
		return fmt.Sprintf(`[...document.querySelectorAll(".figures div")].find((d) => d.querySelector("dt").innerText === %q)?.querySelector("dd").innerText.trim()`, label)
	}
	tb.await(now("Connections"), "3")
	tb.await(now("Channels"), "2")
	tb.await(now("Subscriptions"), "3")
	tb.await(now("Errors"), "0")
	tb.accessible("overview")
	if dir := picturesDir(); dir != "" {
		tb.picture(dir, "overview-now", 1280, true)
		tb.picture(dir, "overview-now", 390, false)
	}
	tb.open("apps/8/settings")
	tb.fill("Connections limits.connections", "2")
	tb.see("There are 3 connections now.")
	tb.open("apps/8")
	tb.press("Disable…")
	tb.see("3 connections are closed with 4003")
	tb.keys("Escape")
	tb.press("Delete…")
	tb.see("3 connections are closed with 4001")
}

// TestConsoleDrawsTheLastHour by the minute, with gaps where nothing is known, and
// says what the hosted service would bill.
func TestConsoleDrawsTheLastHour(t *testing.T) {
	t.Parallel()
	svc := service.Start(t, service.Config{})
	dialWire(t, svc).subscribe("news", "")
	be := startGoBackend(t, svc, theApp)
	for range 3 {
		if _, err := be.Trigger([]string{"news", "empty"}, "said", "x", triggerParams{}); err != nil {
			t.Fatal(err)
		}
	}
	tb := openConsole(t, svc)
	tb.open("apps/1/usage")
	tb.press("1 hour, by the minute")
	tb.await("location.search", "?range=1h")
	tb.see("Connections, the most at once in each minute", "nothing is known")
	var figures string
	tb.await(`/Messages/.test(document.querySelector(".figures").innerText) && !/…/.test(document.querySelector(".figures").innerText)`, true)
	tb.evaluate(`document.querySelector(".figures").innerText.replaceAll(/\s+/g, " ")`, &figures)
	for _, want := range []string{"Connections now 1", "Peak connections 1", "Backend events 6", "Deliveries 3", "Requests 3", "Messages 6 requests + deliveries"} {
		if !strings.Contains(figures, want) {
			t.Errorf("the figures are %s, want %s", figures, want)
		}
	}
	tb.await(`document.querySelectorAll(".chart .plot > svg").length`, 3)
	tb.press("The same as a table")
	tb.await(`document.querySelectorAll(".table tbody tr").length`, 60)
	tb.await(`document.querySelector(".table tbody tr:last-child [data-label=Deliveries]").innerText.trim()`, "–")
	tb.accessible("last hour")
	if dir := picturesDir(); dir != "" {
		tb.picture(dir, "last-hour", 1280, false)
		tb.picture(dir, "last-hour", 390, true)
	}
	tb.press("1 day, by 5 minutes")
	tb.see("Deliveries in each 5 minutes")
	tb.await(`document.querySelectorAll(".table tbody tr").length`, 288)
}
