package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/belfryhq/belfry/e2e/service"
)

// hostileAnswer is what an endpoint answers that wants to be more than text.
const hostileAnswer = `</pre><script>alert(12)</script><img src=x onerror=alert(13)>` + "\u202e\x00"

// newHostileEndpoint is an endpoint of webhooks that answers so, with a status.
func newHostileEndpoint(t testing.TB, status *atomic.Int64) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // what comes is looked at elsewhere
		w.Header().Set("X-Hostile", hostileLibrary)
		w.Header().Set("Set-Cookie", "session=hushhush")
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(int(status.Load()))
		_, _ = io.WriteString(w, hostileAnswer) // who hangs up does not care
	}))
	t.Cleanup(s.Close)
	return s
}

// hookedApps are an app with an endpoint.
func hookedApps(url string) service.Config {
	return service.Config{
		Settings: "webhooks: {allowed_networks: [127.0.0.0/8], batch_interval: 1ms, retry_first: 1ms, retry_window: 1s}",
		Apps: fmt.Sprintf(`  - id: %q
    keys: [{key: %s, secret: %s}]
    webhooks:
      - {id: main, url: %q, events: [channel_existence], headers: ["X-Token: hushhush"]}
`, service.AppID, service.Key, service.Secret, url),
	}
}

// TestConsoleShowsWhatEndpointsAnswered: deliveries, their attempts and bodies, and
// sending one once more. What they answer is text, whatever it is.
func TestConsoleShowsWhatEndpointsAnswered(t *testing.T) {
	t.Parallel()
	var status atomic.Int64
	status.Store(http.StatusTeapot)
	hook := newHostileEndpoint(t, &status)
	svc := service.Start(t, hookedApps(hook.URL))
	tb := openConsole(t, svc)
	tb.open("apps/1/webhooks")
	tb.press("Deliveries: what was sent, and what was answered")
	tb.see("Nothing was sent since the nodes started.")
	dialWire(t, svc).subscribe("news", "")
	dialWire(t, svc).subscribe("orders", "")
	tb.fill("every 5 seconds", true)
	tb.fill("Channel", "orders")
	tb.see("1 request on this page", "dead letter", "status 418")
	tb.fill("Channel", "")
	tb.fill("State", "dead_letter")
	tb.see("2 requests on this page")
	tb.await("location.search", "?renew=1&state=dead_letter")
	tb.fill("Event", "cache_miss")
	tb.see("No request fits")
	tb.fill("Event", "channel_occupied")
	tb.see("2 requests on this page", "orders")
	tb.accessible("deliveries")
	if dir := picturesDir(); dir != "" {
		tb.picture(dir, "deliveries", 1280, false)
		tb.picture(dir, "deliveries", 390, true)
	}
	tb.evaluate(`document.querySelector("tbody a").click()`, nil)
	tb.see("Attempt 1", "X-Token", "Set-Cookie", "hidden", "The body is not shown.", `<script>alert(8)</script>\u{2066}`)
	tb.gone("alert(12)")
	tb.gone("hushhush")
	tb.fill("Show what was said, and what was answered", true)
	tb.see(`<script>alert(12)</script>`, `\u{202e}\u{0}`, `{"time_ms":`, "openssl dgst -sha256 -hmac SECRET", "Copy as curl")
	tb.accessible("delivery")
	if dir := picturesDir(); dir != "" {
		tb.picture(dir, "delivery", 1280, true)
		tb.picture(dir, "delivery", 390, false)
	}
	tb.press("Send it once more")
	tb.see("It was not taken with status 418", "asked for by an operator")
	status.Store(http.StatusOK)
	tb.press("Send it once more")
	tb.see("It was taken with status 200")
	tb.open("apps/1/deliveries/nothing")
	tb.see("No node remembers this request.")
}
