package main

import (
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry/cmd/belfry/internal/cli"
	"github.com/belfryhq/belfry/cmd/belfry/internal/target"
	"github.com/belfryhq/belfry/cmd/belfry/internal/watch"
	"github.com/belfryhq/belfry/protocol"
)

func newSubscribe(s cli.Streams) *cobra.Command {
	var where targetFlags
	var what watch.Subscription
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
				return cli.Usagef("give the name of a channel: belfry subscribe news")
			}
			return nil
		},
		RunE: func(command *cobra.Command, args []string) error {
			what.Channels = args
			t, err := where.resolve(getenv)
			if err != nil {
				return err
			}
			if err := checkSubscription(what, t); err != nil {
				return err
			}
			w := &watch.Watcher{Target: t, Subscription: what, Out: s.Out, Status: s.Err, Version: version}
			return w.Run(command.Context())
		},
	}
	where.add(command.Flags())
	command.Flags().StringVar(&what.UserID, "user-id", "belfry-cli", "who to be on presence channels: an `id`")
	command.Flags().StringVar(&what.UserInfo, "user-info", "", "what the others see of that user: `JSON`")
	command.Flags().BoolVar(&what.All, "all", false, "print every frame, also those of the protocol itself")
	command.Flags().IntVar(&what.Last, "last", 0, "print the last `N` events of the past first, where the app keeps them")
	command.Flags().StringVar(&what.Since, "since", "", "print the events after this `position` first, as an earlier call has told it")
	command.MarkFlagsMutuallyExclusive("last", "since")
	command.Flags().IntVar(&what.Count, "count", 0, "end after that many events (0: never)")
	return command
}

// checkSubscription finds what the service would refuse for want of something here.
func checkSubscription(s watch.Subscription, t target.Target) error {
	if err := needKey(t); err != nil {
		return err
	}
	if s.UserInfo != "" && !json.Valid([]byte(s.UserInfo)) {
		return cli.Usagef("--user-info is not JSON; write --user-info '{\"name\":\"Ann\"}'")
	}
	user := ""
	for _, channel := range s.Channels {
		id, isUser := protocol.UserOf(channel)
		if isUser && user != "" && id != user {
			return cli.Usagef("one connection can be signed in as one user only, not as %s and %s", user, id)
		}
		if isUser {
			user = id
		}
		if isUser || protocol.KindOf(channel).Private() {
			if err := needSecret(t); err != nil {
				return err
			}
		}
	}
	return nil
}
