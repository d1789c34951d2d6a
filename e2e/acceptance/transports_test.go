package acceptance

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/belfryhq/belfry/e2e/service"
)

// How many specs of the suite of pusher-js 8.6.0 there are with other
// transports and in a browser.
const (
	nodeHTTPSpecs       = 140
	chromiumSpecs       = 228
	chromiumSockJSSpecs = 72
)

// needAll skips the test unless all runs of the suite were asked for.
func needAll(t *testing.T) {
	t.Helper()
	if os.Getenv("E2E_ACCEPTANCE") != "all" {
		t.Skip("takes minutes: E2E_ACCEPTANCE=all runs it")
	}
}

// TestHTTPTransportsInNode runs the specs that need a server over streaming
// and polling.
func TestHTTPTransportsInNode(t *testing.T) {
	needAll(t)
	unpack(t)
	addTransports(t)
	bundle(t, "xhr_streaming,xhr_polling")
	env := redirected(t, service.Start(t, service.Config{TLS: true, Apps: apps}))
	startAuthHelper(t, env)
	runSpecs(t, env, fmt.Sprintf("Executed %d of %[1]d specs SUCCESS", nodeHTTPSpecs), jasmine, jasmineConfig)
}

// addTransports adds the entry to the suite that takes transports from the
// environment.
func addTransports(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile("transports.cjs")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(suite+"/spec/javascripts/integration/index.transports.js", text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestChromium runs the suite as it is shipped in a browser: over ws,
// xhr_streaming and xhr_polling.
func TestChromium(t *testing.T) { runInChromium(t, "", chromiumSpecs) }

// TestSockJSInChromium runs the specs that need a server over SockJS, whose
// script comes from the service too.
func TestSockJSInChromium(t *testing.T) { runInChromium(t, "sockjs", chromiumSockJSSpecs) }

func runInChromium(t *testing.T, transports string, specs int) {
	needAll(t)
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("Chromium is not installed: apt-get install chromium")
	}
	if _, err := os.Stat("node_modules/karma"); err != nil {
		t.Fatal("karma is not installed: run npm ci --ignore-scripts in e2e/acceptance/")
	}
	unpack(t)
	addTransports(t)
	env := redirected(t, service.Start(t, service.Config{TLS: true, Apps: apps}))
	startAuthHelper(t, env)
	env = append(env, "TRANSPORTS="+transports, "CHROME_BIN="+chromium, fmt.Sprintf("KARMA_PORT=%d", service.FreePorts(t, 1)[0]))
	runSpecs(t, env, fmt.Sprintf(": %d tests\n   - %[1]d ok\n", specs), "../../node_modules/karma/bin/karma", "start", "../../karma.cjs", "--single-run")
}
