package backend_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/belfryhq/belfry/backend"
)

func ExampleNew() {
	c, err := backend.New(backend.Config{
		AppID:  "1",
		Key:    "app-key",
		Secret: "app-secret",
		Host:   "realtime.example.com",
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(c)
	// Output: https://realtime.example.com/apps/1
}

func ExampleNewFromURL() {
	c, err := backend.NewFromURL("http://app-key:app-secret@127.0.0.1:6001/apps/1", backend.Config{
		Timeout: 2 * time.Second,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(c.BaseURL(), c.AppID(), c.Key())
	// Output: http://127.0.0.1:6001 1 app-key
}

func ExampleClient_Trigger() {
	c, err := backend.NewFromEnv(backend.Config{}) // PUSHER_URL
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	order := map[string]any{"id": 7, "state": "paid"}
	_, err = c.Trigger(ctx, "private-orders", "changed", order, backend.ExcludeSocket("1234.5678"))
	if e, ok := errors.AsType[backend.Error](err); ok && e.Temporary() {
		log.Print("not now: ", err) // it may have been sent all the same
	}
}

func ExampleClient_AuthorizeChannel() {
	c, err := backend.New(backend.Config{AppID: "3", Key: "278d425bdf160c739803", Secret: "7ad3773142a6692b25b8", Host: "realtime.example.com"})
	if err != nil {
		log.Fatal(err)
	}
	auth, err := c.AuthorizeChannel("1234.1234", "presence-foobar", &backend.Member{UserID: "12345"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(auth.Auth)
	fmt.Println(auth.ChannelData)
	// Output:
	// 278d425bdf160c739803:62e24d5d930e1891dbeab823842695c3a4fdccc44c13c17a5c5714a2801fb27b
	// {"user_id":"12345"}
}

func ExampleClient_ChannelAuthHandler() {
	c, err := backend.New(backend.Config{AppID: "1", Key: "app-key", Secret: "app-secret", Host: "realtime.example.com"})
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("POST /pusher/auth", c.ChannelAuthHandler(func(r *http.Request, _, channel string) (*backend.Member, error) {
		user, ok := session(r)
		if !ok || channel == "private-staff" && user != "ann" {
			return nil, backend.ErrAuthDenied
		}
		return &backend.Member{UserID: user}, nil
	}))
}

// session is the application's own.
func session(r *http.Request) (user string, ok bool) {
	cookie, err := r.Cookie("user")
	if err != nil {
		return "", false
	}
	return cookie.Value, true
}

func ExampleClient_WebhookHandler() {
	c, err := backend.New(backend.Config{AppID: "1", Key: "app-key", Secret: "app-secret", Host: "realtime.example.com"})
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("POST /pusher/webhook", c.WebhookHandler(func(_ context.Context, w *backend.Webhook) error {
		for _, e := range w.Events {
			if e.Name == backend.EventMemberRemoved {
				log.Printf("%s left %s", e.UserID, e.Channel)
			}
		}
		return nil
	}))
}
