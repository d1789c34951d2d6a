package e2e

import (
	"net/http"
	"testing"

	"github.com/belfryhq/belfry/e2e/service"
)

// TestConsoleGoesToWhatIsTyped: with the keyboard alone, to apps by name, id and key,
// to pages, and to what is inside an app.
func TestConsoleGoesToWhatIsTyped(t *testing.T) {
	t.Parallel()
	svc := service.Start(t, service.Config{})
	makeApp(t, svc, "8", "Corner shop")
	api(t, svc, "POST", "/api/v1/apps", `{"id":"9","name":"Kiosk","keys":[{"key":"kiosk-key","secret":"a-secret-of-the-kiosk"}]}`, http.StatusCreated, nil)
	tb := openConsole(t, svc)
	ask := func(text string) {
		t.Helper()
		tb.evaluate(`document.dispatchEvent(new KeyboardEvent("keydown", { key: "k", ctrlKey: true, bubbles: true }))`, nil)
		tb.fill("Name or id", text)
	}
	arrives := func(text, at, says string) {
		t.Helper()
		ask(text)
		tb.keys("Enter")
		tb.await(`document.querySelector("dialog")`, nil)
		tb.await("location.pathname + location.search", "/console/"+at)
		tb.see(says)
	}
	tb.press("Go to…")
	tb.see("Corner shop", "Kiosk")
	tb.fill("Name or id", "corner")
	tb.accessible("go to")
	tb.keys("Enter")
	tb.await("location.pathname", "/console/apps/8")
	tb.see("Corner shop")
	tb.await("document.title", "Overview · Corner shop · Belfry")

	arrives("kiosk-key", "apps/9", "Kiosk")
	arrives("audit", "audit", "Audit log")
	arrives("12.34", "apps/9/connections/12.34", "12.34") // the app that was looked at last
	arrives("ABCDEFG234567XYZ-1", "apps/9/explain?event=ABCDEFG234567XYZ-1", "Explain")
	ask(hostileName)
	tb.keys("ArrowUp", "ArrowUp", "Enter") // of channel, channels and user the middle one
	tb.await(`new URLSearchParams(location.search).get("prefix")`, hostileName)
	ask("no such thing")
	tb.keys("ArrowUp", "Enter")
	tb.await("location.pathname", "/console/apps/9/users/no%20such%20thing")
}

// TestConsoleHasTheDocumentation: all of it, from the menu on, and its links lead on.
func TestConsoleHasTheDocumentation(t *testing.T) {
	t.Parallel()
	tb := openConsole(t, service.Start(t, service.Config{}))
	tb.press("Documentation")
	tb.see("First steps", "Running a cluster", "Moving from soketi")
	tb.accessible("documentation")
	tb.press("Node: Express and Next.js")
	tb.see("npm install express pusher", "server.mjs")
	tb.accessible("a page of the documentation")
	tb.press("pusher-js")
	tb.await("location.pathname", "/console/docs/start/javascript")
	tb.open("docs/start/laravel")
	tb.see("Laravel")
	tb.open("docs/no-such-page")
	tb.press("All of them")
	tb.see("Running a cluster")
}
