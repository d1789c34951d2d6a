package e2e

import (
	"context"
	"errors"
	"maps"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/belfryhq/belfry/client"
	"github.com/belfryhq/belfry/e2e/service"
)

// A goClient is a client that uses package client of this module, with what
// arrives for it.
type goClient struct {
	*client.Client
	t      testing.TB
	events chan client.Event
}

// openGoClient opens a client whose backend knows its user by that name, over
// one transport.
func openGoClient(t testing.TB, s *service.Service, authURL, name string, transport client.Transport) *goClient {
	t.Helper()
	host, text, err := net.SplitHostPort(s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	form := url.Values{"user": {name}}
	c, err := client.New(service.Key, client.Config{
		Endpoint:          client.Endpoint{Host: host, Port: number, Insecure: true},
		Transports:        []client.Transport{transport},
		Proxy:             func(*http.Request) (*url.URL, error) { return nil, nil },
		ChannelAuthorizer: &client.HTTPAuth{Endpoint: authURL + "/channel", Params: form},
		UserAuthenticator: &client.HTTPAuth{Endpoint: authURL + "/user", Params: form},
	})
	if err != nil {
		t.Fatal(err)
	}
	g := &goClient{Client: c, t: t, events: make(chan client.Event, 10000)}
	c.BindAll(func(_ context.Context, e client.Event) { g.events <- e })
	c.User().BindAll(func(context.Context, client.Event) {})
	ctx, cancel := context.WithTimeout(t.Context(), service.Patience)
	defer cancel()
	if err := c.Connect(); err != nil {
		t.Fatal(err)
	}
	if err := c.AwaitConnected(ctx); err != nil {
		t.Fatalf("%s is not connected: %v", name, err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), service.Patience)
		defer cancel()
		if err := c.Shutdown(ctx); err != nil {
			t.Errorf("%s does not end: %v", name, err)
		}
	})
	return g
}

// Subscribe subscribes and waits until the service has agreed.
func (g *goClient) Subscribe(name string) *client.Channel {
	g.t.Helper()
	ch, err := g.Client.Subscribe(name)
	if err != nil {
		g.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(g.t.Context(), service.Patience)
	defer cancel()
	if err := ch.AwaitSubscribed(ctx); err != nil {
		g.t.Fatalf("subscribe to %s: %v", name, err)
	}
	return ch
}

// Await waits for an event and passes what came before it.
func (g *goClient) Await(channel, event string) client.Event {
	g.t.Helper()
	timer := time.NewTimer(service.Patience)
	defer timer.Stop()
	for {
		select {
		case e := <-g.events:
			if e.Channel == channel && e.Name == event {
				return e
			}
		case <-timer.C:
			g.t.Fatalf("no %s on %s", event, channel)
		}
	}
}

// AwaitData waits for an event and compares its data.
func (g *goClient) AwaitData(channel, event string, want any) {
	g.t.Helper()
	var got any
	if e := g.Await(channel, event); e.Decode(&got) != nil || !reflect.DeepEqual(got, want) {
		g.t.Errorf("%s on %s has %s, want %v", event, channel, e.Data, want)
	}
}

// everyWay runs a test with each server library and over each transport of the
// Go client.
func everyWay(t *testing.T, test func(s *scene, transport client.Transport)) {
	t.Parallel()
	for _, library := range slices.Sorted(maps.Keys(backends)) {
		for _, transport := range []client.Transport{client.WebSocket, client.XHRStreaming, client.XHRPolling} {
			t.Run(library+" "+string(transport), func(t *testing.T) {
				t.Parallel()
				requireModules(t)
				svc := service.Start(t, service.Config{})
				be := backends[library](t, svc, theApp)
				test(&scene{t, svc, be, openBrowser(t, svc, be.AuthURL())}, transport)
			})
		}
	}
}

// TestGoClientBesidePusherJS has a page and a Go client see the same.
func TestGoClientBesidePusherJS(t *testing.T) {
	everyWay(t, func(s *scene, transport client.Transport) {
		page := s.browser.Open("ann")
		gopher := openGoClient(t, s.service, s.backend.AuthURL(), "gopher", transport)
		for _, channel := range []string{"news", "private-orders", "private-encrypted-diary", "presence-room"} {
			page.Subscribe(channel)
			gopher.Subscribe(channel)
			if channel == "presence-room" {
				page.Await(channel, "pusher:member_added")
			}
			s.trigger(channel, "hello", order)
			page.AwaitData(channel, "hello", order)
			gopher.AwaitData(channel, "hello", order)
		}
		room, _ := gopher.Channel("presence-room")
		if m := room.Members(); m.Len() != 2 || m.MyID() != "gopher" {
			s.Errorf("the Go client sees %d members, and is %s", m.Len(), m.MyID())
		}
		page.Trigger("presence-room", "client-typing", map[string]any{"on": true})
		if e := gopher.Await("presence-room", "client-typing"); e.UserID != "ann" || e.Data != `{"on":true}` {
			s.Errorf("a page's client event arrives as %+v", e)
		}
		if err := room.Trigger(s.Context(), "client-typing", map[string]any{"on": false}); err != nil {
			s.Fatal(err)
		}
		page.AwaitData("presence-room", "client-typing", map[string]any{"on": false})
		room.Unsubscribe()
		page.Await("presence-room", "pusher:member_removed")
	})
}

// TestGoClientSignsIn has a backend of each library know a Go client.
func TestGoClientSignsIn(t *testing.T) {
	everyWay(t, func(s *scene, transport client.Transport) {
		gopher := openGoClient(t, s.service, s.backend.AuthURL(), "gopher", transport)
		if err := gopher.User().SignIn(); err != nil {
			s.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(s.Context(), service.Patience)
		defer cancel()
		if err := gopher.User().AwaitSignedIn(ctx); err != nil {
			s.Fatal(err)
		}
		if err := s.backend.SendToUser("gopher", "notice", order); err != nil {
			s.Fatal(err)
		}
		gopher.AwaitData("#server-to-user-gopher", "notice", decoded(s, order))
	})
}

// TestGoClientIsRefused has endpoints of each library say no.
func TestGoClientIsRefused(t *testing.T) {
	play(t, service.Config{}, func(s *scene) {
		gopher := openGoClient(t, s.service, s.backend.AuthURL(), "gopher", client.WebSocket)
		ch, err := gopher.Client.Subscribe("private-orders", client.WithAuthorizer(&client.HTTPAuth{
			Endpoint: s.backend.AuthURL() + "/channel", Params: url.Values{"refuse": {"1"}},
		}))
		if err != nil {
			s.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(s.Context(), service.Patience)
		defer cancel()
		e, ok := errors.AsType[*client.AuthError](ch.AwaitSubscribed(ctx))
		if !ok || e.Kind != client.AuthRefused || e.StatusCode != http.StatusForbidden {
			s.Errorf("refused with %+v", e)
		}
	})
}

// TestGoClientComesBack has the service restart under a Go client.
func TestGoClientComesBack(t *testing.T) {
	t.Parallel()
	for _, kill := range []bool{false, true} {
		t.Run("kill "+strconv.FormatBool(kill), func(t *testing.T) {
			t.Parallel()
			svc := service.Start(t, service.Config{})
			be := startOurBackend(t, svc, theApp)
			gopher := openGoClient(t, svc, be.AuthURL(), "gopher", client.WebSocket)
			gopher.Subscribe("private-encrypted-diary")
			lost := make(chan client.Disconnected, 100)
			client.On(gopher, func(_ context.Context, d client.Disconnected) { lost <- d })
			confirmed := make(chan bool, 100)
			client.On(gopher, func(_ context.Context, s client.Subscribed) { confirmed <- s.Resubscribed })
			if kill {
				svc.Kill()
			} else {
				svc.Stop()
			}
			if d := <-lost; !d.WasConnected || !d.WillRetry || !kill && d.Code != 4200 {
				t.Errorf("lost: %+v", d)
			}
			svc.Restart()
			gopher.NotifyOnline()
			if !<-confirmed {
				t.Error("the subscription is a new one")
			}
			if _, err := be.Trigger([]string{"private-encrypted-diary"}, "entry", order, triggerParams{}); err != nil {
				t.Fatal(err)
			}
			gopher.AwaitData("private-encrypted-diary", "entry", decoded(t, order))
		})
	}
}
