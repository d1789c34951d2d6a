package e2e

import (
	"testing"

	"github.com/belfryhq/belfry/e2e/service"
)

// TestTLS has every party talk over TLS: wss for the pages, https for the
// backend, both trusting the test's own authority.
func TestTLS(t *testing.T) {
	play(t, service.Config{TLS: true}, func(s *scene) {
		options := s.browser.options(map[string]string{"user": "ann"})
		options["forceTLS"] = true
		ann := s.browser.Start("ann", service.Key, options)
		ann.AwaitState("connected")
		if !ann.UsesTLS() {
			s.Error("the page is connected without TLS")
		}
		for _, channel := range everyKind {
			ann.Subscribe(channel)
			s.trigger(channel, "paid", order)
			ann.AwaitData(channel, "paid", order)
		}
	})
}

// TestPageSwitchesToTLS: an app that is for TLS only answers 4000, upon which
// pusher-js comes back over TLS.
func TestPageSwitchesToTLS(t *testing.T) {
	play(t, service.Config{TLS: true, Apps: `
  - id: "1"
    keys: [{key: app-key, secret: app-secret}]
    tls_only: true
`}, func(s *scene) {
		ann := s.browser.Open("ann")
		if !ann.UsesTLS() {
			s.Error("the page is connected without TLS")
		}
		ann.Subscribe("news")
		s.trigger("news", "paid", order)
		ann.AwaitData("news", "paid", order)
	})
}

// UsesTLS reports whether the page's present connection is over TLS.
func (p *page) UsesTLS() bool {
	p.b.t.Helper()
	var now struct{ TLS bool }
	p.must("look", nil, &now)
	return now.TLS
}
