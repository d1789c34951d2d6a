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

	lost := b.Start("lost", service.Key, b.options(nil))
	if code := lost.AwaitError(); code != 4005.0 {
		t.Errorf("code without the prefix = %v, want 4005", code)
	}
}
