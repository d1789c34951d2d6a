package e2e

import (
	"maps"
	"slices"
	"testing"

	"github.com/belfryhq/belfry/e2e/service"
)

// masterKey is of the encrypted channels: 32 bytes in base64. belfry dev uses
// this one too, and says so.
const masterKey = "YmVsZnJ5LWRldi1lbmNyeXB0aW9uLW1hc3Rlci1rZXk="

// A backend is a program with the app's secret that uses an official server
// library. Errors are what the library reports.
type backend interface {
	// AuthURL is the base address of its two endpoints, /channel and /user.
	// They take who asks from the form field "user", whom that user watches
	// from "watchlist", and refuse with 403 a form that has a field "refuse".
	AuthURL() string

	Trigger(channels []string, event string, data any, params triggerParams) (map[string]counts, error)
	TriggerBatch(batch []batchEvent) ([]counts, error)
	SendToUser(user, event string, data any) error

	Channels(prefix, info string) (map[string]counts, error)
	Channel(name, info string) (channelState, error)
	Users(channel string) ([]string, error)
}

// triggerParams are what a trigger may say besides.
type triggerParams struct {
	SocketID string // who does not get it
	Info     string // what is to be answered
}

// A batchEvent is one event of a batch.
type batchEvent struct {
	Channel, Event, SocketID, Info string
	Data                           any
}

// counts are what the HTTP API says of a channel, as far as it was asked.
type counts struct {
	Users         int `json:"user_count"`
	Subscriptions int `json:"subscription_count"`
}

type channelState struct {
	Occupied bool
	counts
}

// A credential opens an app of a service.
type credential struct {
	id, key, secret string
}

var theApp = credential{service.AppID, service.Key, service.Secret}

// backends starts a backend of each library.
var backends = map[string]func(testing.TB, *service.Service, credential) backend{
	"go":   startGoBackend,
	"node": func(t testing.TB, s *service.Service, app credential) backend { return startNodeBackend(t, s, app) },
}

// A scene is what most tests play in: one service, one backend, one browser.
type scene struct {
	*testing.T
	service *service.Service
	backend backend
	browser *browser
}

// play runs a test once with each server library, on services of their own
// and beside other tests.
func play(t *testing.T, cfg service.Config, test func(s *scene)) {
	t.Parallel()
	for _, library := range slices.Sorted(maps.Keys(backends)) {
		t.Run(library, func(t *testing.T) {
			t.Parallel()
			requireModules(t)
			svc := service.Start(t, cfg)
			be := backends[library](t, svc, theApp)
			test(&scene{t, svc, be, openBrowser(t, svc, be.AuthURL())})
		})
	}
}

// trigger triggers an event on one channel.
func (s *scene) trigger(channel, event string, data any) {
	s.Helper()
	if _, err := s.backend.Trigger([]string{channel}, event, data, triggerParams{}); err != nil {
		s.Fatalf("trigger %s on %s: %v", event, channel, err)
	}
}
