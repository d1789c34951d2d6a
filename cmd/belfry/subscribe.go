package main

import (
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry/protocol"
)

// A subscription is what belfry subscribe was asked for.
type subscription struct {
	channels []string
	userID   string // on presence channels
	userInfo string // JSON, or empty
	all      bool   // print every frame
	count    int    // end after that many events; zero is never
	last     int    // events of the past
	since    string // or those after a position
}

func newSubscribe(s streams) *cobra.Command {
	var where targetFlags
	var what subscription
	command := &cobra.Command{
		Use:   "subscribe CHANNEL...",
		Short: "Print the events of channels as they arrive",
		Long: `Connects as a client, subscribes to the channels and prints every event as the
line of JSON that it arrived as; data is a string in it. What happens to the
connection is told on standard error. With the secret it authorizes itself on
private and presence channels, and signs in for #server-to-user-ID.

Of channels with a history it prints the last events first, or those since a
position, and after a lost connection what was missed (docs/history.md).

A lost connection is made again. The command ends with status 1 if the service
refuses the connection or a subscription, and with 0 on Ctrl-C.

` + targetHelp,
		Example: `  belfry subscribe news
  belfry subscribe presence-room --user-id 17 --user-info '{"name":"Ann"}'
  belfry subscribe private-orders --count 1 | jq -r .data
  belfry subscribe news --last 20
  BELFRY_URL=https://KEY:SECRET@realtime.example.com/apps/1 belfry subscribe news`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usagef("give the name of a channel: belfry subscribe news")
			}
			return nil
		},
		RunE: func(command *cobra.Command, args []string) error {
			what.channels = args
			t, err := where.resolve(getenv)
			if err != nil {
				return err
			}
			if err := what.check(t); err != nil {
				return err
			}
			w := &watcher{target: t, subscription: what, out: s.out, status: s.err}
			return w.run(command.Context())
		},
	}
	where.add(command.Flags())
	command.Flags().StringVar(&what.userID, "user-id", "belfry-cli", "who to be on presence channels: an `id`")
	command.Flags().StringVar(&what.userInfo, "user-info", "", "what the others see of that user: `JSON`")
	command.Flags().BoolVar(&what.all, "all", false, "print every frame, also those of the protocol itself")
	command.Flags().IntVar(&what.last, "last", 0, "print the last `N` events of the past first, where the app keeps them")
	command.Flags().StringVar(&what.since, "since", "", "print the events after this `position` first, as an earlier call has told it")
	command.MarkFlagsMutuallyExclusive("last", "since")
	command.Flags().IntVar(&what.count, "count", 0, "end after that many events (0: never)")
	return command
}

// check finds what the service would refuse for want of something here.
func (s subscription) check(t target) error {
	if err := t.needKey(); err != nil {
		return err
	}
	if s.userInfo != "" && !json.Valid([]byte(s.userInfo)) {
		return usagef("--user-info is not JSON; write --user-info '{\"name\":\"Ann\"}'")
	}
	user := ""
	for _, channel := range s.channels {
		id, isUser := protocol.UserOf(channel)
		if isUser && user != "" && id != user {
			return usagef("one connection can be signed in as one user only, not as %s and %s", user, id)
		}
		if isUser {
			user = id
		}
		if isUser || protocol.KindOf(channel).Private() {
			if err := t.needSecret(); err != nil {
				return err
			}
		}
	}
	return nil
}

// user is who to sign in as, or empty.
func (s subscription) user() string {
	for _, channel := range s.channels {
		if id, ok := protocol.UserOf(channel); ok {
			return id
		}
	}
	return ""
}

// info is what the others see of the user on presence channels, or nil.
func (s subscription) info() any {
	if s.userInfo == "" {
		return nil
	}
	return json.RawMessage(s.userInfo)
}

// A frame is what printing needs to know of a message of the service.
type frame struct {
	Event   string `json:"event"`
	Channel string `json:"channel"`
}

// isNews reports whether f is about a channel and not an answer to us. How many
// have subscribed is none: it comes with our own subscription.
func (f frame) isNews() bool {
	switch f.Event {
	case protocol.EventSubscriptionSucceeded, protocol.EventSubscriptionError, protocol.EventSubscriptionCount:
		return false
	}
	return f.Channel != ""
}
