// Command after is a small backend that was written against pusher-http-go and
// moved to Belfry's library. Command before is what it was.
package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"os"

	"github.com/belfryhq/belfry/backend/pusher"
)

func main() {
	client, err := pusher.New(pusher.Client{
		AppID:                     os.Getenv("APP_ID"),
		Key:                       os.Getenv("APP_KEY"),
		Secret:                    os.Getenv("APP_SECRET"),
		Host:                      os.Getenv("APP_HOST"),
		EncryptionMasterKeyBase64: os.Getenv("APP_MASTER_KEY"),
	})
	if err != nil {
		log.Fatal(err)
	}
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		http.HandleFunc("/pusher/auth", func(w http.ResponseWriter, r *http.Request) {
			params, err := io.ReadAll(r.Body)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			response, err := client.AuthorizePresenceChannel(params, pusher.MemberData{UserID: "ann"})
			if err != nil {
				http.Error(w, err.Error(), http.StatusForbidden)
				return
			}
			w.Write(response)
		})
		http.HandleFunc("/pusher/webhook", func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			webhook, err := client.Webhook(r.Header, body)
			if err != nil {
				http.Error(w, err.Error(), http.StatusUnauthorized)
				return
			}
			for _, event := range webhook.Events {
				log.Printf("%s on %s", event.Name, event.Channel)
			}
		})
		log.Fatal(http.ListenAndServe("127.0.0.1:8080", nil))
	}
	if err := client.Trigger("orders", "created", map[string]int{"id": 7}); err != nil {
		log.Fatal(err)
	}
	socket, info := "1234.5678", "user_count"
	list, err := client.TriggerMultiWithParams([]string{"presence-shop", "orders"}, "updated", "paid", pusher.TriggerParams{SocketID: &socket, Info: &info})
	if err != nil {
		log.Fatal(err)
	}
	for name, channel := range list.Channels {
		if channel.UserCount != nil {
			fmt.Println(name, "has", *channel.UserCount, "users")
		}
	}
	if _, err := client.TriggerBatch([]pusher.Event{
		{Channel: "orders", Name: "created", Data: "8"},
		{Channel: "private-encrypted-orders", Name: "created", Data: "9"},
	}); err != nil {
		log.Fatal(err)
	}
	channel, err := client.Channel("orders", pusher.ChannelParams{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(channel.Name, "is occupied:", channel.Occupied)
}
