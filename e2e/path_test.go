package e2e

import (
	"testing"

	"github.com/belfryhq/belfry/e2e/service"
)

// TestBasePath: pusher-js has an option for a service behind a prefix.
func TestBasePath(t *testing.T) {
	t.Parallel()
	requireModules(t)
	b := openBrowser(t, service.Start(t, service.Config{Settings: "path: /realtime"}), "")
	options := b.options(nil)
	options["wsPath"] = "/realtime"
	ann := b.Start("ann", service.Key, options)
	ann.AwaitState("connected")
	ann.Subscribe("news")

	// As it is for whoever is behind a proxy that strips the prefix.
	b.Start("stripped", service.Key, b.options(nil)).AwaitState("connected")

	options = b.options(nil)
	options["wsPath"] = "/elsewhere"
	if code := b.Start("lost", service.Key, options).AwaitError(); code != 4005.0 {
		t.Errorf("code behind another prefix = %v, want 4005", code)
	}
}
