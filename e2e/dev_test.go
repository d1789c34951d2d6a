package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/client"
	"github.com/belfryhq/belfry/e2e/service"
)

// TestFirstMinute is what the README promises a newcomer: belfry dev, a front
// end without a backend of its own, and an event from an unmodified server
// library.
func TestFirstMinute(t *testing.T) {
	t.Parallel()
	for _, library := range slices.Sorted(maps.Keys(backends)) {
		t.Run(library, func(t *testing.T) {
			t.Parallel()
			requireModules(t)
			svc := service.StartDev(t)
			id := "1"
			if library == "node" {
				id = "app-id" // which many tutorials have
			}
			be := backends[library](t, svc, credential{id, "app-key", "app-secret"})
			b := openBrowser(t, svc, "")
			ann, bob := b.openDev("ann"), b.openDev("bob")
			for _, channel := range everyKind {
				ann.Subscribe(channel)
				if _, err := be.Trigger([]string{channel}, "paid", order, triggerParams{}); err != nil {
					t.Fatal(err)
				}
				ann.AwaitData(channel, "paid", order)
			}
			ann.Subscribe("private-chat")
			bob.Subscribe("private-chat")
			bob.Trigger("private-chat", "client-typing", order)
			ann.AwaitData("private-chat", "client-typing", order)
		})
	}
}

// TestFirstEventFromPython is about a library that takes an id of digits alone.
func TestFirstEventFromPython(t *testing.T) {
	t.Parallel()
	const python = "python/.venv/bin/python"
	_, err := os.Stat(python)
	require(t, err == nil, "the library for Python is not installed: run scripts/setup")
	svc := service.StartDev(t)
	host, port, err := net.SplitHostPort(svc.Addr)
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.New("app-key", client.Config{
		Endpoint:          client.Endpoint{Host: host, Port: number, Insecure: true},
		ChannelAuthorizer: &client.HTTPAuth{Endpoint: "http://" + svc.Addr + "/pusher/auth"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Shutdown(context.Background())
	if err := c.Connect(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), service.Patience)
	defer cancel()
	arrived := make(chan string, 2)
	channels := []string{"my-channel", "private-encrypted-diary"}
	for _, name := range channels {
		channel, err := c.Subscribe(name)
		if err != nil {
			t.Fatal(err)
		}
		channel.Bind("my-event", func(_ context.Context, e client.Event) { arrived <- name + " " + string(e.Data) })
		if err := channel.AwaitSubscribed(ctx); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	script := exec.CommandContext(t.Context(), python, "python/first_event.py", host, port, "1", "app-key", "app-secret", masterKey)
	out, err := script.Output()
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		t.Fatalf("the script failed: %v\n%s", err, e.Stderr)
	} else if err != nil {
		t.Fatal(err)
	}
	for _, name := range channels {
		select {
		case got := <-arrived:
			if want := name + ` {"text": "hi"}`; got != want {
				t.Errorf("arrived = %s, want %s", got, want)
			}
		case <-ctx.Done():
			t.Fatalf("the event on %s did not arrive", name)
		}
	}
	for _, want := range []string{`"my-channel": {}`, `"subscription_count": 1`, `"auth": "app-key:`} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the library returned %s, want %s in it", out, want)
		}
	}
}

// openDev opens a page that asks belfry dev itself for authorization.
func (b *browser) openDev(name string) *page {
	b.t.Helper()
	auth := func(path string) map[string]any {
		return map[string]any{"endpoint": "http://" + b.service.Addr + path, "transport": "ajax"}
	}
	options := b.options(nil)
	options["channelAuthorization"] = auth("/pusher/auth")
	options["userAuthentication"] = auth("/pusher/user-auth")
	p := b.Start(name, "app-key", options)
	p.AwaitState("connected")
	return p
}

func TestDevAnswersABrowser(t *testing.T) {
	t.Parallel()
	svc := service.StartDev(t)
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := (&http.Client{Transport: transport}).Get("http://" + svc.Addr + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got, want := resp.Header.Get("Content-Type"), "text/html; charset=utf-8"; resp.StatusCode != http.StatusOK || got != want {
		t.Errorf("/ = %s, %s, want 200, %s", resp.Status, got, want)
	}
}

// TestDevPageSaysToWhatItIsSubscribed asks for channels as a person does, one
// that is refused among them.
func TestDevPageSaysToWhatItIsSubscribed(t *testing.T) {
	t.Parallel()
	svc := service.StartDev(t)
	page := openDevPage(t, "http://"+svc.Addr+"/")
	page.await(devChannels, "my-channel")
	page.ask("private-chat", devFollow)
	page.await(devChannels, "my-channel, private-chat")
	page.ask("presence-no channel", devFollow)
	page.await(devAnswer, `Not subscribed to presence-no channel: "presence-no channel" is not the name of a channel`)
	page.ask("no channel", devFollow)
	page.await(devAnswer, "Not subscribed to no channel: The channel name is not allowed.")
	page.await(devChannels, "my-channel, private-chat")
	page.ask("no channel", devSubmit)
	page.await(devAnswer, "the service answered 400 Bad Request: Invalid channel name: no channel")
	page.ask("presence-room", devFollow)
	page.await(devChannels, "my-channel, private-chat, presence-room")
	page.await(`document.querySelector("#events li pre").textContent.includes('"name":"Guest ') + ""`, "true")
	if dir := os.Getenv("BELFRY_TEST_PICTURES"); dir != "" {
		pictures(t, page.node, dir)
	}
}

// pictures writes what the page looks like, for eyes.
func pictures(t *testing.T, page *node, dir string) {
	for _, width := range []int{1280, 390} {
		for _, dark := range []bool{false, true} {
			var picture []byte
			page.must("picture", map[string]any{"width": width, "dark": dark}, &picture)
			if err := os.WriteFile(fmt.Sprintf("%s/dev-%d-%t.png", dir, width, dark), picture, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}
