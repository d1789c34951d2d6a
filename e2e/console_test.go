package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/e2e/service"
)

// A tab is the console in a browser.
type tab struct {
	*node
	home string // with a slash at its end
}

// openTab opens an empty tab for the console of a service. What a page must not
// do fails the test when it ends: a script that throws, something that its policy
// refuses, a request to another host.
func openTab(t testing.TB, svc *service.Service) *tab {
	t.Helper()
	requireChromium(t)
	tb := &tab{startNode(t, "console.mjs", "", func(seen) {}), "http://" + svc.AdminAddr + "/console/"}
	t.Cleanup(func() {
		var trouble []string
		tb.must("trouble", nil, &trouble)
		for _, what := range trouble {
			t.Errorf("the page: %s", what)
		}
		tb.must("close", nil, nil)
	})
	return tb
}

// openConsole opens the console of a service and logs in with the token.
func openConsole(t testing.TB, svc *service.Service) *tab {
	t.Helper()
	tb := openTab(t, svc)
	tb.open("")
	tb.fill("Token", svc.Token())
	tb.press("Log in")
	tb.see("Create an app")
	return tb
}

func (tb *tab) open(path string) {
	tb.t.Helper()
	tb.must("open", map[string]any{"url": tb.home + path}, nil)
}

func (tb *tab) patient(params map[string]any) map[string]any {
	params["patience"] = (service.Patience / 3).Milliseconds()
	return params
}

func (tb *tab) press(text string) {
	tb.t.Helper()
	tb.must("press", tb.patient(map[string]any{"text": text}), nil)
}

func (tb *tab) fill(label string, value any) {
	tb.t.Helper()
	tb.must("fill", tb.patient(map[string]any{"label": label, "value": value}), nil)
}

func (tb *tab) see(texts ...string) {
	tb.t.Helper()
	for _, text := range texts {
		tb.must("see", tb.patient(map[string]any{"text": text}), nil)
	}
}

func (tb *tab) gone(text string) {
	tb.t.Helper()
	tb.must("see", tb.patient(map[string]any{"text": text, "gone": true}), nil)
}

func (tb *tab) await(script string, want any) {
	tb.t.Helper()
	tb.must("await", tb.patient(map[string]any{"script": script, "want": want}), nil)
}

func (tb *tab) evaluate(script string, result any) {
	tb.t.Helper()
	tb.must("evaluate", map[string]any{"script": script}, result)
}

func (tb *tab) keys(keys ...string) {
	tb.t.Helper()
	for _, key := range keys {
		tb.must("key", map[string]any{"key": key}, nil)
	}
}

// accessible fails the test if the page shuts people out.
func (tb *tab) accessible(page string) {
	tb.t.Helper()
	var found []string
	tb.must("axe", nil, &found)
	for _, what := range found {
		tb.t.Errorf("%s: %s", page, what)
	}
	var over int
	tb.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth", &over)
	if over > 0 {
		tb.t.Errorf("%s is %d pixels wider than the screen", page, over)
	}
}

// picture writes what the page looks like into a directory, for eyes.
func (tb *tab) picture(dir, name string, width int, dark bool) {
	tb.t.Helper()
	var picture []byte
	tb.must("picture", map[string]any{"width": width, "dark": dark}, &picture)
	file := fmt.Sprintf("console-%s-%d-%s.png", name, width, map[bool]string{false: "light", true: "dark"}[dark])
	if err := os.WriteFile(filepath.Join(dir, file), picture, 0o600); err != nil {
		tb.t.Fatal(err)
	}
}

// api asks the admin API with the token.
func api(t testing.TB, svc *service.Service, method, path, body string, status int, answer any) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+svc.AdminAddr+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+svc.Token())
	r.Close = true
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != status {
		t.Fatalf("%s %s = %s %s, %v, want %d", method, path, response.Status, text, err, status)
	}
	if answer != nil {
		if err := json.Unmarshal(text, answer); err != nil {
			t.Fatal(err)
		}
	}
}

// TestConsoleTellsNothingBeforeTheLogin: a form and the name.
func TestConsoleTellsNothingBeforeTheLogin(t *testing.T) {
	t.Parallel()
	svc := service.Start(t, service.Config{})
	tb := openTab(t, svc)
	tb.open("apps/1/keys")
	tb.see("Token")
	var text string
	tb.evaluate("document.body.innerText + document.title", &text)
	for _, secret := range []string{service.AppID + " ", service.Key, "everything on", "dev"} {
		if strings.Contains(text, secret) {
			t.Errorf("the form says %q:\n%s", secret, text)
		}
	}
	tb.accessible("login")
	if dir := picturesDir(); dir != "" {
		tb.picture(dir, "login", 1280, false)
		tb.picture(dir, "login", 390, true)
	}
	tb.fill("Token", "not the token")
	tb.press("Log in")
	tb.see("The token is not known")
	tb.fill("Token", svc.Token())
	tb.press("Log in")
	tb.see("The oldest signs webhooks") // the page that was asked for
	tb.await("document.cookie", "")
	tb.await("JSON.stringify(localStorage) + JSON.stringify(sessionStorage)", "{}{}")
	tb.press("Log out")
	tb.see("Token")
	tb.open("")
	tb.see("Token")
}

// TestConsoleCommandLogsInOnce takes the address that belfry console prints.
func TestConsoleCommandLogsInOnce(t *testing.T) {
	t.Parallel()
	svc := service.Start(t, service.Config{})
	command := exec.CommandContext(t.Context(), service.Binary(), "console", "--admin", "http://"+svc.AdminAddr)
	command.Env = append(service.Environment(), "BELFRY_ADMIN_TOKEN="+svc.Token())
	out, err := command.Output()
	if err != nil {
		t.Fatalf("belfry console: %v", err)
	}
	address := strings.TrimSpace(string(out))
	if !strings.HasPrefix(address, "http://belfry.localhost:") || strings.Contains(address, svc.Token()) {
		t.Fatalf("belfry console printed %q", address)
	}
	tb := openTab(t, svc)
	tb.home = strings.TrimSuffix(address, address[strings.Index(address, "#"):])
	tb.must("open", map[string]any{"url": address}, nil)
	tb.see("Create an app")
	tb.await("location.hash", "")
	tb.press("Log out")
	tb.must("open", map[string]any{"url": address}, nil)
	tb.see("The address was used already", "Token")
}

// TestDevConsoleAsksNobodyWhoHeIs and its page leads there.
func TestDevConsoleAsksNobodyWhoHeIs(t *testing.T) {
	t.Parallel()
	svc := service.StartDev(t)
	tb := openTab(t, svc)
	tb.open("")
	tb.see("nobody has to log in here", "dev", "Create an app")
	tb.open("apps/1")
	tb.see("app-key")
	svc.Stop()
	svc.Restart()
	tb.press("Keys")
	tb.see("The oldest signs webhooks")
}
