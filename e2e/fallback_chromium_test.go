package e2e

import (
	"fmt"
	"testing"

	"github.com/belfryhq/belfry/e2e/service"
)

// TestFallbackEightStreamsOverHTTP2: with HTTP/1.1 browsers open six
// connections to a host, so that the seventh streaming client waits for ever.
func TestFallbackEightStreamsOverHTTP2(t *testing.T) {
	t.Parallel()
	s := chromiumScene(t, service.Config{TLS: true}, "pusher-with-encryption.js")
	var pages []*page
	for i := range 8 {
		p := s.openPage(fallbackClient{transport: "xhr_streaming"}, fmt.Sprintf("ann%d", i))
		p.Subscribe("news")
		pages = append(pages, p)
	}
	s.trigger("news", "paid", order)
	for _, p := range pages {
		p.AwaitData("news", "paid", order)
	}
}

// chromiumScene is a service and a page that loads one of its files.
func chromiumScene(t *testing.T, cfg service.Config, file string) *scene {
	t.Helper()
	requireChromium(t)
	cfg.Apps = fallbackApps
	svc := service.Start(t, cfg)
	be := startGoBackend(t, svc, theApp)
	return &scene{t, svc, be, openChromium(t, svc, be.AuthURL(), []string{clientFile(svc, file)})}
}

// TestFallbackSubTransportsOfSockJS: each carries a connection alone.
func TestFallbackSubTransportsOfSockJS(t *testing.T) {
	t.Parallel()
	all := []string{"iframe-eventsource", "iframe-htmlfile", "iframe-xhr-polling", "jsonp-polling"}
	for _, one := range all {
		t.Run(one, func(t *testing.T) {
			t.Parallel()
			requireChromium(t)
			svc := service.Start(t, service.Config{Apps: fallbackApps})
			be := startGoBackend(t, svc, theApp)
			b := openChromium(t, svc, be.AuthURL(), []string{clientFile(svc, "pusher-with-encryption.js"), clientFile(svc, "sockjs.js")})
			// A page names the transports that it wants; the client itself
			// has no such option.
			b.node.must("evaluate", map[string]any{"script": fmt.Sprintf(`
				const SockJS = globalThis.SockJS;
				globalThis.SockJS = function (url, protocols, options) {
					return new SockJS(url, [%q], options);
				};`, one)}, nil)
			s := &scene{t, svc, be, b}
			ann := s.openPage(fallbackClient{transport: "sockjs"}, "ann")
			for _, channel := range everyKind {
				ann.Subscribe(channel)
				s.trigger(channel, "paid", order)
				ann.AwaitData(channel, "paid", order)
			}
			for _, text := range []string{"%41", "%u0041", "a\nb\r\n", "</script>", "\u2028"} {
				s.trigger("news", "text", text)
				ann.AwaitData("news", "text", text)
			}
		})
	}
}

// TestFallbackUpstreamSockJS: a page may bring the SockJS client that
// everybody else uses.
func TestFallbackUpstreamSockJS(t *testing.T) {
	t.Parallel()
	requireReleases(t)
	requireChromium(t)
	svc := service.Start(t, service.Config{Apps: fallbackApps})
	be := startGoBackend(t, svc, theApp)
	b := openChromium(t, svc, be.AuthURL(), []string{clientFile(svc, "pusher-with-encryption.js"), "/sockjs-client.js"})
	s := &scene{t, svc, be, b}
	ann := s.openPage(fallbackClient{transport: "sockjs"}, "ann")
	ann.Subscribe("presence-room")
	s.trigger("presence-room", "paid", order)
	ann.AwaitData("presence-room", "paid", order)
	var version string
	b.node.must("evaluate", map[string]any{"script": "globalThis.SockJS.version"}, &version)
	if version != "1.6.1" {
		t.Errorf("the page used SockJS %q, want 1.6.1", version)
	}
}

// TestFallbackInAWorker: the build for workers has the HTTP transports too.
func TestFallbackInAWorker(t *testing.T) {
	t.Parallel()
	s := chromiumScene(t, service.Config{}, "pusher-with-encryption.js")
	for _, transport := range []string{"xhr_streaming", "xhr_polling"} {
		script := fmt.Sprintf(`new Promise((resolve, reject) => {
			const text = 'importScripts(%q); const pusher = new Pusher(%q, { cluster: "", httpHost: "127.0.0.1", httpPort: %d, forceTLS: false, enabledTransports: [%q] });' +
				'pusher.connection.bind("error", (e) => postMessage("error " + JSON.stringify(e)));' +
				'pusher.subscribe("cache-prices").bind("paid", (data) => postMessage(data));';
			const worker = new Worker(URL.createObjectURL(new Blob([text])));
			worker.onmessage = ({ data }) => resolve(data);
			worker.onerror = (e) => reject(e.message);
		})`, clientFile(s.service, "pusher.worker.js"), service.Key, port(s.service.Addr), transport)
		s.trigger("cache-prices", "paid", transport) // which the worker gets when it subscribes
		var got string
		s.browser.node.must("evaluate", map[string]any{"script": script}, &got)
		if got != transport {
			t.Errorf("the worker got %q, want %q", got, transport)
		}
	}
}

// TestFallbackPageThatIsLeft: whoever closes a page is gone within moments.
func TestFallbackPageThatIsLeft(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"xhr_streaming", "xhr_polling", "sockjs"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			s := chromiumScene(t, service.Config{}, "pusher-with-encryption.js")
			watcher := openBrowser(t, s.service, s.backend.AuthURL()).Open("watcher")
			watcher.Subscribe("presence-room")
			ann := s.openPage(fallbackClient{transport: transport}, "ann")
			ann.Subscribe("presence-room")
			watcher.AwaitMember("presence-room", "added")
			s.browser.node.must("evaluate", map[string]any{"script": `void setTimeout(() => { location.href = "about:blank"; })`}, nil)
			if got := watcher.AwaitMember("presence-room", "removed"); got != "ann" {
				t.Errorf("member removed = %s, want ann", got)
			}
		})
	}
}

// TestFallbackReports: clients that are told to report are counted.
func TestFallbackReports(t *testing.T) {
	t.Parallel()
	s := chromiumScene(t, service.Config{}, "pusher-with-encryption.js")
	options := s.browser.fallbackOptions("ann", "xhr_polling")
	options["enableStats"] = true
	options["statsHost"] = s.service.Addr
	s.browser.Start("ann", service.Key, options).AwaitState("connected")
	nodes := openBrowser(t, s.service, s.backend.AuthURL())
	nodes.Start("bob", service.Key, options).AwaitState("connected")
	awaitMetric(t, s.service, `belfry_client_reports_total{client="js",version="8.6.0"} 2`)
	awaitMetric(t, s.service, `belfry_client_transport_events_total{client="js",event="open",transport="xhr_polling",version="8.6.0"} 2`)
}
