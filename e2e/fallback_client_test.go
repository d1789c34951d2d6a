package e2e

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/e2e/service"
)

// A fallbackClient is one way in which pusher-js connects without WebSocket.
type fallbackClient struct {
	name      string
	chromium  bool
	transport string
	preload   bool // the page brings the SockJS script itself
}

// fallbackClients are all of them but those of browsers that are no more.
var fallbackClients = []fallbackClient{
	{name: "node xhr_streaming", transport: "xhr_streaming"},
	{name: "node xhr_polling", transport: "xhr_polling"},
	{name: "chromium xhr_streaming", chromium: true, transport: "xhr_streaming"},
	{name: "chromium xhr_polling", chromium: true, transport: "xhr_polling"},
	{name: "chromium sockjs", chromium: true, transport: "sockjs"},
	{name: "chromium sockjs preloaded", chromium: true, transport: "sockjs", preload: true},
}

// require skips the test where something is missing, unless the environment
// says that it has to be there.
func require(t testing.TB, there bool, missing string) {
	t.Helper()
	switch {
	case there:
	case os.Getenv("E2E_REQUIRED") != "":
		t.Fatal(missing)
	default:
		t.Skip(missing)
	}
}

// requireChromium is for tests in a browser, which loads pusher-js from the
// service.
func requireChromium(t testing.TB) {
	t.Helper()
	requireModules(t)
	name := os.Getenv("CHROMIUM")
	if name == "" {
		name = "chromium"
	}
	_, err := exec.LookPath(name)
	require(t, err == nil, "Chromium is not installed: apt-get install chromium, or name another in $CHROMIUM")
}

// requireReleases is for tests with what js/fallback installs.
func requireReleases(t testing.TB) {
	t.Helper()
	requireModules(t)
	_, err := os.Stat("js/fallback/node_modules/sockjs-client/package.json")
	require(t, err == nil, "older releases are not installed: run npm ci --ignore-scripts in e2e/js/fallback/")
}

// fallbackApps has one app whose clients may send many events.
const fallbackApps = `
  - id: "1"
    keys: [{key: app-key, secret: app-secret}]
    client_events: true
    subscription_count: true
    watchlist_events: true
    limits: {client_events_per_second: 1000}
`

// playFallback runs a test with every client, on services of their own.
func playFallback(t *testing.T, cfg service.Config, test func(s *scene, c fallbackClient)) {
	t.Parallel()
	if cfg.Apps == "" {
		cfg.Apps = fallbackApps
	}
	for _, c := range fallbackClients {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			requireModules(t)
			if c.chromium {
				requireChromium(t)
			}
			svc := service.Start(t, cfg)
			be := startGoBackend(t, svc, theApp)
			test(&scene{t, svc, be, c.open(t, svc, be.AuthURL())}, c)
		})
	}
}

// open opens a browser for the client's pages.
func (c fallbackClient) open(t testing.TB, s *service.Service, authURL string) *browser {
	t.Helper()
	if !c.chromium {
		return openBrowser(t, s, authURL)
	}
	load := []string{clientFile(s, "pusher-with-encryption.js")}
	if c.preload {
		load = append(load, clientFile(s, "sockjs.js"))
	}
	return openChromium(t, s, authURL, load)
}

// clientFile is the address of one of the files that the service has for
// browsers.
func clientFile(s *service.Service, name string) string {
	if s.TLSAddr != "" {
		return "https://" + s.TLSAddr + "/8.6.0/" + name
	}
	return "http://" + s.Addr + "/8.6.0/" + name
}

// openChromium opens a page in Chromium that loads scripts. What pusher-js
// loads itself comes from the service, under the name of the hosted one.
func openChromium(t testing.TB, s *service.Service, authURL string, load []string) *browser {
	t.Helper()
	b := &browser{t: t, service: s, authURL: authURL, pages: make(map[string]*page)}
	b.node = startNode(t, "fallback_chromium.mjs", "", b.saw)
	rules := []string{"MAP js.pusher.com:80 " + s.Addr}
	if s.TLSAddr != "" {
		rules = append(rules, "MAP js.pusher.com:443 "+s.TLSAddr)
	}
	b.node.must("open", map[string]any{"load": load, "rules": strings.Join(rules, ",")}, nil)
	return b
}

// fallbackOptions are what a page passes to new Pusher() to connect over one
// transport.
func (b *browser) fallbackOptions(user, transport string) map[string]any {
	options := b.options(map[string]string{"user": strings.TrimRight(user, "0123456789")})
	options["httpHost"] = "127.0.0.1"
	options["httpPort"] = port(b.service.Addr)
	options["httpsPort"] = port(b.service.TLSAddr)
	options["forceTLS"] = b.service.TLSAddr != ""
	options["enabledTransports"] = []string{transport}
	return options
}

// openPage opens a connected page over the client's transport.
func (s *scene) openPage(c fallbackClient, name string) *page {
	s.Helper()
	p := s.browser.Start(name, service.Key, s.browser.fallbackOptions(name, c.transport))
	p.AwaitState("connected")
	return p
}
