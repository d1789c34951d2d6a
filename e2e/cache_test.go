package e2e

import (
	"testing"

	"github.com/belfryhq/belfry/e2e/service"
)

var cacheKinds = []string{
	"cache-prices",
	"private-cache-prices",
	"private-encrypted-cache-prices",
	"presence-cache-room",
}

func TestFirstSubscriberMissesTheCache(t *testing.T) {
	play(t, service.Config{}, func(s *scene) {
		ann := s.browser.Open("ann")
		for _, channel := range cacheKinds {
			ann.Subscribe(channel)
			ann.Await(channel, "pusher:cache_miss")
		}
	})
}

func TestLaterSubscriberGetsTheCachedEvent(t *testing.T) {
	play(t, service.Config{}, func(s *scene) {
		ann, bob := s.browser.Open("ann"), s.browser.Open("bob")
		for _, channel := range cacheKinds {
			s.trigger(channel, "price", map[string]any{"v": 1}) // nobody is there
			s.trigger(channel, "price", order)
			ann.Subscribe(channel)
			ann.AwaitData(channel, "price", order)
			bob.Subscribe(channel)
			bob.AwaitData(channel, "price", order)
		}
		for _, p := range []*page{ann, bob} {
			p.Subscribe("news") // its answer comes after all that the channels had to say
			for _, channel := range cacheKinds {
				if n := p.Count("channel", channel, "pusher:cache_miss"); n != 0 {
					s.Errorf("%s missed the cache of %s %d times, want 0", p.name, channel, n)
				}
				if n := p.Count("channel", channel, "price"); n != 1 {
					s.Errorf("%s got %d events on %s, want the cached one", p.name, n, channel)
				}
			}
		}
	})
}
