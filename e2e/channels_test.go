package e2e

import (
	"testing"

	"github.com/belfryhq/belfry/e2e/service"
)

// order is a payload with what is easily broken on the way: nesting, markup,
// characters outside the basic plane, a number with a fraction, null.
var order = map[string]any{
	"id":    "order-7",
	"lines": []any{map[string]any{"sku": "<b>&amp;</b>", "price": 12.5}, nil, true},
	"note":  "naïve 日本語 🔔 \u2028 \"quoted\" \\ back",
}

// everyKind has one channel of every kind that an event can be triggered on.
var everyKind = []string{
	"news",
	"private-orders",
	"private-encrypted-orders",
	"presence-room",
	"cache-prices",
	"private-cache-prices",
	"private-encrypted-cache-prices",
	"presence-cache-room",
}

func TestEventReachesEveryKindOfChannel(t *testing.T) {
	play(t, service.Config{}, func(s *scene) {
		ann, bob := s.browser.Open("ann"), s.browser.Open("bob")
		for _, channel := range everyKind {
			ann.Subscribe(channel)
			bob.Subscribe(channel)
			s.trigger(channel, "paid", order)
			ann.AwaitData(channel, "paid", order)
			bob.AwaitData(channel, "paid", order)
		}
	})
}

func TestEveryTypeOfData(t *testing.T) {
	play(t, service.Config{}, func(s *scene) {
		ann := s.browser.Open("ann")
		ann.Subscribe("news")
		for _, data := range []any{"plain text", "", 42.0, true, nil, []any{1.0, "two"}, map[string]any{}} {
			s.trigger("news", "typed", data)
			ann.AwaitData("news", "typed", data)
		}
	})
}

func TestOneEventOnManyChannels(t *testing.T) {
	play(t, service.Config{}, func(s *scene) {
		ann := s.browser.Open("ann")
		channels := []string{"news", "private-orders", "presence-room", "cache-prices"}
		for _, channel := range channels {
			ann.Subscribe(channel)
		}
		if _, err := s.backend.Trigger(channels, "hello", order, triggerParams{}); err != nil {
			s.Fatal(err)
		}
		for _, channel := range channels {
			ann.AwaitData(channel, "hello", order)
		}
	})
}

func TestUnsubscribedPageGetsNoMore(t *testing.T) {
	play(t, service.Config{}, func(s *scene) {
		ann := s.browser.Open("ann")
		ann.Subscribe("news")
		ann.Subscribe("weather")
		s.trigger("news", "first", order)
		ann.Await("news", "first")
		ann.Unsubscribe("news")
		ann.Subscribe("sports") // its answer comes after the unsubscribing
		s.trigger("news", "second", order)
		s.trigger("weather", "last", order)
		ann.Await("weather", "last")
		if n := ann.Count("wire", "news", "second"); n != 0 {
			s.Errorf("%d events came after unsubscribing, want none", n)
		}
	})
}

func TestExcludedSocketGetsNothing(t *testing.T) {
	play(t, service.Config{}, func(s *scene) {
		ann, bob := s.browser.Open("ann"), s.browser.Open("bob")
		for _, p := range []*page{ann, bob} {
			p.Subscribe("news")
			p.Subscribe("weather")
		}
		_, err := s.backend.Trigger([]string{"news", "weather"}, "edited", order, triggerParams{SocketID: ann.SocketID()})
		if err != nil {
			s.Fatal(err)
		}
		bob.Await("news", "edited")
		bob.Await("weather", "edited")
		s.trigger("news", "last", order)
		ann.Await("news", "last")
		for _, channel := range []string{"news", "weather"} {
			if n := ann.Count("wire", channel, "edited"); n != 0 {
				s.Errorf("the excluded socket got %d events on %s, want none", n, channel)
			}
		}
	})
}

func TestBatch(t *testing.T) {
	play(t, service.Config{}, func(s *scene) {
		ann, bob := s.browser.Open("ann"), s.browser.Open("bob")
		for _, channel := range everyKind {
			ann.Subscribe(channel)
			bob.Subscribe(channel)
		}
		var batch []batchEvent
		for _, channel := range everyKind {
			batch = append(batch, batchEvent{Channel: channel, Event: "batched", Data: order})
		}
		batch = append(batch,
			batchEvent{Channel: "news", Event: "for bob", Data: order, SocketID: ann.SocketID()},
			batchEvent{Channel: "news", Event: "end", Data: order})
		if _, err := s.backend.TriggerBatch(batch); err != nil {
			s.Fatal(err)
		}
		for _, p := range []*page{ann, bob} {
			for _, channel := range everyKind {
				p.AwaitData(channel, "batched", order)
			}
		}
		bob.Await("news", "for bob")
		ann.Await("news", "end")
		if n := ann.Count("wire", "news", "for bob"); n != 0 {
			s.Errorf("the excluded socket got %d events, want none", n)
		}
	})
}

func TestSubscriptionCount(t *testing.T) {
	play(t, service.Config{}, func(s *scene) {
		ann, bob := s.browser.Open("ann"), s.browser.Open("bob")
		ann.Subscribe("news")
		ann.AwaitData("news", "pusher:subscription_count", map[string]any{"subscription_count": 1.0})
		bob.Subscribe("news")
		ann.AwaitData("news", "pusher:subscription_count", map[string]any{"subscription_count": 2.0})
		bob.AwaitData("news", "pusher:subscription_count", map[string]any{"subscription_count": 2.0})
		bob.Unsubscribe("news")
		ann.AwaitData("news", "pusher:subscription_count", map[string]any{"subscription_count": 1.0})
	})
}
