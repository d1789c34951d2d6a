package acceptance

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/e2e/service"
)

const (
	modules = "../node_modules"
	suite   = "build/pusher-js"

	// specs is how many specs the suite of pusher-js 8.6.0 has for Node.
	specs = 84

	jasmine       = "../../../node_modules/jasmine/bin/jasmine.js"
	jasmineConfig = "--config=spec/config/jasmine/integration.json"
)

// apps are those whose keys are written into the suite.
const apps = `
  - id: "101"
    name: mt1
    keys: [{key: c49a449b916bb4246729, secret: secretmt1}]
    client_events: true
  - id: "102"
    name: eu
    keys: [{key: cb7d5e50f5669e5c9ae6, secret: secreteu}]
    client_events: true
`

// colour is what the suite's reporter paints its lines with.
var colour = regexp.MustCompile("\x1b\\[[0-9]+m")

func TestMain(m *testing.M) {
	os.Exit(service.Main(m))
}

func TestPusherJSIntegrationSuite(t *testing.T) {
	if os.Getenv("E2E_ACCEPTANCE") == "" {
		t.Skip("takes two minutes: make acceptance runs it")
	}
	if _, err := os.Stat(modules + "/webpack"); err != nil {
		t.Fatal("the suite is not installed: run npm ci --ignore-scripts in e2e/")
	}
	unpack(t)
	bundle(t, "")
	env := redirected(t, service.Start(t, service.Config{TLS: true, Apps: apps}))
	startAuthHelper(t, env)
	runSpecs(t, env, fmt.Sprintf("Executed %d of %[1]d specs SUCCESS", specs), jasmine, jasmineConfig)
}

// unpack copies the package to where it may be written to.
func unpack(t *testing.T) {
	t.Helper()
	if err := os.RemoveAll(suite); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(suite, os.DirFS(modules+"/pusher-js")); err != nil {
		t.Fatal(err)
	}
}

// bundle bundles the suite for Node, over some transports or its own choice.
func bundle(t *testing.T, transports string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "node", "../../build.cjs")
	cmd.Dir = suite
	cmd.Env = append(os.Environ(), "TRANSPORTS="+transports)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("bundle the suite: %v\n%s", err, out)
	}
}

// redirected is an environment in which the hosted service's names, and the
// suite's two ports on this machine, lead to s and to free ports.
func redirected(t *testing.T, s *service.Service) []string {
	t.Helper()
	helper := service.FreePorts(t, 2)
	routes, err := json.Marshal(map[string]int{
		"*.pusher.com:80":  port(t, s.Addr),
		"*.pusher.com:443": port(t, s.TLSAddr),
		"localhost:3000":   helper[0],
		"localhost:3001":   helper[1],
	})
	if err != nil {
		t.Fatal(err)
	}
	redirect, err := filepath.Abs("redirect.cjs")
	if err != nil {
		t.Fatal(err)
	}
	return append(os.Environ(),
		"REDIRECT="+string(routes),
		"NODE_OPTIONS=--require="+strconv.Quote(redirect),
		"NODE_EXTRA_CA_CERTS="+s.CAFile)
}

func port(t *testing.T, addr string) int {
	t.Helper()
	a, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	return a.Port
}

// startAuthHelper runs the suite's own backend, which authorizes channels and
// triggers events, until the test ends. It returns when both its servers
// listen.
func startAuthHelper(t *testing.T, env []string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, "node", "integration_tests_server/index.js")
	cmd.Dir = suite
	cmd.Env = append(env,
		"INTEGRATION_TESTS_APP_MT1_APP_ID=101",
		"INTEGRATION_TESTS_APP_MT1_KEY=c49a449b916bb4246729",
		"INTEGRATION_TESTS_APP_MT1_SECRET=secretmt1",
		"INTEGRATION_TESTS_APP_EU_APP_ID=102",
		"INTEGRATION_TESTS_APP_EU_KEY=cb7d5e50f5669e5c9ae6",
		"INTEGRATION_TESTS_APP_EU_SECRET=secreteu")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		cmd.Wait() // killed: its status says nothing
		if t.Failed() && stderr.Len() > 0 {
			t.Logf("the auth helper wrote:\n%s", &stderr)
		}
	})
	lines := bufio.NewScanner(stdout)
	for range 2 {
		if !lines.Scan() || !strings.Contains(lines.Text(), "listening on port") {
			t.Fatalf("the auth helper does not listen: %q %v", lines.Text(), lines.Err())
		}
	}
}

// runSpecs runs the suite with a runner and its arguments, passes on what it
// prints, and checks that this says what is wanted.
func runSpecs(t *testing.T, env []string, want string, runner ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 12*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", runner...)
	cmd.Dir = suite
	cmd.Env = env
	var out bytes.Buffer
	cmd.Stdout = io.MultiWriter(os.Stdout, &out)
	cmd.Stderr = cmd.Stdout
	if err := cmd.Run(); err != nil {
		t.Errorf("the suite: %v", err)
	}
	text := colour.ReplaceAllString(out.String(), "")
	if !strings.Contains(text, want) {
		t.Errorf("the suite did not say %q", want)
	}
}
