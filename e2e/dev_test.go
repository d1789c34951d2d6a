package e2e

import (
	"maps"
	"net/http"
	"slices"
	"testing"

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
			be := backends[library](t, svc, credential{"app-id", "app-key", "app-secret"})
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
