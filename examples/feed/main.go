// Command feed publishes prices that only those who are authorized can read:
// they travel on an encrypted channel, and the service itself can not read
// them.
//
//	belfry dev &
//	export PUSHER_URL=http://app-key:app-secret@127.0.0.1:6001/apps/1
//	go run ./examples/feed publish       # a price a second, and authorization on port 8080
//	go run ./examples/feed follow        # in another terminal
//
// The publisher is a backend: it has the secrets. The follower has none, and
// asks the publisher.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"time"

	"github.com/belfryhq/belfry/backend"
	"github.com/belfryhq/belfry/client"
)

const (
	channel = "private-encrypted-prices"
	token   = "open sesame" // of followers; an application has sessions instead
	authURL = "http://127.0.0.1:8080/pusher/auth"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var err error
	switch {
	case len(os.Args) == 2 && os.Args[1] == "publish":
		err = publishFromEnv(ctx)
	case len(os.Args) == 2 && os.Args[1] == "follow":
		err = followFromEnv(ctx)
	default:
		log.Fatal("usage: feed publish | feed follow")
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		log.Fatal(err)
	}
}

// publishFromEnv makes a key, serves authorization and publishes for ever.
func publishFromEnv(ctx context.Context) error {
	key, err := backend.GenerateMasterKey() // followers get another one after a restart
	if err != nil {
		return err
	}
	b, err := backend.NewFromEnv(backend.Config{EncryptionMasterKeyBase64: key})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:8080")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: authorize(b), ReadHeaderTimeout: 5 * time.Second}
	go server.Serve(listener)
	defer server.Close()
	ticks := time.NewTicker(time.Second)
	defer ticks.Stop()
	return publish(ctx, b, ticks.C)
}

// authorize lets those follow who know the token.
func authorize(b *backend.Client) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /pusher/auth", b.ChannelAuthHandler(func(r *http.Request, _, name string) (*backend.Member, error) {
		if name != channel || r.Header.Get("Authorization") != "Bearer "+token {
			return nil, backend.ErrAuthDenied
		}
		return nil, nil
	}))
	return mux
}

// A price is what is published.
type price struct {
	Symbol string  `json:"symbol"`
	Price  float64 `json:"price"`
}

// publish publishes a price at every tick.
func publish(ctx context.Context, b *backend.Client, ticks <-chan time.Time) error {
	p := price{"BELL", 100}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticks:
		}
		_, err := b.Trigger(ctx, channel, "price", p)
		if e, ok := errors.AsType[backend.Error](err); ok && e.Temporary() {
			log.Print(err) // the next price is as good
		} else if err != nil {
			return err
		}
		p.Price += rand.Float64() - 0.5
	}
}

// followFromEnv follows the service and the key in PUSHER_URL.
func followFromEnv(ctx context.Context) error {
	u, err := url.Parse(os.Getenv("PUSHER_URL"))
	if err != nil || u.User == nil {
		return errors.New("PUSHER_URL is not set")
	}
	port, _ := strconv.Atoi(u.Port())
	endpoint := client.Endpoint{Host: u.Hostname(), Port: port, Insecure: u.Scheme == "http"}
	return follow(ctx, u.User.Username(), endpoint, authURL, os.Stdout)
}

// follow prints prices until ctx ends.
func follow(ctx context.Context, key string, endpoint client.Endpoint, authURL string, out io.Writer) error {
	c, err := client.New(key, client.Config{
		Endpoint: endpoint,
		ChannelAuthorizer: &client.HTTPAuth{
			Endpoint: authURL,
			Header:   http.Header{"Authorization": {"Bearer " + token}},
		},
	})
	if err != nil {
		return err
	}
	ch, err := c.Subscribe(channel)
	if err != nil {
		return err
	}
	client.BindJSON(ch, "price", func(_ context.Context, p price, _ client.Event) {
		fmt.Fprintf(out, "%s %.2f\n", p.Symbol, p.Price)
	})
	client.On(c, func(_ context.Context, f client.Failure) { log.Print(f.Err) })
	client.On(ch, func(_ context.Context, f client.SubscriptionFailed) { log.Print(f.Err) })
	return c.Run(ctx)
}
