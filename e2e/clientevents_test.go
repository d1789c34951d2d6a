package e2e

import (
	"testing"

	"github.com/belfryhq/belfry/e2e/service"
)

func TestClientEventReachesTheOthers(t *testing.T) {
	play(t, service.Config{}, func(s *scene) {
		ann, bob := s.browser.Open("ann"), s.browser.Open("bob")
		for _, channel := range []string{"private-orders", "presence-room", "private-cache-prices", "presence-cache-room"} {
			ann.Subscribe(channel)
			bob.Subscribe(channel)
			ann.Trigger(channel, "client-typing", order)
			bob.AwaitData(channel, "client-typing", order)
			bob.Trigger(channel, "client-seen", order)
			ann.AwaitData(channel, "client-seen", order)
			if n := ann.Count("wire", channel, "client-typing"); n != 0 {
				s.Errorf("the sender got %d of its own events on %s, want none", n, channel)
			}
		}
	})
}

func TestClientEventOnPresenceNamesItsSender(t *testing.T) {
	play(t, service.Config{}, func(s *scene) {
		ann, bob := s.browser.Open("ann"), s.browser.Open("bob")
		ann.Subscribe("presence-room")
		bob.Subscribe("presence-room")
		bob.must("bind", map[string]any{"channel": "presence-room", "event": "client-typing"}, nil)
		ann.Trigger("presence-room", "client-typing", order)
		if got := bob.AwaitOn("bind", "presence-room", "client-typing").UserID; got != "ann" {
			s.Errorf("user_id = %q, want ann", got)
		}
	})
}

func TestClientEventOnPublicChannelIsRefused(t *testing.T) {
	play(t, service.Config{}, func(s *scene) {
		ann := s.browser.Open("ann")
		ann.Subscribe("news")
		ann.Trigger("news", "client-typing", order)
		if code := ann.AwaitError(); code != nil {
			s.Errorf("code = %v, want null: the connection stays", code)
		}
		s.trigger("news", "still here", order)
		ann.Await("news", "still here")
	})
}
