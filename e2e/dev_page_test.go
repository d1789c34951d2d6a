package e2e

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/e2e/service"
)

// A devPage is the page of belfry dev in a browser.
type devPage struct{ *node }

func openDevPage(t *testing.T, address string) devPage {
	t.Helper()
	requireChromium(t)
	p := devPage{startNode(t, "site.mjs", "", func(seen) {})}
	t.Cleanup(func() { p.must("close", nil, nil) })
	p.must("visit", map[string]any{"url": address}, nil)
	return p
}

func (p devPage) await(script, want string) {
	p.t.Helper()
	p.must("await", map[string]any{"script": script, "want": want, "patience": service.Patience.Milliseconds()}, nil)
}

// ask does what a person does with the form.
func (p devPage) ask(channel, button string) {
	p.t.Helper()
	script := fmt.Sprintf("document.querySelector('[name=channel]').value = %q; document.querySelector(%q).click()", channel, button)
	p.must("evaluate", map[string]any{"script": script}, nil)
}

// What stands on the page.
const (
	devState    = `document.getElementById("state").dataset.state`
	devSays     = `document.getElementById("state").textContent`
	devChannels = `document.getElementById("channels").textContent`
	devAnswer   = `document.getElementById("answer").textContent.trim()`
	devSubmit   = "#trigger [type=submit]"
	devFollow   = "#follow"
)

// TestDevPageProvesThatPusherJSWorks: it is pusher-js that connects, subscribes to
// each kind of channel, comes back when the service does, and says so.
func TestDevPageProvesThatPusherJSWorks(t *testing.T) {
	t.Parallel()
	svc := service.StartDev(t)
	p := openDevPage(t, "http://"+svc.Addr+"/")
	p.await(devState, "good")
	p.await(devSays+`.replace(/[\d.]+/, "N")`, "pusher-js is connected as N over ws")
	p.await(devChannels, "my-channel")
	all := "my-channel"
	for _, channel := range []string{"private-chat", "private-encrypted-diary", "cache-scores", "presence-room"} {
		p.ask(channel, devFollow)
		all += ", " + channel
		p.await(devChannels, all)
	}
	p.ask("my-channel", devSubmit)
	p.await(`document.querySelector("#events li:not(.own)").textContent.replace(/^.*M /, "")`, `my-event on my-channel{"text":"Hello"}`)
	svc.Stop()
	p.await(devState, "bad")
	p.await(devChannels, "no channel")
	svc.Restart()
	p.await(devState, "good")
	p.await(`document.getElementById("channels").textContent.split(", ").sort().join()`, "cache-scores,my-channel,presence-room,private-chat,private-encrypted-diary")
}

// TestDevPageLeadsIntoTheConsole from each of its links.
func TestDevPageLeadsIntoTheConsole(t *testing.T) {
	t.Parallel()
	svc := service.StartDev(t)
	p := openDevPage(t, "http://"+svc.Addr+"/")
	p.await(devState, "good")
	var links []string
	p.must("evaluate", map[string]any{"script": `[...document.querySelectorAll("section[aria-labelledby=inside] a")].map((a) => a.href)`}, &links)
	if len(links) < 5 {
		t.Fatalf("the page leads to %q", links)
	}
	tb := openTab(t, svc)
	for _, link := range links {
		path, ok := strings.CutPrefix(link, tb.home)
		if !ok {
			t.Fatalf("the page leads to %s, and the console is at %s", link, tb.home)
		}
		tb.open(path)
		tb.await(`document.querySelector("main h1").textContent === "Not found"`, false)
	}
	tb.open("apps/1/live?type=connection,subscribed")
	tb.see("since")
	dialWire(t, svc)
	tb.see("Connection")
}

// TestDevPageBehindATunnel has TLS in front, as tunnels do, and answers to any name.
func TestDevPageBehindATunnel(t *testing.T) {
	t.Parallel()
	svc := service.StartDev(t, "--allow-host", "*")
	tunnel := httptest.NewTLSServer(&httputil.ReverseProxy{FlushInterval: -1, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: svc.Addr})
		r.Out.Host = r.In.Host
		r.SetXForwarded()
	}})
	t.Cleanup(tunnel.Close)
	host := strings.Replace(strings.TrimPrefix(tunnel.URL, "https://"), "127.0.0.1", "belfry-tunnel.localhost", 1)
	p := openDevPage(t, "https://"+host+"/")
	p.await(devState, "good")
	p.ask("private-chat", devFollow)
	p.await(devChannels, "my-channel, private-chat")
	name, port, _ := net.SplitHostPort(host)
	for _, line := range []string{
		fmt.Sprintf(`wsHost: "%s", wsPort: %s, wssPort: %s`, name, port, port), "forceTLS: true", "REVERB_SCHEME=https", `endpoint: "https://` + host + `/pusher/auth"`,
	} {
		p.await(fmt.Sprintf(`String(document.body.textContent.includes(%q))`, line), "true")
	}
	for _, odd := range []string{"a;script-src", "a'b", `a"b`, "a,b"} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+svc.Addr+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = odd
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode == http.StatusOK {
			t.Errorf("the host %q is answered with %d and the policy %q", odd, answer.StatusCode, answer.Header.Get("Content-Security-Policy"))
		}
	}
}
