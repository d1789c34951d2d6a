package main

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry/cmd/belfry/internal/cli"
)

// get returns the status and the body of a page.
func get(t testing.TB, url string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// address is that of a listener, as a line of the log has it.
func address(line string) string {
	_, a, _ := strings.Cut(line, "address=")
	return a
}

var onEphemeralPorts = []string{"--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"}

func startServe(t testing.TB, dir string, args ...string) (p *process, plain, admin string) {
	t.Helper()
	p = start(t, setup{dir: dir}, append(append([]string{"serve"}, onEphemeralPorts...), args...)...)
	plain = address(p.err.await(t, "listener=plain"))
	admin = address(p.err.await(t, "listener=admin"))
	return p, plain, admin
}

func TestDevServesAPageAndStops(t *testing.T) {
	dev, address := startDev(t)
	status, page := get(t, "http://"+address+"/")
	if status != 200 || !strings.Contains(page, "<title>Belfry dev</title>") {
		t.Errorf("GET / = %d %.80s", status, page)
	}
	for _, want := range []string{"app id 1 · key app-key · secret app-secret", `new Pusher("app-key", {`, "wsPort: " + address[len("127.0.0.1:"):] + ","} {
		if !strings.Contains(dev.out.String(), want) {
			t.Errorf("dev did not print %q:\n%s", want, dev.out)
		}
	}
	if status := dev.stop(); status != 0 {
		t.Errorf("dev stopped with %d:\n%s", status, dev.err)
	}
}

func TestDevFormTriggers(t *testing.T) {
	_, address := startDev(t)
	subscribe := start(t, withURL(devURL(address)), "subscribe", "my-channel", "--count", "1")
	subscribe.err.await(t, "subscribed to my-channel")
	response, err := http.PostForm("http://"+address+"/dev/trigger", map[string][]string{"channel": {"my-channel"}, "event": {"my-event"}, "data": {"x"}})
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusNoContent {
		t.Errorf("POST /dev/trigger = %d, want 204", response.StatusCode)
	}
	if subscribe.end() != 0 || subscribe.out.String() != `{"event":"my-event","channel":"my-channel","data":"x"}`+"\n" {
		t.Errorf("subscribe printed %s%s", subscribe.out, subscribe.err)
	}
}

func TestDevIsForThisMachineOnly(t *testing.T) {
	for _, flag := range []string{"--listen=0.0.0.0:0", "--listen=:0", "--listen=10.1.2.3:0", "--admin-listen=[::]:0", "--listen=example.com:0"} {
		status, out, err := runCommand(t, setup{}, "dev", flag)
		if status != 2 || out != "" || !strings.Contains(err, "is not an address of this machine alone") {
			t.Errorf("dev %s = %d %q %q", flag, status, out, err)
		}
	}
}

func TestUnlimitedLiftsTheLimits(t *testing.T) {
	long := strings.Repeat("x", 20_000)
	for _, tt := range []struct {
		args   []string
		status int
	}{{nil, 1}, {[]string{"--unlimited"}, 0}} {
		_, address := startDev(t, tt.args...)
		if status, _, err := runCommand(t, withURL(devURL(address)), "trigger", "c", "e", long); status != tt.status {
			t.Errorf("an event of 20,000 bytes with dev %v = %d, want %d\n%s", tt.args, status, tt.status, err)
		}
	}
}

var credentials = regexp.MustCompile(`app id +(\d+)\n +key +([0-9a-f]+)\n +secret +([0-9a-f]+)\n`)

// TestNothingOfDevIsInServe asks for all that only dev has.
func TestNothingOfDevIsInServe(t *testing.T) {
	_, address, _ := startServe(t, t.TempDir())
	for _, path := range []string{"/dev/page.js", "/dev/trigger", "/pusher/auth?callback=Pusher.auth_callbacks['1']&socket_id=1.2&channel_name=private-a", "/pusher/user-auth"} {
		if status, body := get(t, "http://"+address+path); status != 404 {
			t.Errorf("GET %s = %d %.80s, want 404", path, status, body)
		}
	}
	if _, body := get(t, "http://"+address+"/"); strings.Contains(body, "app-key") {
		t.Errorf("GET / = %s", body)
	}
	if status, _, err := runCommand(t, withURL(devURL(address)), "trigger", "c", "e"); status != 1 || !strings.Contains(err, "Unknown auth_key") {
		t.Errorf("trigger with the credentials of dev = %d %s", status, err)
	}
}

func TestHealthOfServe(t *testing.T) {
	_, _, admin := startServe(t, t.TempDir())
	for path, want := range map[string]string{"/healthz": "OK\n", "/readyz": "OK\n", "/metrics": "go_goroutines", "/": "/metrics"} {
		if status, body := get(t, "http://"+admin+path); status != 200 || !strings.Contains(body, want) {
			t.Errorf("GET %s = %d %.80s", path, status, body)
		}
	}
}

func TestServeRefusesAWrongConfiguration(t *testing.T) {
	dir := t.TempDir()
	file := "lissten: x\napps:\n  - id: \"1\"\n    keys: [{key: k, secret: hunter2, x: y}]\n"
	if err := os.WriteFile(filepath.Join(dir, "belfry.yaml"), []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"serve", "check"} {
		s := setup{dir: dir, env: []string{"BELFRY_LISTN=x"}}
		status, out, err := runCommand(t, s, command, "--config", "belfry.yaml", "--log-level=loud")
		want := "belfry " + command + `: the configuration has 4 mistakes; nothing was started
belfry.yaml:1: lissten: unknown setting; did you mean listen?
belfry.yaml:4: apps[0].keys[0]: has an unknown setting; known here: key, secret
BELFRY_LISTN: unknown setting; did you mean BELFRY_LISTEN?
--log-level: log.level: "loud" is not one of debug, info, warn, error
`
		if status != 1 || out != "" || err != want {
			t.Errorf("%s = %d %q\n%s\nwant\n%s", command, status, out, err, want)
		}
	}
}

func TestCheckSaysWhatWouldRun(t *testing.T) {
	dir := t.TempDir()
	file := "apps:\n  - id: \"1\"\n    name: shop\n    keys: [{key: k, secret: hunter2}]\n    client_events: true\n"
	if err := os.WriteFile(filepath.Join(dir, "belfry.yaml"), []byte(file), 0o640); err != nil {
		t.Fatal(err)
	}
	s := setup{dir: dir, env: []string{"BELFRY_LOG_FORMAT=json"}}
	status, out, err := runCommand(t, s, "check", "--config", "belfry.yaml", "--path=/x")
	if status != 0 || err != "The configuration is right.\n" {
		t.Errorf("check = %d %s", status, err)
	}
	for _, want := range []string{`(?m)^path +/x +--path$`, `(?m)^log\.format +json +BELFRY_LOG_FORMAT$`, `(?m)^listen +0\.0\.0\.0:6001 +default$`, `APP 1 +key k \(secret hidden\) +belfry\.yaml:2`, `client_events +true +belfry\.yaml:5`} {
		if !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("check printed no %s:\n%s", want, out)
		}
	}
	if strings.Contains(out, "hunter2") {
		t.Errorf("check printed the secret:\n%s", out)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("check left %d files, want the one that was there", len(left))
	}
}

func TestCheckSaysThatAnAppWouldBeMade(t *testing.T) {
	dir := t.TempDir()
	status, out, _ := runCommand(t, setup{dir: dir}, "check")
	if status != 0 || !strings.Contains(out, "the first start makes one with random credentials in belfry-data.") {
		t.Errorf("check = %d\n%s", status, out)
	}
	if _, err := os.Stat(filepath.Join(dir, "belfry-data")); err == nil {
		t.Error("check made the data directory")
	}
}

func TestFileThatIsNotUsedIsMentioned(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "belfry.yaml"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	serve, _, _ := startServe(t, dir)
	if serve.stop() != 0 || !strings.Contains(serve.err.String(), "it is not used; pass --config belfry.yaml") {
		t.Errorf("serve logged\n%s", serve.err)
	}
}

func TestSignalsStop(t *testing.T) {
	serve, _, _ := startServe(t, t.TempDir())
	if err := serve.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if status := serve.end(); status != 0 {
		t.Errorf("status after Ctrl-C = %d, want 0", status)
	}
	if log := serve.err.String(); !strings.Contains(log, "msg=stopped") {
		t.Errorf("the log does not say that it stopped:\n%s", log)
	}
}

func TestVersion(t *testing.T) {
	status, out, _ := runCommand(t, setup{}, "version")
	if status != 0 || !regexp.MustCompile(`^belfry v1\.2\.3-test( commit [0-9a-f]{12})? go1\.\S+ \w+/\w+\n$`).MatchString(out) {
		t.Errorf("version = %d %q", status, out)
	}
}

func TestEveryCommandHasAnExample(t *testing.T) {
	var visit func(*cobra.Command)
	visit = func(c *cobra.Command) {
		if c.Example == "" || c.Short == "" || c.Long == "" {
			t.Errorf("the help of %s lacks an example or a text", c.CommandPath())
		}
		if !strings.Contains(c.Example, c.CommandPath()) {
			t.Errorf("the example of %s does not use it", c.CommandPath())
		}
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(newRoot(cli.Streams{}))
}

func TestMistypedCommands(t *testing.T) {
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"command":  {[]string{"serv"}, "serve"},
		"flag":     {[]string{"serve", "--lsiten=x"}, "unknown flag --lsiten; did you mean --listen?"},
		"argument": {[]string{"check", "belfry.yaml"}, `"belfry.yaml" is not expected; there are only flags here`},
	} {
		status, out, err := runCommand(t, setup{}, tt.args...)
		if status != 2 || out != "" || !strings.Contains(err, tt.want) || !strings.Contains(err, "--help") {
			t.Errorf("%s = %d %q %q, want 2 and %q", name, status, out, err, tt.want)
		}
	}
}
