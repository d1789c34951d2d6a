package operator

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry/cmd/belfry/internal/adminclient"
	"github.com/belfryhq/belfry/cmd/belfry/internal/cli"
	"github.com/belfryhq/belfry/cmd/belfry/internal/errortext"
	"github.com/belfryhq/belfry/cmd/belfry/internal/tables"
)

// A tailCommand is belfry tail.
type tailCommand struct {
	adminCommand
	app                                           string
	types, channels, events, sockets, users, node []string
	rate, sample                                  string
	noData                                        bool
	count                                         int
}

func newTail(s cli.Streams) *cobra.Command {
	t := &tailCommand{adminCommand: adminCommand{Streams: s}}
	c := t.command(&cobra.Command{
		Use:   "tail",
		Short: "See what happens to an app, while it happens",
		Long: `Prints what happens to an app on all nodes: connections, subscriptions, events,
client events, presence, refusals and webhooks, a line for each. What is left
out is counted in its place. The service filters, so that what is not wanted
costs nothing.`,
		Example: `  belfry tail --app 1234567
  belfry tail --type api_message,client_event --channel 'private-*'
  belfry tail --type client_error,api_error,refused_connection
  belfry tail --socket 1234.5678 --json`,
		Args: cli.NoArguments,
	}, t.run)
	flags := c.Flags()
	flags.StringVar(&t.app, "app", "", "`id` of the app; not needed if there is one")
	flags.StringSliceVar(&t.types, "type", nil, "`types` of rows, such as api_message,client_error")
	flags.StringArrayVar(&t.channels, "channel", nil, "a `channel`, or the beginning of names before a *; may be given again")
	flags.StringArrayVar(&t.events, "event", nil, "the `name` of an event, or its beginning before a *; may be given again")
	flags.StringArrayVar(&t.sockets, "socket", nil, "the `id` of a connection; may be given again")
	flags.StringArrayVar(&t.users, "user", nil, "the `id` of a user; may be given again")
	flags.StringArrayVar(&t.node, "node", nil, "the `name` of a node; may be given again")
	flags.StringVar(&t.rate, "rate", "", "`rows` a second, by default 50; full is 1,000")
	flags.StringVar(&t.sample, "sample", "", "one in so many `channels`, each of them whole")
	flags.BoolVar(&t.noData, "no-data", false, "leave out the data of events")
	flags.IntVar(&t.count, "count", 0, "end after so many `rows`")
	return c
}

// query is the filter in the words of the API.
func (t *tailCommand) query() url.Values {
	q := url.Values{}
	for name, values := range map[string][]string{
		"type": t.types, "channel": t.channels, "event": t.events, "socket": t.sockets, "user": t.users, "node": t.node,
	} {
		if len(values) > 0 {
			q[name] = values
		}
	}
	for name, value := range map[string]string{"rate": t.rate, "sample": t.sample} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if t.noData {
		q.Set("data", "false")
	}
	return q
}

var errEnough = errors.New("all rows that were asked for have come")

func (t *tailCommand) run(ctx context.Context, client adminclient.Client, _ []string) error {
	app, err := client.OnlyApp(ctx, t.app)
	if err != nil {
		return err
	}
	printed := 0
	err = client.Follow(ctx, adminclient.Request{Path: adminclient.AppPath(app) + "/live", Query: t.query()}, func(data []byte) error {
		line := string(data)
		if !t.json {
			if line, err = tables.Live(data); err != nil {
				return err
			}
		}
		if _, err := fmt.Fprintln(t.Out, line); err != nil {
			return err
		}
		if printed++; printed == t.count {
			return errEnough
		}
		return nil
	}, func(err error) {
		if err == nil {
			fmt.Fprintf(t.Err, "watching app %s\n", app)
			return
		}
		fmt.Fprintf(t.Err, "the connection is lost, and made anew: %s\n", errortext.Plain(err))
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}
