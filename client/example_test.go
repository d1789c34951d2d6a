package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"time"

	"github.com/belfryhq/belfry/client"
)

// Follow a public channel until the context ends.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	c, err := client.New("app-key", client.Config{
		Endpoint: client.Endpoint{Host: "127.0.0.1", Port: 6001, Insecure: true},
	})
	if err != nil {
		log.Fatal(err)
	}
	prices, err := c.Subscribe("prices")
	if err != nil {
		log.Fatal(err)
	}
	type tick struct {
		Symbol string  `json:"symbol"`
		Price  float64 `json:"price"`
	}
	client.BindJSON(prices, "tick", func(_ context.Context, t tick, _ client.Event) {
		fmt.Println(t.Symbol, t.Price)
	})
	fmt.Println(c.Run(ctx)) // connects, reconnects, and cleans up
	// Output: context deadline exceeded
}

// None is assumed, so that no event goes to somebody else's service.
func ExampleNew_withoutHost() {
	_, err := client.New("app-key", client.Config{})
	fmt.Println(errors.Is(err, client.ErrConfig))
	// Output: true
}

// Show where the connection is, why, and when there is another attempt.
func ExampleOn() {
	c, err := client.New("app-key", client.Config{Endpoint: client.Endpoint{Host: "realtime.example.com"}})
	if err != nil {
		log.Fatal(err)
	}
	client.On(c, func(_ context.Context, s client.StateChange) {
		slog.Info("realtime", "from", s.Previous, "to", s.Current, "err", s.Err)
	})
	client.On(c, func(_ context.Context, w client.ConnectingIn) {
		slog.Info("realtime", "retry_in", w.Delay, "attempt", w.Attempt)
	})
	client.On(c, func(_ context.Context, d client.Disconnected) {
		if d.Code == 4004 {
			slog.Error("the app is over its connection limit")
		}
	})
	client.On(c, func(_ context.Context, f client.Failure) { slog.Warn("realtime", "err", f.Err) })
}

// A token that has to be fresh for every request.
func ExampleHTTPAuth() {
	token := func(ctx context.Context, anew bool) (string, error) { return "…", nil }
	_, err := client.New("app-key", client.Config{
		Endpoint: client.Endpoint{Host: "realtime.example.com"},
		ChannelAuthorizer: &client.HTTPAuth{
			Endpoint: "https://app.example.com/pusher/auth",
			HeaderFunc: func(ctx context.Context, r client.AuthRequest) (http.Header, error) {
				t, err := token(ctx, r.Attempt > 1) // 2: the endpoint has said 401 or 403
				return http.Header{"Authorization": {"Bearer " + t}}, err
			},
		},
	})
	if err != nil {
		log.Fatal(err)
	}
}

// A room with members, in which nothing between subscribing and binding is
// missed.
func ExampleClient_SubscribePresence() {
	c, err := client.New("app-key", client.Config{
		Endpoint:          client.Endpoint{Host: "realtime.example.com"},
		ChannelAuthorizer: &client.HTTPAuth{Endpoint: "https://app.example.com/pusher/auth"},
	})
	if err != nil {
		log.Fatal(err)
	}
	_, err = c.SubscribePresence("room", client.Setup(func(ch *client.Channel) {
		client.On(ch, func(_ context.Context, s client.Subscribed) {
			for m := range s.Members.All() {
				fmt.Println("here:", m.ID)
			}
		})
		client.On(ch, func(_ context.Context, m client.MemberAdded) { fmt.Println("joined:", m.Member.ID) })
		client.On(ch, func(_ context.Context, m client.MemberRemoved) { fmt.Println("left:", m.Member.ID) })
		ch.Bind("client-typing", func(_ context.Context, e client.Event) { fmt.Println(e.UserID, "is typing") })
	}))
	if err != nil {
		log.Fatal(err)
	}
}

// A slow job in a queue of its own delays nobody, and loses nothing while the
// connection lasts.
func ExampleClient_NewQueue() {
	c, err := client.New("app-key", client.Config{Endpoint: client.Endpoint{Host: "realtime.example.com"}})
	if err != nil {
		log.Fatal(err)
	}
	audit, err := c.Subscribe("audit")
	if err != nil {
		log.Fatal(err)
	}
	archive := c.NewQueue(client.QueueConfig{Name: "archive", Size: 10_000, Overflow: client.Block})
	audit.BindAll(func(ctx context.Context, e client.Event) {
		time.Sleep(time.Second) // ctx ends with the client
	}, client.InQueue(archive))
}

// Pull events instead of being called.
func ExampleEvents() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	c, err := client.New("app-key", client.Config{Endpoint: client.Endpoint{Host: "realtime.example.com"}})
	if err != nil {
		log.Fatal(err)
	}
	orders, err := c.Subscribe("orders")
	if err != nil {
		log.Fatal(err)
	}
	for e := range client.Events(ctx, orders, "created", "changed") {
		fmt.Println(e.Name, e.Data)
	}
	// Output:
}

// The way of libPusher: a first failure is final, then three attempts, and the
// program has the last word.
func ExampleReconnectPolicy() {
	reachable := func() bool { return true }
	policy := client.LibPusherPolicy()
	policy.Decide = func(d client.Disconnected, proposed time.Duration) (time.Duration, bool) {
		return proposed, d.WillRetry && reachable()
	}
	_, err := client.New("app-key", client.Config{Endpoint: client.Endpoint{Host: "realtime.example.com"}, Reconnect: policy})
	if err != nil {
		log.Fatal(err)
	}
}

// Sign in, and be told what is for this user.
func ExampleUser_SignIn() {
	c, err := client.New("app-key", client.Config{
		Endpoint:          client.Endpoint{Host: "realtime.example.com"},
		UserAuthenticator: &client.HTTPAuth{Endpoint: "https://app.example.com/pusher/user-auth"},
	})
	if err != nil {
		log.Fatal(err)
	}
	u := c.User()
	u.Bind("notice", func(_ context.Context, e client.Event) { fmt.Println(e.Data) })
	client.On(u, func(_ context.Context, w client.WatchlistChange) { fmt.Println(w.Name, w.UserIDs) })
	if err := u.SignIn(); err != nil {
		log.Fatal(err)
	}
}
