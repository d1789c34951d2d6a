package operator

import (
	"context"
	"io"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry/cmd/belfry/internal/adminclient"
	"github.com/belfryhq/belfry/cmd/belfry/internal/cli"
	"github.com/belfryhq/belfry/cmd/belfry/internal/tables"
)

// An explainCommand is belfry explain.
type explainCommand struct {
	adminCommand
	app, event, channel, name, from, to, socket, user string
}

func newExplain(s cli.Streams) *cobra.Command {
	e := &explainCommand{adminCommand: adminCommand{Streams: s}}
	c := e.command(&cobra.Command{
		Use:   "explain",
		Short: "Find out why somebody did not get an event",
		Long: `Says what became of an event: for a connection, for each connection of a user, or
at all. It asks all nodes, shows what it concludes from and what is not known, and
says what to do.

belfry trigger prints the id of an event, and the HTTP API has it in the header
X-Belfry-Event-Id. Without it, an event is found by channel, name and time. The
nodes remember as much as fits into console.journal, which is some minutes or hours.`,
		Example: `  belfry explain --event K2R5V7B3X4ZQ6PLM-42 --socket 1234.5678
  belfry explain --channel private-orders --name created --user 7
  belfry explain --channel news --from 2026-01-31T15:00:00Z --to 2026-01-31T15:05:00Z`,
		Args: cli.NoArguments,
	}, e.run)
	flags := c.Flags()
	flags.StringVar(&e.app, "app", "", "`id` of the app; not needed if there is one")
	flags.StringVar(&e.event, "event", "", "`id` of the event")
	flags.StringVar(&e.channel, "channel", "", "its `channel`, where the id is not known")
	flags.StringVar(&e.name, "name", "", "its `name`; without it any, the newest first")
	flags.StringVar(&e.from, "from", "", "not before this `time`; by default ten minutes ago")
	flags.StringVar(&e.to, "to", "", "not after this `time`; by default now")
	flags.StringVar(&e.socket, "socket", "", "`id` of the connection that did not get it")
	flags.StringVar(&e.user, "user", "", "or `id` of the user")
	return c
}

func (e *explainCommand) run(ctx context.Context, client adminclient.Client, _ []string) error {
	if e.event == "" && e.channel == "" {
		return cli.Usagef("which event? Give its id with --event, or --channel and, if you like, --name, --from and --to")
	}
	app, err := client.OnlyApp(ctx, e.app)
	if err != nil {
		return err
	}
	q := url.Values{}
	for name, value := range map[string]string{
		"event": e.event, "channel": e.channel, "name": e.name, "from": e.from, "to": e.to, "socket": e.socket, "user": e.user,
	} {
		if value != "" {
			q.Set(name, value)
		}
	}
	request := adminclient.Request{Path: adminclient.AppPath(app) + "/explain", Query: q}
	return e.ask(ctx, client, request, func(out io.Writer, reply []byte) error { return tables.Explanation(out, reply) })
}
