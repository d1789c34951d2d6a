package e2e

import (
	"testing"

	"github.com/belfryhq/belfry/e2e/service"
)

func TestEventToAUser(t *testing.T) {
	play(t, service.Config{}, func(s *scene) {
		ann, annToo, bob := s.browser.Open("ann"), s.browser.Open("ann2"), s.browser.Open("bob")
		for _, p := range []*page{ann, annToo, bob} {
			p.SignIn()
		}
		if err := s.backend.SendToUser("ann", "invited", order); err != nil {
			s.Fatal(err)
		}
		if err := s.backend.SendToUser("bob", "reminded", order); err != nil {
			s.Fatal(err)
		}
		for _, p := range []*page{ann, annToo} {
			p.AwaitOn("user", "", "invited")
		}
		bob.AwaitOn("user", "", "reminded")
		if n := bob.Count("user", "", "invited"); n != 0 {
			s.Errorf("bob got %d events for ann, want none", n)
		}
		for _, p := range []*page{ann, annToo} {
			if n := p.Count("wire", "#server-to-user-ann", "invited"); n != 1 {
				s.Errorf("%s got the event %d times, want once", p.name, n)
			}
		}
	})
}

// TestSignedInUserIsTheMember: a token without channel_data joins a presence
// channel as the user who signed in.
func TestSignedInUserIsTheMember(t *testing.T) {
	play(t, service.Config{}, func(s *scene) {
		ann := s.browser.Open("ann")
		form := map[string]string{} // no user: the backend authorizes the channel alone
		options := s.browser.options(form)
		options["userAuthentication"].(map[string]any)["params"] = map[string]string{"user": "bob"}
		bob := s.browser.Start("bob", service.Key, options)
		bob.AwaitState("connected")
		ann.Subscribe("presence-room")
		bob.SignIn()
		bob.Subscribe("presence-room")
		if got := ann.AwaitMember("presence-room", "added"); got != "bob" {
			s.Errorf("member added = %s, want bob", got)
		}
		s.checkMembers(bob, "presence-room", []string{"ann", "bob"})
	})
}

func TestWatchlist(t *testing.T) {
	play(t, service.Config{}, func(s *scene) {
		bob := s.browser.Open("bob")
		bob.SignIn()
		ann := s.browser.OpenWith("ann", map[string]string{"watchlist": "bob,eve"})
		ann.must("signin", nil, nil)
		ann.awaitWatched("online", "bob")
		ann.awaitWatched("offline", "eve")

		eve, eveToo := s.browser.Open("eve"), s.browser.Open("eve2")
		eve.SignIn()
		ann.awaitWatched("online", "eve")
		eveToo.SignIn()
		eve.must("disconnect", nil, nil)
		eveToo.must("disconnect", nil, nil)
		ann.awaitWatched("offline", "eve")
		if n := ann.Count("watchlist", "", "online"); n != 2 {
			s.Errorf("%d online events, want one for bob and one for eve", n)
		}
	})
}

// awaitWatched waits for news of one user who is watched.
func (p *page) awaitWatched(event, user string) {
	p.b.t.Helper()
	got := p.AwaitOn("watchlist", "", event)
	if ids, _ := got.Data.([]any); len(ids) != 1 || ids[0] != user {
		p.b.t.Errorf("%s sees %s %v, want %s", p.name, event, got.Data, user)
	}
}

// TestTerminateClosesAUsersConnections uses the Node library alone:
// pusher-http-go has no such call.
func TestTerminateClosesAUsersConnections(t *testing.T) {
	t.Parallel()
	requireModules(t)
	svc := service.Start(t, service.Config{})
	be := startNodeBackend(t, svc, theApp)
	b := openBrowser(t, svc, be.AuthURL())
	ann, annToo, bob := b.Open("ann"), b.Open("ann2"), b.Open("bob")
	for _, p := range []*page{ann, annToo, bob} {
		p.SignIn()
		p.Subscribe("news")
	}
	if err := be.Terminate("ann"); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*page{ann, annToo} {
		if code := p.AwaitError(); code != 4009.0 {
			t.Errorf("code = %v, want 4009", code)
		}
		p.AwaitState("disconnected")
	}
	if _, err := be.Trigger([]string{"news"}, "last", nil, triggerParams{}); err != nil {
		t.Fatal(err)
	}
	bob.Await("news", "last")
}
