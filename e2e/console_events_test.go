package e2e

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/e2e/service"
)

// frame is an event as a client gets it.
type frame struct{ Event, Channel, Data string }

// event reads until an event of an app comes.
func (w *wire) event() (f frame) {
	w.t.Helper()
	for f.Event == "" || strings.HasPrefix(f.Event, "pusher") {
		f = frame{}
		if err := json.Unmarshal(w.read(), &f); err != nil {
			f.Event = "" // the data of a frame of the protocol may be an object
		}
	}
	return f
}

func (w *wire) expectEvent(want frame) {
	w.t.Helper()
	if got := w.event(); got != want {
		w.t.Errorf("the client got %+v, want %+v", got, want)
	}
}

// TestConsoleCreatesEvents sends from the page as a person does: to channels, to a
// user, as text, without a connection, as a batch.
func TestConsoleCreatesEvents(t *testing.T) {
	t.Parallel()
	svc := service.Start(t, service.Config{Apps: `
  - id: "1"
    keys: [{key: app-key, secret: app-secret}]
    limits: {event_data: 100, events_per_batch: 3}
`})
	w, other := dialWire(t, svc), dialWire(t, svc)
	w.subscribe("news", "")
	w.subscribe("private-orders", "")
	w.signIn("ann")
	other.subscribe("news", "")
	tb := openConsole(t, svc)

	tb.open("apps/1/events")
	tb.press("news (2)") // a channel that there is
	tb.fill("Event", "greeting")
	tb.fill("Data", `{"text": "hi", "n": 1.10`)
	tb.see("Not JSON")
	tb.fill("Data", `{"text": "hi", "n": 1.10}`)
	tb.gone("Not JSON")
	tb.press("Format")
	tb.await(`field("Data").value`, "{\n  \"text\": \"hi\",\n  \"n\": 1.1\n}")
	tb.fill("Data", `{"text": "hi", "n": 1.10}`)
	tb.accessible("event creator")
	tb.press("Send")
	tb.see("On its way", "2 subscriptions on this node", "0 subscriptions on other nodes")
	for _, client := range []*wire{w, other} {
		client.expectEvent(frame{"greeting", "news", `{"text":"hi","n":1.10}`})
	}
	tb.await(`location.search`, "?channel=news&event=greeting")
	tb.accessible("event creator with a result")
	tb.press("Explain who got it")
	tb.see("The event", "greeting")

	// What was sent can be filled in again, and does not send itself.
	tb.open("apps/1/events")
	tb.see("Nobody else has them")
	tb.press("greeting to news")
	tb.fill("Leave out the connection", w.id)
	tb.fill("Data", "just words")
	tb.press("Send")
	tb.see("Send it as text?")
	tb.press("Send as text")
	tb.see("2 subscriptions on this node")
	other.expectEvent(frame{"greeting", "news", "just words"})

	// With the keyboard, to all connections of a user.
	tb.fill("the connections of a user", true)
	tb.fill("User", "ann")
	tb.fill("Leave out the connection", "")
	tb.fill("Data", `[1]`)
	tb.evaluate(`field("Data").dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", ctrlKey: true, bubbles: true, cancelable: true }))`, nil)
	tb.see("1 subscription on this node")
	w.expectEvent(frame{"greeting", "#server-to-user-ann", `[1]`})

	// As a batch, for which the app has a limit.
	tb.fill("channels", true)
	tb.fill("Channels", "news\nprivate-orders")
	tb.press("Add to a batch")
	tb.fill("Channels", "news")
	tb.fill("Event", "second")
	tb.press("Add to a batch")
	tb.press("Send the batch")
	tb.see("5 subscriptions on this node")
	for _, want := range []frame{{"greeting", "news", "[1]"}, {"greeting", "private-orders", "[1]"}, {"second", "news", "[1]"}} {
		if want.Channel == "news" {
			other.expectEvent(want)
		}
		w.expectEvent(want)
	}
	tb.press("Add to a batch")
	tb.see("at most 3 events")

	// What would be refused is said before, and what is refused is told in its words.
	tb.fill("Channels", "no spaces")
	tb.see("ASCII letters")
	tb.fill("Channels", "nobody")
	tb.fill("Data", strings.Repeat("é", 51))
	tb.see("The data has 102 bytes, and may have 100.")
	tb.press("Send")
	tb.see("Nothing was sent: see what is marked above.")
	tb.fill("Data", "{}")
	tb.press("Send")
	tb.see("Nobody was subscribed", "Channels that somebody is subscribed to, and that begin like it")
	tb.fill("Name for what stands above", "Mine")
	tb.press("Keep it")
	tb.see("Mine:")
	tb.press("Clear all")
	tb.gone("Mine:")
	tb.await("JSON.stringify(localStorage)", "{}")
}

// TestConsoleIsRefusedAsBackendsAre and says so in the same words.
func TestConsoleIsRefusedAsBackendsAre(t *testing.T) {
	t.Parallel()
	svc := service.Start(t, service.Config{})
	api(t, svc, "POST", "/api/v1/apps", `{"id":"77","limits":{"backend_events_per_second":1}}`, http.StatusCreated, nil)
	tb := openConsole(t, svc)
	tb.open("apps/77/events?channel=a&event=e")
	tb.see("The same in code")
	tb.press("Send")
	tb.see("Nobody was subscribed")
	tb.evaluate(`for (let i = 0; i < 3; i++) fetch("/api/v1/apps/77/events", { method: "POST", headers: { "Content-Type": "application/json" }, body: '{"name":"e","channel":"a","data":""}' })`, nil)
	tb.press("Send")
	tb.see("Too many requests.", "A backend would get 429")
	tb.accessible("refused event")
	api(t, svc, "PATCH", "/api/v1/apps/77", `{"disabled":true}`, http.StatusOK, nil)
	tb.open("apps/77/events?channel=a&event=e")
	tb.see("The app is disabled")
	tb.press("Send")
	tb.see("App disabled", "A backend would get 403")
}

// TestEventsInCodeRunAsTheyStand copies what the page shows for each language, puts
// the secret in, and runs it.
func TestEventsInCodeRunAsTheyStand(t *testing.T) {
	t.Parallel()
	svc := service.Start(t, service.Config{})
	w := dialWire(t, svc)
	w.subscribe("news", "")
	tb := openConsole(t, svc)
	const name = `it's $HOME "#{x}`
	tb.open("apps/1/events?channel=news&event=" + url.QueryEscape(name))
	const data = "it's $HOME \"#{1}\" `id` \\ \u202e😀"
	tb.fill("Data", data)
	shown := make(map[string]bool)
	for _, run := range codeRunners(t, svc) {
		tb.fill("For", run.title)
		var code string
		for deadline := time.Now().Add(service.Patience); code == "" || shown[code]; { // until the page has drawn it
			if tb.evaluate(`document.querySelector("section[aria-labelledby=code] pre").innerText`, &code); time.Now().After(deadline) {
				t.Fatalf("the page does not show the code of %s", run.title)
			}
		}
		shown[code] = true
		if !strings.Contains(code, "app-key") && run.title != "Admin API" {
			t.Errorf("%s has no key:\n%s", run.title, code)
		}
		out, err := run.command(strings.ReplaceAll(code, "SECRET", service.Secret)).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s\n%s", run.title, err, out, code)
			continue
		}
		w.expectEvent(frame{name, "news", data})
	}
}

type codeRunner struct {
	title   string
	command func(code string) *exec.Cmd
}

// codeRunners run what stands on the page, for what is installed with the tests.
func codeRunners(t *testing.T, svc *service.Service) []codeRunner {
	t.Helper()
	bin := t.TempDir()
	if err := os.Symlink(service.Binary(), filepath.Join(bin, "belfry")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(bin, "belfry-data"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bin, "belfry-data", "admin-token"), []byte(svc.Token()), 0o600); err != nil {
		t.Fatal(err)
	}
	command := func(dir, name string, arg ...string) *exec.Cmd {
		c := exec.CommandContext(t.Context(), name, arg...)
		c.Dir, c.Env = dir, append(service.Environment(), "PATH="+bin+":"+os.Getenv("PATH"))
		return c
	}
	shell := func(code string) *exec.Cmd { return command(bin, "bash", "-ec", code) }
	python := filepath.Join("python", ".venv", "bin", "python")
	_, err := os.Stat(python)
	require(t, err == nil, "the library for Python is not installed: run scripts/setup")
	return []codeRunner{
		{"curl", shell}, {"Admin API", shell}, {"Command line", shell},
		{"Node", func(code string) *exec.Cmd { return command("", "node", "--input-type=module", "-e", code) }},
		{"Python", func(code string) *exec.Cmd { return command("", python, "-c", code) }},
	}
}

// TestConsoleSaysWhoWouldGetAnEvent and sends nothing.
func TestConsoleSaysWhoWouldGetAnEvent(t *testing.T) {
	t.Parallel()
	svc := service.Start(t, service.Config{})
	w, other := dialWire(t, svc), dialWire(t, svc)
	w.subscribe("news", "")
	other.subscribe("news", "")
	w.signIn("ann")
	tb := openConsole(t, svc)
	tb.open("apps/1/events")
	tb.fill("Channels", "news\nnothing")
	tb.fill("Leave out the connection", w.id)
	tb.press("Who would get it?")
	tb.await(`document.querySelector("[aria-labelledby=audience]").innerText.includes("2 subscriptions, but not `+w.id+`")`, true)
	tb.see("nobody", "Nothing was sent.")
	tb.accessible("who would get it")
	tb.fill("the connections of a user", true)
	tb.fill("User", "ann")
	tb.press("Who would get it?")
	tb.see("1 connection")
	tb.open("apps/1/live?type=api_message")
	tb.see("Nothing that fits has happened")
}
