package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/e2e/service"
)

// maxClicks is after how many clicks from the overview of an app a cause and its
// remedy are there.
const maxClicks = 3

// A search begins at the overview of the app and counts its clicks.
type search struct {
	*tab
	name   string
	clicks int
}

func (tb *tab) search(name string) *search {
	tb.t.Helper()
	tb.open("apps/1")
	tb.see("What went wrong")
	return &search{tab: tb, name: name}
}

// click presses something. What is typed in between is no click.
func (s *search) click(text string) {
	s.t.Helper()
	if s.clicks++; s.clicks > maxClicks {
		s.t.Errorf("%s: %q is click %d, and %d are promised", s.name, text, s.clicks, maxClicks)
	}
	s.press(text)
}

// threeNodes are a cluster with an app that clients and backends get wrong.
func threeNodes(t *testing.T, hook string) []*service.Service {
	t.Helper()
	ports := service.FreePorts(t, 3)
	var configs []service.Config
	for i := range ports {
		configs = append(configs, service.Config{
			Settings: fmt.Sprintf("cluster: {name: node-%d, listen: '127.0.0.1:%d', secret: 0123456789abcdef0123456789abcdef, lease: 30s}\n"+
				"join: ['127.0.0.1:%d', '127.0.0.1:%d', '127.0.0.1:%d']\nwebsocket: {send_buffer: 64KiB}", i, ports[i], ports[0], ports[1], ports[2]),
			Apps: fmt.Sprintf(`
  - id: "1"
    keys: [{key: app-key, secret: app-secret}]
    webhooks: [{id: hook, url: %q, events: [channel_existence]}]
`, hook),
		})
	}
	return service.StartAll(t, configs...)
}

// TestCauseAndRemedyAreThreeClicksAway has three nodes: clients and backends are at
// two of them, and whoever looks for the cause is at the third.
func TestCauseAndRemedyAreThreeClicksAway(t *testing.T) {
	t.Parallel()
	hook := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(hook.Close)
	nodes := threeNodes(t, hook.URL)
	a, b := nodes[0], nodes[1]
	tb := openConsole(t, nodes[2])

	// The channel of the backend is not the one of the client.
	dialWire(t, b).subscribe("orders", "")
	triggered(t, a, "order", "created", "x", "")
	s := tb.search("wrong channel name")
	s.click("Explain it")
	tb.fill("Channel", "order")
	s.click("Find out why")
	tb.see("Nobody was subscribed", "Compare the name with what the client subscribes to")
	s.click("Channels that somebody is subscribed to, and that begin like it")
	tb.see("1 channel on this page.", "orders")

	// The sender leaves out the client that waits for the event.
	w := dialWire(t, b)
	w.subscribe("news", "")
	for !settled(t, nodes, "news") {
		time.Sleep(20 * time.Millisecond) // the nodes tell each other
	}
	triggered(t, a, "news", "e", "x", fmt.Sprintf(`,"socket_id":%q`, w.id))
	s = tb.search("excluded socket")
	s.click("Explain it")
	tb.fill("Channel", "news")
	tb.fill("Connection", w.id)
	s.click("Find out why")
	tb.see("Excluded as its sender", "Leave socket_id out")

	// The auth endpoint signs with another secret.
	if err := w.write(`{"event":"pusher:subscribe","data":{"channel":"private-orders","auth":"app-key:0000"}}`); err != nil {
		t.Fatal(err)
	}
	for !strings.Contains(string(w.read()), "Invalid signature") {
		continue
	}
	s = tb.search("wrong secret at the auth endpoint")
	tb.see("The auth endpoint of the application signs with another secret")
	s.click("Wrong signature")
	tb.see("Expected HMAC SHA256 hex digest of " + w.id + ":private-orders")

	// The auth endpoint answers what no library can read, or nothing that the page may
	// see: the service sees a client that is silent.
	silent := dialWire(t, b)
	s = tb.search("auth endpoint that answers HTML or lacks CORS")
	s.click("1 connection is subscribed to nothing")
	tb.see("It answers HTML", "CORS", silent.id)
	tb.accessible("connections without subscriptions")

	tooLarge(t, a)
	s = tb.search("event too large")
	s.click("Above the limit: event size")
	tb.see("Send less data, or raise limits.event_data of the app.")

	slow := dialWire(t, b)
	slow.subscribe("flood", "") // and reads nothing from here on
	for data := strings.Repeat("x", 8<<10); isThere(t, b, slow.id); {
		triggered(t, b, "flood", "e", data, "")
	}
	s = tb.search("slow client closed")
	tb.see("Send less, or raise websocket.send_buffer.")
	s.click("Too slow")
	tb.see(slow.id)

	s = tb.search("webhook to a private address")
	tb.see("Add its network to webhooks.allowed_networks")
	s.click("Private address")
	tb.see("is not public and not among the allowed networks")
	tb.accessible("errors of a cluster")
}

// settled reports whether all nodes know that somebody is subscribed to a channel.
func settled(t *testing.T, nodes []*service.Service, channel string) bool {
	t.Helper()
	for _, n := range nodes {
		var page struct{ Channels []struct{ Name string } }
		api(t, n, "GET", "/api/v1/apps/1/channels?prefix="+channel, "", http.StatusOK, &page)
		if len(page.Channels) == 0 {
			return false
		}
	}
	return true
}

// tooLarge triggers an event that is refused because of its size.
func tooLarge(t *testing.T, svc *service.Service) {
	t.Helper()
	be := startGoBackend(t, svc, theApp)
	if _, err := be.Trigger([]string{"news"}, "e", strings.Repeat("x", 12<<10), triggerParams{}); err == nil {
		t.Fatal("12 KiB of data were taken")
	}
}
