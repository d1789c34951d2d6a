package webhook

import (
	"testing"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/hub"
)

func TestEventReachesItsEndpoint(t *testing.T) {
	for name, dir := range map[string]string{"memory": "", "disk": t.TempDir()} {
		t.Run(name, func(t *testing.T) {
			r := receive(t, nil)
			app := newApp("1", apps.Webhook{URL: r.url, Events: everything})
			s := start(t, Config{Apps: registry(t, app), Engine: openEngine(t, dir)})
			s.Observe(app, hub.News{Kind: apps.ChannelOccupied, Channel: "news"})
			d := r.await(1)[0]
			if got, want := string(d.body[25:]), `"events":[{"name":"channel_occupied","channel":"news"}]}`; got != want {
				t.Errorf("body = %s, want …%s", d.body, want)
			}
		})
	}
}
