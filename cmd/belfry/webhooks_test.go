package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// webhooks runs belfry webhooks as an operator on the same machine does.
func (r *running) webhooks(args ...string) (status int, out, err string) {
	r.t.Helper()
	return runCommand(r.t, setup{dir: r.dir, env: []string{"BELFRY_ADMIN_URL=http://" + r.admin}}, append([]string{"webhooks"}, args...)...)
}

const webhookConfig = `
webhooks: {allowed_networks: [127.0.0.1], retry_first: 1ms, retry_window: 1s, grace: 0s, batch_interval: 1ms}
apps:
  - id: "1"
    keys: [{key: k, secret: hushhush}]
    webhooks:
      - {id: main, url: "%s/hook?token=hush", events: [channel_existence], headers: ["X-Token: hush"]}
      - {id: private, url: "http://10.255.255.1/", events: [cache_miss]}
`

func TestWebhooksFromTheCommandLine(t *testing.T) {
	var up atomic.Bool
	var got atomic.Int32
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Token") != "hush" {
			t.Errorf("the header is %q", r.Header.Get("X-Token"))
		}
		if !up.Load() {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		got.Add(1)
	}))
	defer receiver.Close()
	dir := t.TempDir()
	file := filepath.Join(dir, "belfry.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, webhookConfig, receiver.URL), 0o600); err != nil {
		t.Fatal(err)
	}
	r := serveIn(t, dir, "--config", file)

	status, out, err := r.webhooks("list")
	if status != 0 || !strings.Contains(out, "main") || !strings.Contains(out, "10.255.255.1") {
		t.Errorf("list = %d %s%s", status, out, err)
	}
	if status, out, err := r.webhooks("test", "1", "main"); status != 1 || !strings.Contains(err, "status 418") {
		t.Errorf("test of an endpoint that refuses = %d %s%s", status, out, err)
	}
	if status, out, err := r.webhooks("test", "1", "private"); status != 1 || !strings.Contains(err, "webhooks.allowed_networks") {
		t.Errorf("test of a private address = %d %s%s", status, out, err)
	}
	subscribe := start(t, withURL("http://k:hushhush@"+r.plain+"/apps/1"), "subscribe", "news")
	subscribe.err.await(t, "subscribed to news")
	subscribe.stop()
	await(t, "given up", func() bool {
		_, out, _ = r.webhooks("list", "--given-up") // its former name
		return strings.Count(out, "exhausted")+strings.Count(out, "down") >= 2
	})
	if status, out, err := r.webhooks("deliveries", "--state", "dead_letter", "--channel", "news"); status != 0 || !strings.Contains(out, "dead letter") || !strings.Contains(out, "status 418") {
		t.Errorf("deliveries = %d %s%s", status, out, err)
	}
	_, sent, _ := r.webhooks("deliveries", "--json", "--limit", "1")
	_, sent, _ = strings.Cut(sent, `"id":"`)
	sent, _, _ = strings.Cut(sent, `"`)
	if status, out, err := r.webhooks("deliveries", sent); status != 0 || !strings.Contains(out, "X-Token: (hidden)") || !strings.Contains(out, `| {"time_ms":`) {
		t.Errorf("deliveries %s = %d %s%s", sent, status, out, err)
	}
	if status, out, err := r.webhooks("deliveries", sent, "--redeliver"); status != 1 || !strings.Contains(err, "was not taken: status 418") {
		t.Errorf("a redelivery that is refused = %d %s%s", status, out, err)
	}
	keys := setup{dir: dir, env: []string{"BELFRY_ADMIN_URL=http://" + r.admin}}
	if status, out, err := runCommand(t, keys, "apps", "keys", "1"); status != 0 || !strings.Contains(out, "connection  belfry-cli") {
		t.Errorf("apps keys = %d %s%s", status, out, err)
	}
	up.Store(true)
	if status, out, err := r.webhooks("deliveries", sent, "--redeliver"); status != 0 || !strings.Contains(out, "was taken with status 200") {
		t.Errorf("a redelivery = %d %s%s", status, out, err)
	}
	if status, out, err := r.webhooks("test", "1", "main"); status != 0 || !strings.Contains(out, "status 200") {
		t.Errorf("test of an endpoint that answers = %d %s%s", status, out, err)
	}
	got.Store(0)
	if status, out, err := r.webhooks("replay", "--app", "1"); status != 0 || !strings.Contains(out, "queued again: 2 events") {
		t.Errorf("replay = %d %s%s", status, out, err)
	}
	await(t, "delivery", func() bool { return got.Load() > 0 })
	if _, out, _ := r.webhooks("list", "--dead-letters"); out != "nothing was given up\n" {
		t.Errorf("after the replay there is %s", out)
	}
	r.stop()
	for _, text := range []string{r.out.String(), r.err.String(), out} {
		if strings.Contains(text, "hush") {
			t.Errorf("a secret was printed:\n%s", text)
		}
	}
}

func TestWebhooksCommandLine(t *testing.T) {
	for _, tt := range []struct {
		args string
		want string
	}{
		{"replay", "what? Give ids"},
		{"replay x", `"x" is not an id`},
		{"replay 1 --all", "not both"},
		{"test", "give the id of an app"},
		{"list --endpoint x", "--endpoint is for --dead-letters"},
		{"deliveries --redeliver", "which request?"},
		{"nothing", "there is no belfry webhooks nothing"},
	} {
		status, _, err := runCommand(t, setup{}, append([]string{"webhooks"}, strings.Fields(tt.args)...)...)
		if status != 2 || !strings.Contains(err, tt.want) {
			t.Errorf("webhooks %s = %d %s, want 2 and %q", tt.args, status, err, tt.want)
		}
	}
}

// await asks until something is so.
func await(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !so(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not in 30 seconds", what)
		}
	}
}

func TestDevTellsABackend(t *testing.T) {
	var got atomic.Int32
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Pusher-Key") == devKey {
			got.Add(1)
		}
	}))
	defer receiver.Close()
	_, address := startDev(t, "--webhook", receiver.URL)
	subscribe := start(t, withURL(devURL(address)), "subscribe", "news")
	subscribe.err.await(t, "subscribed to news")
	await(t, "a webhook", func() bool { return got.Load() > 0 })
	if status, _, err := runCommand(t, setup{}, "dev", "--webhook", "nonsense"); status != 2 || !strings.Contains(err, "--webhook is not an address") {
		t.Errorf("dev --webhook nonsense = %d %s", status, err)
	}
}

// What was given up for endpoints that are gone is gone past, however much it
// is, and said to be left.
func TestReplayGoesPastEndpointsThatAreGone(t *testing.T) {
	after := make(chan string, 9)
	pages := map[string]string{
		"":     `{"replayed":0,"events":0,"skipped":[1,2,3],"more":true,"next":"3"}`,
		"3":    `{"replayed":0,"events":0,"skipped":[4,5],"more":true,"next":"5"}`,
		"5":    `{"replayed":2,"events":7,"more":false}`,
		"gone": `{"replayed":0,"events":0,"skipped":[1],"more":false}`,
	}
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct{ App, After string }
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Error(err)
		}
		after <- body.After
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, pages[body.App+body.After])
	}))
	defer service.Close()
	replay := func(args ...string) (int, string, string) {
		return runCommand(t, setup{dir: t.TempDir(), env: []string{"BELFRY_ADMIN_URL=" + service.URL, "BELFRY_ADMIN_TOKEN=" + strings.Repeat("x", 32)}},
			append([]string{"webhooks", "replay"}, args...)...)
	}
	status, out, err := replay("--all")
	if status != 0 || !strings.Contains(out, "queued again: 7 events") || !strings.Contains(out, "their endpoint is gone: 5") {
		t.Errorf("replay --all = %d %s%s", status, out, err)
	}
	for _, want := range []string{"", "3", "5"} {
		if got := <-after; got != want {
			t.Errorf("it was asked after %q, want %q", got, want)
		}
	}
	if status, out, err := replay("--app", "gone"); status != 1 || !strings.Contains(err, "nothing was queued again") {
		t.Errorf("replay for an endpoint that is gone = %d %s%s", status, out, err)
	}
}
