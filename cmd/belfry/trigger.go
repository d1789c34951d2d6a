package main

import (
	"context"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry/cmd/belfry/internal/cli"
	"github.com/belfryhq/belfry/cmd/belfry/internal/target"
)

func newTrigger(s cli.Streams) *cobra.Command {
	var where targetFlags
	var e target.Event
	command := &cobra.Command{
		Use:   "trigger CHANNEL EVENT [DATA]",
		Short: "Send an event to the subscribers of a channel",
		Long: `Sends an event to everybody who is subscribed to a channel, as a backend does.
DATA is text, usually JSON; - reads it from standard input, and without it the
data is {}. What the subscribers of one user get is sent to the channel
#server-to-user-ID, with the user's id.

` + targetHelp,
		Example: `  belfry trigger news hello '{"text":"hi"}'
  echo '{"text":"hi"}' | belfry trigger news hello -
  belfry trigger presence-room hello --info user_count
  BELFRY_URL=http://KEY:SECRET@realtime.example.com:6001/apps/1 belfry trigger news hello`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 2 || len(args) > 3 {
				return cli.Usagef("give a channel, the name of an event and, if you like, data: belfry trigger news hello '{\"text\":\"hi\"}'")
			}
			return nil
		},
		RunE: func(command *cobra.Command, args []string) error {
			e.Channel, e.Name, e.Data = args[0], args[1], "{}"
			if len(args) == 3 {
				e.Data = args[2]
			}
			return trigger(command.Context(), s, where, e)
		},
	}
	where.add(command.Flags())
	command.Flags().StringVar(&e.SocketID, "socket-id", "", "leave out the connection with this `id`")
	command.Flags().StringVar(&e.Info, "info", "", "print about the channel: `attributes`, subscription_count, user_count or both")
	return command
}

// maxData is far above what any service takes.
const maxData = 16 << 20

func trigger(ctx context.Context, s cli.Streams, where targetFlags, e target.Event) error {
	t, err := where.resolve(getenv)
	if err != nil {
		return err
	}
	if err := needSecret(t); err != nil {
		return err
	}
	if t.AppID == "" {
		return cli.Usagef("which app? Give its id with --app-id, or in the URL: http://KEY:SECRET@HOST:PORT/apps/APP_ID")
	}
	if e.Data == "-" {
		data, err := io.ReadAll(io.LimitReader(s.In, maxData))
		if err != nil {
			return fmt.Errorf("standard input: %w", err)
		}
		e.Data = string(data)
	}
	if !utf8.ValidString(e.Data) {
		return cli.Usagef("the data is not text in UTF-8")
	}
	taken, err := t.Trigger(ctx, e, version)
	if err != nil {
		return err
	}
	if e.Info != "" {
		_, err = fmt.Fprintf(s.Out, "%s\n", taken.Reply)
		return err
	}
	_, err = fmt.Fprintf(s.Err, "triggered %s on %s\n%s", e.Name, e.Channel, taken)
	return err
}
