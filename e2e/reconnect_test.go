package e2e

import (
	"testing"

	"github.com/belfryhq/belfry/e2e/service"
)

// A page of these tests is signed in and on a channel of every kind. When the
// service has come back, all of that has to be true again without the page's
// help. pusher-js waits up to 15 s before it tries a refused port again, so
// these tests may take as long.
func TestPageReturnsAfterTheServiceWasReplaced(t *testing.T) {
	t.Parallel()
	ends := map[string]func(s *scene, ann *page){
		// A deploy: every socket is told 4200, which means come back at once.
		"drained": func(s *scene, ann *page) {
			s.service.Stop()
			if code := ann.AwaitError(); code != 4200.0 {
				s.Errorf("code = %v, want 4200", code)
			}
		},
		// A crash: the connection breaks without a word.
		"killed": func(s *scene, ann *page) {
			s.service.Kill()
		},
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			play(t, service.Config{Settings: "drain_timeout: 1s"}, func(s *scene) {
				ann := s.browser.Open("ann")
				ann.SignIn()
				for _, channel := range everyKind {
					ann.Subscribe(channel)
				}
				before := ann.SocketID()

				end(s, ann)
				s.service.Restart()

				ann.AwaitState("connecting")
				ann.AwaitState("connected")
				if after := ann.SocketID(); after == before {
					s.Errorf("the socket id is %s again, want a new one", after)
				}
				s.checkReturned(ann)
			})
		})
	}
}

// checkReturned sees that a page that has come back gets everything again.
func (s *scene) checkReturned(p *page) {
	s.Helper()
	from := p.next // the answers to subscriptions come in any order
	for _, channel := range everyKind {
		p.next = from
		p.Await(channel, "pusher:subscription_succeeded")
	}
	p.next = from
	p.await(userChannelSucceeded, "the user's channel")
	p.next = from
	for _, channel := range everyKind {
		s.trigger(channel, "after", order)
		p.AwaitData(channel, "after", order)
	}
	if err := s.backend.SendToUser("ann", "welcome back", order); err != nil {
		s.Fatal(err)
	}
	p.AwaitOn("user", "", "welcome back")
}

func TestIdlePageKeepsItsConnection(t *testing.T) {
	t.Parallel()
	requireModules(t)
	svc := service.Start(t, service.Config{Apps: `
  - id: "1"
    keys: [{key: app-key, secret: app-secret}]
    activity_timeout: 1s
`})
	ann := openBrowser(t, svc, "").Open("ann")
	ann.Subscribe("news")
	for range 2 { // silence: the client asks, the service answers
		ann.AwaitOn("wire", "", "pusher:pong")
	}
	if n := ann.Count("state", "", "connected"); n != 1 {
		t.Errorf("connected %d times, want once", n)
	}
}
