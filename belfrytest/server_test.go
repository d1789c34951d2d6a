package belfrytest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/belfryhq/belfry/backend"
	"github.com/belfryhq/belfry/belfrytest"
	"github.com/belfryhq/belfry/client"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func subscribe(t testing.TB, c *client.Client, name string) *client.Channel {
	t.Helper()
	ch, err := c.Subscribe(name)
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

// trigger triggers, or ends the test.
func trigger(t testing.TB, b *backend.Client, channel, event string, data any) {
	t.Helper()
	if _, err := b.Trigger(t.Context(), channel, event, data); err != nil {
		t.Fatal(err)
	}
}

// transports are those of the client, which all behave alike.
var transports = []client.Transport{client.WebSocket, client.XHRStreaming, client.XHRPolling}

// over makes a client that uses one transport.
func over(t testing.TB, s *belfrytest.Server, user string, transport client.Transport) *client.Client {
	t.Helper()
	cfg := s.ClientConfig(user)
	cfg.Transports = []client.Transport{transport}
	c, err := client.New(belfrytest.Key, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), belfrytest.Patience)
		defer cancel()
		if err := c.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})
	return c
}

// TestTheWholePath has events of every kind go from a backend to a client.
func TestTheWholePath(t *testing.T) {
	s := belfrytest.Start(t, belfrytest.Config{})
	b := s.Backend(t)
	for _, transport := range transports {
		t.Run(string(transport), func(t *testing.T) {
			c := over(t, s, "ann", transport)
			var channels []*client.Channel
			for _, prefix := range []string{"", "private-", "private-encrypted-", "presence-"} {
				channels = append(channels, subscribe(t, c, prefix+"news-"+string(transport)))
			}
			events := belfrytest.Collect(t, c, "e")
			belfrytest.Connect(t, c)
			belfrytest.AwaitSubscribed(t, channels...)
			for i, ch := range channels {
				data := fmt.Sprintf(`{"n":%d,"text":"é☕😀"}`, i)
				trigger(t, b, ch.Name(), "e", data)
				if e := events.Next(t); e.Data != data || e.Channel != ch.Name() {
					t.Errorf("%s gets %+v", ch.Name(), e)
				}
			}
			if _, err := b.Trigger(t.Context(), channels[0].Name(), "e", "not for us", backend.ExcludeSocket(c.SocketID())); err != nil {
				t.Fatal(err)
			}
			trigger(t, b, channels[0].Name(), "e", "last")
			if e := events.Next(t); e.Data != "last" {
				t.Errorf("got %+v", e)
			}
			if n, ok := channels[0].SubscriptionCount(); n != 1 || !ok {
				t.Errorf("count %d %t", n, ok)
			}
			channels[0].Unsubscribe()
			belfrytest.Collect(t, c)
		})
	}
}

func TestPresenceAndClientEvents(t *testing.T) {
	s := belfrytest.Start(t, belfrytest.Config{})
	for _, transport := range transports {
		t.Run(string(transport), func(t *testing.T) {
			ann, bob := over(t, s, "ann", transport), s.Client(t, "bob")
			room := "presence-" + string(transport)
			annRoom, bobRoom := subscribe(t, ann, room), subscribe(t, bob, room)
			added, removed := belfrytest.CollectSystem[client.MemberAdded](t, annRoom), belfrytest.CollectSystem[client.MemberRemoved](t, annRoom)
			typing := belfrytest.Collect(t, annRoom, "client-typing")
			belfrytest.Connect(t, ann)
			belfrytest.AwaitSubscribed(t, annRoom)
			if annRoom.Members().MyID() != "ann" || annRoom.Members().Len() != 1 {
				t.Errorf("members %v", annRoom.Members())
			}
			belfrytest.Connect(t, bob)
			if m := added.Next(t).Member; m.ID != "bob" || string(m.Info) != `{"name":"bob"}` {
				t.Errorf("added %+v", m)
			}
			belfrytest.AwaitSubscribed(t, bobRoom)
			if err := bobRoom.Trigger(t.Context(), "client-typing", map[string]bool{"on": true}); err != nil {
				t.Fatal(err)
			}
			if e := typing.Next(t); e.UserID != "bob" || e.Data != `{"on":true}` {
				t.Errorf("got %+v", e)
			}
			bob.Disconnect()
			if m := removed.Next(t).Member; m.ID != "bob" || annRoom.Members().Len() != 1 {
				t.Errorf("removed %+v, %v", m, annRoom.Members())
			}
		})
	}
}

func TestUsers(t *testing.T) {
	s := belfrytest.Start(t, belfrytest.Config{})
	b := s.Backend(t)
	for _, transport := range transports {
		t.Run(string(transport), func(t *testing.T) {
			user := "ann-" + string(transport)
			c := over(t, s, user, transport)
			notices := belfrytest.Collect(t, c.User(), "notice")
			changes := belfrytest.CollectSystem[client.Disconnected](t, c)
			if err := c.User().SignIn(); err != nil {
				t.Fatal(err)
			}
			belfrytest.Connect(t, c)
			ctx, cancel := context.WithTimeout(t.Context(), belfrytest.Patience)
			defer cancel()
			if err := c.User().AwaitSignedIn(ctx); err != nil {
				t.Fatal(err)
			}
			if err := b.SendToUser(t.Context(), user, "notice", "x"); err != nil {
				t.Fatal(err)
			}
			if e := notices.Next(t); e.Data != "x" || c.User().ID() != user {
				t.Errorf("%s gets %+v", c.User().ID(), e)
			}
			if err := b.TerminateUserConnections(t.Context(), user); err != nil {
				t.Fatal(err)
			}
			if d := changes.Next(t); d.Code != 4009 || d.WillRetry {
				t.Errorf("terminated: %+v", d)
			}
		})
	}
}

func TestCacheChannels(t *testing.T) {
	s := belfrytest.Start(t, belfrytest.Config{})
	b := s.Backend(t)
	c := s.Client(t, "ann")
	belfrytest.Connect(t, c)
	miss := belfrytest.CollectSystem[client.CacheMiss](t, c)
	subscribe(t, c, "cache-empty")
	if m := miss.Next(t); m.Channel.Name() != "cache-empty" {
		t.Errorf("miss on %s", m.Channel.Name())
	}
	trigger(t, b, "private-encrypted-cache-full", "e", "kept")
	events := belfrytest.Collect(t, c, "e")
	subscribe(t, c, "private-encrypted-cache-full")
	if e := events.Next(t); e.Data != "kept" {
		t.Errorf("got %+v", e)
	}
	info, err := b.Channel(t.Context(), "private-encrypted-cache-full", backend.CachedEvent, backend.SubscriptionCount)
	if err != nil || !info.Occupied || info.Cache == nil || *info.SubscriptionCount != 1 {
		t.Errorf("Channel = %+v, %v", info, err)
	}
}

func TestQueries(t *testing.T) {
	s := belfrytest.Start(t, belfrytest.Config{})
	b := s.Backend(t)
	var rooms []*client.Channel
	for _, user := range []string{"ann", "bob"} {
		c := s.Client(t, user)
		rooms = append(rooms, subscribe(t, c, "presence-room"))
		belfrytest.Connect(t, c)
	}
	belfrytest.AwaitSubscribed(t, rooms...)
	channels, err := b.Channels(t.Context(), backend.ChannelsQuery{Prefix: "presence-", Info: []backend.Attribute{backend.UserCount}})
	if err != nil || *channels["presence-room"].UserCount != 2 {
		t.Errorf("Channels = %+v, %v", channels, err)
	}
	users, err := b.ChannelUsers(t.Context(), "presence-room")
	if err != nil || len(users) != 2 {
		t.Errorf("ChannelUsers = %v, %v", users, err)
	}
	result, err := b.TriggerMulti(t.Context(), []string{"presence-room", "news"}, "e", "d", backend.WantInfo(backend.UserCount, backend.SubscriptionCount))
	if err != nil || *result.Channels["presence-room"].UserCount != 2 || *result.Channels["news"].SubscriptionCount != 0 {
		t.Errorf("TriggerMulti = %+v, %v", result, err)
	}
	batch, err := b.TriggerBatch(t.Context(), []backend.Event{{Channel: "news", Name: "e"}, {Channel: "presence-room", Name: "e", Info: []backend.Attribute{backend.UserCount}}})
	if err != nil || len(batch.Events) != 2 || *batch.Events[1].UserCount != 2 {
		t.Errorf("TriggerBatch = %+v, %v", batch, err)
	}
	wrong, err := backend.NewFromURL(strings.Replace(s.AppURL(), belfrytest.Secret, "wrong", 1), backend.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer wrong.CloseIdleConnections()
	if _, err := wrong.Channels(t.Context(), backend.ChannelsQuery{}); !errors.Is(err, backend.ErrUnauthorized) {
		t.Errorf("with a wrong secret: %v", err)
	}
}

func TestWebhooks(t *testing.T) {
	hooks := make(chan *backend.Webhook, 100)
	var receiver http.Handler
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { receiver.ServeHTTP(w, r) }))
	defer endpoint.Close()
	s := belfrytest.Start(t, belfrytest.Config{WebhookURL: endpoint.URL})
	receiver = s.Backend(t).WebhookHandler(func(_ context.Context, w *backend.Webhook) error { hooks <- w; return nil })
	c := s.Client(t, "ann")
	ch := subscribe(t, c, "presence-room")
	belfrytest.Connect(t, c)
	belfrytest.AwaitSubscribed(t, ch)
	if err := ch.Trigger(t.Context(), "client-x", 1); err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{backend.EventChannelOccupied: true, backend.EventMemberAdded: true, backend.EventClientEvent: true}
	for len(want) > 0 {
		select {
		case w := <-hooks:
			for _, e := range w.Events {
				if e.Channel != "presence-room" || e.Name != backend.EventChannelOccupied && e.UserID != "ann" {
					t.Errorf("webhook %+v", e)
				}
				delete(want, e.Name)
			}
		case <-time.After(belfrytest.Patience):
			t.Fatalf("no webhook for %v", want)
		}
	}
}
