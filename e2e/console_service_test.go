package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/belfryhq/belfry/e2e/service"
)

// TestConsoleIsUsedByKeyboard goes to a page, opens a dialog and leaves it again.
func TestConsoleIsUsedByKeyboard(t *testing.T) {
	t.Parallel()
	svc := service.Start(t, service.Config{})
	makeApp(t, svc, "8", "shop")
	tb := openConsole(t, svc)
	tb.open("apps/8")
	tb.see("Delete…")
	tb.keys("Tab")
	tb.await("document.activeElement.textContent", "Skip to the content")
	tb.keys("Enter")
	tb.await("document.activeElement.id", "main")
	tb.keys("g", "k")
	tb.see("Every pair is valid")
	tb.keys("?")
	tb.see("this list")
	tb.await(`document.querySelector("dialog").contains(document.activeElement)`, true)
	tb.accessible("help")
	tb.keys("Escape")
	tb.gone("this list")
	tb.keys("g", "o")
	tb.see("Delete…")
	tb.evaluate(`[...document.querySelectorAll("button")].find((b) => b.textContent === "Delete…").focus()`, nil)
	tb.keys("Enter")
	tb.see("Type shop to go on")
	tb.accessible("dialog")
	if dir := picturesDir(); dir != "" {
		tb.picture(dir, "dialog", 1280, true)
		tb.picture(dir, "dialog", 390, false)
	}
	tb.keys("Escape")
	tb.gone("Type shop to go on")
	tb.await("document.activeElement.textContent", "Delete…")
	tb.keys("g", "a")
	tb.see("2 apps")
	tb.keys("/")
	tb.await("document.activeElement.id", "filter")
	tb.keys("g", "k") // are letters now
	tb.await(`document.activeElement.value`, "gk")
}

// TestConsoleKeepsWhatWasChosen: the colours, and nothing else.
func TestConsoleKeepsWhatWasChosen(t *testing.T) {
	t.Parallel()
	tb := openConsole(t, service.Start(t, service.Config{}))
	tb.fill("Colours", "dark")
	tb.await("getComputedStyle(document.body).backgroundColor", "rgb(22, 21, 19)")
	tb.open("cluster")
	tb.await("getComputedStyle(document.body).backgroundColor", "rgb(22, 21, 19)")
	tb.await("Object.keys(localStorage).join()", "belfry-theme")
}

// TestConsoleIsInUseWhileSomebodyUsesIt: what a person goes to keeps the session,
// and what the page asks by itself does not.
func TestConsoleIsInUseWhileSomebodyUsesIt(t *testing.T) {
	t.Parallel()
	tb := openConsole(t, service.Start(t, service.Config{}))
	tb.evaluate(`{
		window.asked = []
		const ask = fetch
		window.fetch = (url, options) => {
			asked.push((options.headers["Belfry-Poll"] ? "poll " : "use ") + url.pathname)
			return ask(url, options)
		}
	} 0`, nil)
	tb.await(`asked.includes("poll /api/v1/node") && !asked.some((a) => a.startsWith("use"))`, true)
	tb.press("1")
	tb.await(`asked.includes("use /api/v1/apps/1") && asked.includes("use /api/v1/apps/1/usage")`, true)
	tb.press("Nodes")
	tb.await(`asked.includes("use /api/v1/drain")`, true)
	tb.evaluate(`asked.splice(0), 0`, nil)
	tb.await(`asked.includes("poll /api/v1/drain") && !asked.some((a) => a.startsWith("use"))`, true)
}

// A receiver is an endpoint of webhooks that answers with a status.
type receiver struct {
	*httptest.Server
	status atomic.Int64
	taken  atomic.Int64
}

func newReceiver(t testing.TB, status int) *receiver {
	r := new(receiver)
	r.status.Store(int64(status))
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		_, _ = io.Copy(io.Discard, q.Body) // what comes is looked at elsewhere
		status := int(r.status.Load())
		w.WriteHeader(status)
		if status < 300 {
			r.taken.Add(1)
		}
	}))
	t.Cleanup(r.Close)
	return r
}

// TestConsoleSetsUpAnEndpoint adds, tests, changes and removes one.
func TestConsoleSetsUpAnEndpoint(t *testing.T) {
	t.Parallel()
	hook := newReceiver(t, http.StatusTeapot)
	svc := service.Start(t, service.Config{Settings: "webhooks: {allowed_networks: [127.0.0.0/8]}"})
	makeApp(t, svc, "8", "shop")
	tb := openConsole(t, svc)
	tb.open("apps/8/webhooks")
	tb.see("No endpoints yet.")
	tb.press("Add an endpoint")
	tb.fill("URL", "ftp://nowhere")
	tb.press("Add")
	tb.await(`document.getElementById(field("URL").getAttribute("aria-describedby").split(" ").at(-1)).textContent !== ""`, true)
	tb.fill("URL", hook.URL+"/hook?token=hunter2")
	tb.fill("channel_occupied", true)
	tb.fill("member_added", true)
	tb.fill("Headers", "Authorization: Bearer hunter3")
	tb.press("Add")
	tb.see(hook.URL, "none since the start")
	tb.gone("hunter")
	tb.press("Send a test")
	tb.see("It was not taken with status 418")
	hook.status.Store(http.StatusOK)
	tb.press("Send a test")
	tb.see("It was taken with status 200")
	tb.press("Change")
	tb.fill("member_added", false)
	tb.press("Save")
	tb.see("channel_occupied")
	tb.gone("member_added")
	tb.press("Send a test") // with the hidden parts, which were kept
	tb.see("It was taken with status 200")
	if hooks := showApp(t, svc, "8").Webhooks; len(hooks) != 1 || len(hooks[0].Events) != 1 {
		t.Errorf("webhooks = %+v, want one for channel_occupied", hooks)
	}
	tb.press("Remove…")
	tb.press("Remove")
	tb.see("No endpoints yet.")
}

// TestConsoleDeliversAgain what was given up, with hostile bodies on the page.
func TestConsoleDeliversAgain(t *testing.T) {
	t.Parallel()
	hook := newReceiver(t, http.StatusInternalServerError)
	svc := service.Start(t, service.Config{
		Settings: "webhooks: {allowed_networks: [127.0.0.0/8], retry_first: 5ms, retry_window: 1s}",
		Apps: fmt.Sprintf(`
  - id: "1"
    keys: [{key: app-key, secret: app-secret}]
    client_events: true
    webhooks: [{id: hook, url: %q, events: [client_event]}]
`, hook.URL),
	})
	be := startGoBackend(t, svc, theApp)
	ann := openBrowser(t, svc, be.AuthURL()).Open("ann")
	ann.Subscribe("private-chat")
	const event = "client-<img src=x onerror=alert(1)>\u202e"
	for range 3 {
		ann.Trigger("private-chat", event, `"</script><script>alert(2)</script>\u2066"`)
	}
	deadLetters(t, svc, 3)
	hook.status.Store(http.StatusOK)
	tb := openConsole(t, svc)
	tb.open("dead-letters")
	tb.see("every attempt failed")
	tb.press("Show details")
	tb.see("client-<img src=x onerror=alert(1)>\\u{202e}", "</script><script>alert(2)</script>")
	tb.await(`location.search.startsWith("?open=")`, true)
	tb.accessible("given up")
	if dir := picturesDir(); dir != "" {
		tb.picture(dir, "dead-letters-open", 1280, false)
		tb.picture(dir, "dead-letters-open", 390, true)
	}
	tb.press("Deliver again")
	tb.see("wait for delivery again")
	tb.press("Deliver all again…")
	tb.see("are put into the queues of their endpoints")
	tb.press("Deliver again")
	tb.see("Nothing was given up.")
	tb.open("apps/1/webhooks")
	tb.gone("none since the start")
}

// deadLetters waits until that many events were given up.
func deadLetters(t testing.TB, svc *service.Service, want int) {
	t.Helper()
	for end := time.Now().Add(service.Patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		var answer struct {
			DeadLetters []struct{ Events []json.RawMessage } `json:"dead_letters"`
		}
		api(t, svc, "GET", "/api/v1/webhooks/dead-letters", "", http.StatusOK, &answer)
		events := 0
		for _, g := range answer.DeadLetters {
			events += len(g.Events)
		}
		if events >= want {
			return
		}
	}
	t.Fatalf("%d events were not given up", want)
}

// TestConsoleShowsUsage draws what was used and exports it.
func TestConsoleShowsUsage(t *testing.T) {
	t.Parallel()
	svc := service.Start(t, service.Config{})
	tb := openConsole(t, svc)
	tb.open("apps/1/usage?range=7d")
	tb.see("Connections, the most at once in each hour")
	tb.await(`document.querySelectorAll(".chart path.series-1").length >= 3`, true)
	tb.evaluate(`document.querySelector("[role=slider]").focus(), 0`, nil)
	tb.keys("Home", "ArrowRight", "ArrowRight")
	tb.await(`document.activeElement.getAttribute("aria-valuenow") + document.activeElement.getAttribute("aria-valuetext").replace(/.*, /, " ")`, "2 Peak connections 0")
	tb.press("The same as a table")
	tb.await(`document.querySelectorAll("tbody tr").length >= 167`, true)
	tb.evaluate(`URL.createObjectURL = (blob) => (window.exported = blob, "data:,"), 0`, nil)
	tb.press("Export CSV")
	var text string
	tb.evaluate("exported.text()", &text)
	if lines := strings.Split(text, "\r\n"); lines[0] != "at,peak_connections,backend_events,client_events,deliveries,requests" || len(lines) < 168 {
		t.Errorf("exported %d lines that begin with %q", len(lines), lines[0])
	}
	tb.press("24 hours")
	tb.await("location.search", "?range=24h")
}

// TestConsoleShowsTheClusterAndItsProblems has two nodes, of which one dies.
func TestConsoleShowsTheClusterAndItsProblems(t *testing.T) {
	t.Parallel()
	ports := service.FreePorts(t, 2)
	node := func(i int) service.Config {
		return service.Config{Settings: fmt.Sprintf(
			"cluster: {name: node-%d, listen: '127.0.0.1:%d', secret: 0123456789abcdef0123456789abcdef}\njoin: ['127.0.0.1:%d', '127.0.0.1:%d']",
			i, ports[i], ports[0], ports[1])}
	}
	a, b := service.StartTogether(t, node(0), node(1))
	tb := openConsole(t, a)
	tb.open("cluster")
	tb.see("node-0", "node-1", "The cluster has no problems", "cluster ok")
	tb.accessible("cluster")
	b.Kill()
	tb.see("What to do:", "problem")
	tb.gone("The cluster has no problems")
	tb.accessible("cluster with problems")
	if dir := picturesDir(); dir != "" {
		tb.picture(dir, "cluster", 1280, false)
		tb.picture(dir, "cluster", 390, true)
	}
}

// TestConsoleOfAWitnessShowsTheClusterOnly and says why.
func TestConsoleOfAWitnessShowsTheClusterOnly(t *testing.T) {
	t.Parallel()
	ports := service.FreePorts(t, 2)
	settings := func(i int) string {
		return fmt.Sprintf("cluster: {name: node-%d, listen: '127.0.0.1:%d', secret: 0123456789abcdef0123456789abcdef}\njoin: ['127.0.0.1:%d', '127.0.0.1:%d']\nwitness: %t",
			i, ports[i], ports[0], ports[1], i == 1)
	}
	_, witness := service.StartTogether(t, service.Config{Settings: settings(0)}, service.Config{Settings: settings(1)})
	tb := openTab(t, witness)
	tb.open("")
	tb.fill("Token", witness.Token())
	tb.press("Log in")
	tb.see("This node is a witness")
	tb.await(`[...document.querySelectorAll("nav a")].map((a) => a.textContent).join()`, "Nodes,Access,Audit,Documentation")
	tb.press("The cluster")
	tb.see("a witness", "node-0", "Engine")
	tb.open("apps/1/keys")
	tb.see("This node is a witness")
}

func TestConsoleDrainsANode(t *testing.T) {
	t.Parallel()
	svc := service.Start(t, service.Config{})
	tb := openConsole(t, svc)
	tb.open("cluster")
	tb.press("Drain this node…")
	tb.see("as with SIGTERM")
	var name string
	tb.evaluate(`document.querySelector("dialog label code").textContent`, &name)
	tb.fill("Type", name)
	tb.press("Drain and end")
	tb.see("The node has not answered since")
	svc.AwaitEnd()
}
