package e2e

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/belfryhq/belfry/e2e/service"
)

func TestFallbackDoesAllThatWebSocketDoes(t *testing.T) {
	playFallback(t, service.Config{}, func(s *scene, c fallbackClient) {
		ann, bob := s.openPage(c, "ann"), s.openPage(c, "bob")
		for _, channel := range everyKind {
			ann.Subscribe(channel)
			bob.Subscribe(channel)
			s.trigger(channel, "paid", order)
			ann.AwaitData(channel, "paid", order)
			bob.AwaitData(channel, "paid", order)
		}
		for _, channel := range []string{"private-orders", "presence-room"} {
			ann.Trigger(channel, "client-typing", order)
			bob.AwaitData(channel, "client-typing", order)
			if n := ann.Count("wire", channel, "client-typing"); n != 0 {
				s.Errorf("the sender got %d of its own events on %s, want none", n, channel)
			}
		}
		if _, err := s.backend.Trigger([]string{"news"}, "edited", order, triggerParams{SocketID: ann.SocketID()}); err != nil {
			s.Fatal(err)
		}
		bob.Await("news", "edited")
		ann.SignIn()
		if err := s.backend.SendToUser("ann", "invited", order); err != nil {
			s.Fatal(err)
		}
		ann.AwaitOn("user", "", "invited")
		if n := ann.Count("wire", "news", "edited"); n != 0 {
			s.Errorf("the excluded socket got %d events, want none", n)
		}
	})
}

// TestFallbackPresence: a page that leaves is gone at once, by disconnect as
// well as by closing.
func TestFallbackPresence(t *testing.T) {
	playFallback(t, service.Config{}, func(s *scene, c fallbackClient) {
		ann := s.openPage(c, "ann")
		ann.Subscribe("presence-room")
		bob := s.openPage(c, "bob")
		bob.Subscribe("presence-room")
		if got := ann.AwaitMember("presence-room", "added"); got != "bob" {
			s.Errorf("member added = %s, want bob", got)
		}
		s.checkMembers(bob, "presence-room", []string{"ann", "bob"})
		bob.must("disconnect", nil, nil)
		if got := ann.AwaitMember("presence-room", "removed"); got != "bob" {
			s.Errorf("member removed = %s, want bob", got)
		}
		s.checkMembers(ann, "presence-room", []string{"ann"})
	})
}

// thousand is how many events tests of order trigger, of about a kilobyte: a
// stream is rotated several times meanwhile.
const thousand = 1000

func TestFallbackLosesAndRepeatsNothing(t *testing.T) {
	for name, filler := range map[string]string{"ascii": "x", "astral": "é漢😀"} {
		t.Run(name, func(t *testing.T) {
			playFallback(t, service.Config{}, func(s *scene, c fallbackClient) {
				ann := s.openPage(c, "ann")
				ann.Subscribe("news")
				text := strings.Repeat(filler, 1000/len(filler))
				for i := 0; i < thousand; i += 10 {
					var batch []batchEvent
					for j := range 10 {
						batch = append(batch, batchEvent{Channel: "news", Event: "e", Data: []any{float64(i + j), text}})
					}
					if _, err := s.backend.TriggerBatch(batch); err != nil {
						s.Fatal(err)
					}
				}
				for i := range thousand {
					ann.AwaitData("news", "e", []any{float64(i), text})
				}
				s.trigger("news", "last", nil)
				ann.Await("news", "last")
				if n := ann.Count("wire", "news", "e"); n != thousand {
					s.Errorf("%d events, want %d", n, thousand)
				}
				if n := ann.Count("state", "", "connected"); n != 1 {
					s.Errorf("connected %d times, want once", n)
				}
			})
		})
	}
}

// TestFallbackSendsInOrder: every client event is a request of its own, and
// they overtake each other.
func TestFallbackSendsInOrder(t *testing.T) {
	const events = 200
	playFallback(t, service.Config{}, func(s *scene, c fallbackClient) {
		ann, bob := s.openPage(c, "ann"), s.openPage(c, "bob")
		ann.Subscribe("private-orders")
		bob.Subscribe("private-orders")
		for i := range events {
			ann.Trigger("private-orders", "client-e", i)
		}
		seen, inversions, last := make(map[float64]bool), 0, -1.0
		for range events {
			i, _ := bob.Await("private-orders", "client-e").Data.(float64)
			if i < last {
				inversions++
			}
			seen[i], last = true, i
		}
		if len(seen) != events {
			s.Errorf("%d different events, want %d", len(seen), events)
		}
		// A request that the machine holds up for longer than others wait for
		// it comes late; the exact rule is tested on a clock of its own. Without
		// the rule, most of them are overtaken.
		if inversions > events/20 {
			s.Errorf("%d of %d events were overtaken", inversions, events)
		}
	})
}

func TestFallbackSurvivesARestart(t *testing.T) {
	playFallback(t, service.Config{Settings: "drain_timeout: 1s"}, func(s *scene, c fallbackClient) {
		ann := s.openPage(c, "ann")
		ann.SignIn()
		for _, channel := range everyKind {
			ann.Subscribe(channel)
		}
		before := ann.SocketID()
		s.service.Stop()
		if code := ann.AwaitError(); code != 4200.0 {
			s.Errorf("code = %v, want 4200", code)
		}
		s.service.Restart()
		ann.AwaitState("connecting")
		ann.AwaitState("connected")
		if after := ann.SocketID(); after == before {
			s.Errorf("the socket id is %s again, want a new one", after)
		}
		s.checkReturned(ann)
	})
}

// TestFallbackRefusals: a client that must not come back does not.
func TestFallbackRefusals(t *testing.T) {
	playFallback(t, service.Config{}, func(s *scene, c fallbackClient) {
		p := s.browser.Start("stranger", "no-such-key", s.browser.fallbackOptions("stranger", c.transport))
		got := p.await(func(e seen) bool { return e.On == "error" && e.Data != nil }, "an error")
		if data, _ := got.Data.(map[string]any); data["code"] != 4001.0 {
			s.Errorf("error = %v, want 4001", got.Data)
		}
		p.AwaitState("disconnected")
	})
}

func TestFallbackOverTLS(t *testing.T) {
	playFallback(t, service.Config{TLS: true}, func(s *scene, c fallbackClient) {
		ann := s.openPage(c, "ann")
		if !ann.UsesTLS() {
			s.Error("the page is connected without TLS")
		}
		for _, channel := range everyKind {
			ann.Subscribe(channel)
			s.trigger(channel, "paid", order)
			ann.AwaitData(channel, "paid", order)
		}
		ann.Trigger("private-orders", "client-typing", order)
	})
}

// TestFallbackReleases: releases of five major versions, as published.
func TestFallbackReleases(t *testing.T) {
	t.Parallel()
	requireReleases(t)
	svc := service.Start(t, service.Config{})
	be := startGoBackend(t, svc, theApp)
	b := &browser{t: t, service: svc, pages: make(map[string]*page)}
	b.node = startNode(t, "fallback_versions.mjs", "", b.saw)
	for release := 4; release <= 8; release++ {
		for _, transport := range []string{"xhr_streaming", "xhr_polling"} {
			p := &page{b: b, name: fmt.Sprintf("%d %s", release, transport), news: make(chan struct{})}
			b.mu.Lock()
			b.pages[p.name] = p
			b.mu.Unlock()
			options := b.fallbackOptions("", transport)
			options["encrypted"] = false // what forceTLS was called before
			delete(options, "channelAuthorization")
			delete(options, "userAuthentication")
			b.node.must("connect", map[string]any{"client": p.name, "release": release, "key": service.Key, "options": options}, nil)
			p.Await("news", "pusher:subscription_succeeded")
			if _, err := be.Trigger([]string{"news"}, "paid", order, triggerParams{}); err != nil {
				t.Fatal(err)
			}
			p.AwaitData("news", "paid", order)
		}
	}
}

// TestFallbackSwitchesToTLS: an app that is for TLS only answers 4000, upon
// which pusher-js comes back over TLS.
func TestFallbackSwitchesToTLS(t *testing.T) {
	playFallback(t, service.Config{TLS: true, Apps: `
  - id: "1"
    keys: [{key: app-key, secret: app-secret}]
    tls_only: true
`}, func(s *scene, c fallbackClient) {
		options := s.browser.fallbackOptions("ann", c.transport)
		options["forceTLS"] = false
		ann := s.browser.Start("ann", service.Key, options)
		ann.AwaitState("connected")
		if !ann.UsesTLS() {
			s.Error("the page is connected without TLS")
		}
		ann.Subscribe("news")
		s.trigger("news", "paid", order)
		ann.AwaitData("news", "paid", order)
	})
}

// TestFallbackKeepsStreamingThroughDeploys: a page takes streams that break
// for a reason to poll for ever after the second; those that are closed with
// 4200 it opens again at once, as often as it likes.
func TestFallbackKeepsStreamingThroughDeploys(t *testing.T) {
	t.Parallel()
	requireModules(t)
	cfg := service.Config{Apps: fallbackApps, Settings: "drain_timeout: 1s"}
	services := []*service.Service{service.Start(t, cfg), service.Start(t, cfg)}
	var target atomic.Pointer[service.Service] // of new connections
	target.Store(services[0])
	lb := startBalancer(t, func() string { return target.Load().Addr })
	b := openBrowser(t, services[0], "")
	options := b.fallbackOptions("ann", "")
	options["httpPort"] = port(lb.listener.Addr().String())
	options["enabledTransports"] = []string{"xhr_streaming", "xhr_polling"}
	ann := b.Start("ann", service.Key, options)
	ann.AwaitState("connected")
	ann.Subscribe("news")
	for i := range 4 {
		old, next := services[i%2], services[(i+1)%2]
		target.Store(next)
		old.Stop()
		if code := ann.AwaitError(); code != 4200.0 {
			t.Errorf("code = %v, want 4200", code)
		}
		ann.AwaitState("connected")
		ann.Await("news", "pusher:subscription_succeeded")
		awaitMetric(t, next, `belfry_fallback_sessions{transport="xhr_streaming"} 1`)
		old.Restart()
	}
	if n := ann.Count("state", "", "unavailable"); n != 0 {
		t.Errorf("the page was offline %d times, want never", n)
	}
}
