package e2e

import (
	"errors"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/e2e/service"
)

func TestUnknownKeyIsTold(t *testing.T) {
	play(t, service.Config{}, func(s *scene) {
		eve := s.browser.Start("eve", "nope", s.browser.options(nil))
		if code := eve.AwaitError(); code != 4001.0 {
			s.Errorf("code = %v, want 4001", code)
		}
		eve.AwaitState("disconnected")
	})
}

// TestBackendRefusesAPage: the answer of the authorization endpoint is the
// page's to see, and the service is never asked.
func TestBackendRefusesAPage(t *testing.T) {
	play(t, service.Config{}, func(s *scene) {
		eve := s.browser.OpenWith("eve", map[string]string{"refuse": "yes"})
		eve.AskFor("private-orders")
		refused := eve.Await("private-orders", "pusher:subscription_error")
		if status := refused.Data.(map[string]any)["status"]; status != 403.0 {
			s.Errorf("status = %v, want 403", status)
		}
	})
}

// TestForgedTokenIsRefused: a backend that has another secret can authorize
// nobody, on no channel that needs it, and cannot sign users in.
func TestForgedTokenIsRefused(t *testing.T) {
	play(t, service.Config{}, func(s *scene) {
		s.browser.authURL = backends["go"](s, s.service, credential{service.AppID, service.Key, "guess"}).AuthURL()
		eve := s.browser.Open("eve")
		for _, channel := range everyKind {
			if channel == "news" || channel == "cache-prices" {
				continue
			}
			eve.AskFor(channel)
			if code := eve.AwaitError(); code != nil {
				s.Errorf("code on %s = %v, want null: the connection stays", channel, code)
			}
			refused := eve.Await(channel, "pusher:subscription_error")
			if status := refused.Data.(map[string]any)["status"]; status != 401.0 {
				s.Errorf("status on %s = %v, want 401", channel, status)
			}
		}
		eve.must("signin", nil, nil)
		if code := eve.AwaitError(); code != nil {
			s.Errorf("code of the sign-in = %v, want null", code)
		}
		eve.Subscribe("news") // still welcome
	})
}

func TestBackendIsToldWhatIsWrong(t *testing.T) {
	t.Parallel()
	for library, start := range backends {
		t.Run(library, func(t *testing.T) {
			t.Parallel()
			requireModules(t)
			svc := service.Start(t, service.Config{})
			trigger := func(app credential, data any) error {
				_, err := start(t, svc, app).Trigger([]string{"news"}, "x", data, triggerParams{})
				return err
			}
			for name, c := range map[string]struct {
				app    credential
				data   any
				status string
			}{
				"another secret": {credential{service.AppID, service.Key, "guess"}, "x", "401"},
				"no such app":    {credential{"404", service.Key, service.Secret}, "x", "400"},
				"no such key":    {credential{service.AppID, "nope", service.Secret}, "x", "400"},
				"too much data":  {theApp, strings.Repeat("x", 10241), "413"},
			} {
				err := trigger(c.app, c.data)
				if err == nil || !strings.Contains(err.Error(), c.status) {
					t.Errorf("%s: error = %v, want status %s", name, err, c.status)
				}
				if r, ok := errors.AsType[*refusal](err); ok && r.Body == "" {
					t.Errorf("%s: no reason given", name)
				}
			}
			if err := trigger(theApp, strings.Repeat("x", 10240)); err != nil {
				t.Errorf("the largest event: %v", err)
			}
		})
	}
}
