package e2e

import (
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/belfryhq/belfry/e2e/service"
)

func TestQueries(t *testing.T) {
	play(t, service.Config{}, func(s *scene) {
		ann, annToo, bob := s.browser.Open("ann"), s.browser.Open("ann2"), s.browser.Open("bob")
		for _, p := range []*page{ann, annToo, bob} {
			p.Subscribe("presence-room")
			p.Subscribe("news")
		}
		ann.Subscribe("private-orders")

		all, err := s.backend.Channels("", "")
		if got, want := slices.Sorted(maps.Keys(all)), []string{"news", "presence-room", "private-orders"}; err != nil || !slices.Equal(got, want) {
			s.Errorf("Channels = %q, %v, want %q", got, err, want)
		}
		rooms, err := s.backend.Channels("presence-", "user_count")
		if want := map[string]counts{"presence-room": {Users: 2}}; err != nil || !maps.Equal(rooms, want) {
			s.Errorf("Channels(presence-) = %v, %v, want %v", rooms, err, want)
		}
		s.checkChannel("news", "subscription_count", channelState{true, counts{Subscriptions: 3}})
		s.checkChannel("presence-room", "user_count", channelState{true, counts{Users: 2}})
		s.checkChannel("private-orders", "", channelState{Occupied: true})
		s.checkChannel("nobody", "", channelState{})
		users, err := s.backend.Users("presence-room")
		slices.Sort(users)
		if want := []string{"ann", "bob"}; err != nil || !slices.Equal(users, want) {
			s.Errorf("Users = %q, %v, want %q", users, err, want)
		}
	})
}

func (s *scene) checkChannel(name, info string, want channelState) {
	s.Helper()
	if got, err := s.backend.Channel(name, info); err != nil || got != want {
		s.Errorf("Channel(%s, %q) = %+v, %v, want %+v", name, info, got, err, want)
	}
}

// TestTriggerAnswersWhatItIsAsked: the info parameter of triggers.
func TestTriggerAnswersWhatItIsAsked(t *testing.T) {
	play(t, service.Config{}, func(s *scene) {
		ann, bob := s.browser.Open("ann"), s.browser.Open("bob")
		for _, p := range []*page{ann, bob} {
			p.Subscribe("news")
		}
		ann.Subscribe("presence-room")
		const info = "user_count,subscription_count"
		want := map[string]counts{"news": {Subscriptions: 2}, "presence-room": {Users: 1, Subscriptions: 1}}
		got, err := s.backend.Trigger([]string{"news", "presence-room"}, "asked", nil, triggerParams{Info: info})
		if err != nil || !maps.Equal(got, want) {
			s.Errorf("Trigger = %v, %v, want %v", got, err, want)
		}
		batch, err := s.backend.TriggerBatch([]batchEvent{
			{Channel: "news", Event: "asked", Data: "x", Info: info},
			{Channel: "presence-room", Event: "asked", Data: "x", Info: info},
		})
		if want := []counts{want["news"], want["presence-room"]}; err != nil || !reflect.DeepEqual(batch, want) {
			s.Errorf("TriggerBatch = %v, %v, want %v", batch, err, want)
		}
	})
}
