package operator

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry/cmd/belfry/internal/adminclient"
	"github.com/belfryhq/belfry/cmd/belfry/internal/cli"
	"github.com/belfryhq/belfry/cmd/belfry/internal/tables"
)

func newUsers(s cli.Streams) *cobra.Command {
	i := &inspectCommand{adminCommand: adminCommand{Streams: s}}
	c := i.command(&cobra.Command{
		Use:   "users [ID]",
		Short: "List the users who are signed in, or show one or close all of one's connections",
		Long: `Lists the users of an app who are signed in on any node, or whom others watch; or
shows one of them with the presence channels that the user is a member of. With
--terminate all connections of one are closed with 4009, after which libraries stay
away.`,
		Example: `  belfry users
  belfry users --prefix customer-
  belfry users 7
  belfry users 7 --terminate`,
		Args: atMostOne("the id of a user"),
	}, i.users)
	i.flags(c)
	i.parameter(c, "prefix", "only those whose ids begin `so`")
	c.Flags().BoolVar(&i.close, "terminate", false, "close all connections of the user that is named")
	return c
}

func (i *inspectCommand) users(ctx context.Context, client adminclient.Client, args []string) error {
	if i.close && len(args) == 0 {
		return cli.Usagef("which user? Give the id: belfry users 7 --terminate")
	}
	path, err := i.path(ctx, client, "/users")
	if err != nil {
		return err
	}
	if len(args) == 0 {
		return i.pages(ctx, client, path, "users", tables.Users)
	}
	path += "/" + url.PathEscape(args[0])
	if i.close {
		q := adminclient.Request{Method: http.MethodPost, Path: path + "/terminate", Body: struct{}{}}
		return i.ask(ctx, client, q, i.say("all nodes were told to close the connections of %s\n", args[0]))
	}
	return i.ask(ctx, client, adminclient.Request{Path: path}, i.warned(tables.User))
}

func newErrors(s cli.Streams) *cobra.Command {
	i := &inspectCommand{adminCommand: adminCommand{Streams: s}}
	var unknown bool
	c := i.command(&cobra.Command{
		Use:   "errors",
		Short: "List what went wrong in an app in the last 24 hours, and what to do",
		Long: `Lists by their causes what was refused to clients and backends of an app, and what
could not be delivered: how often, when last, an example, and what to do. With
--unknown it is about those that name no app that there is, as with a wrong key.`,
		Example: `  belfry errors
  belfry errors --unknown
  belfry errors --json | jq '.errors[].cause'`,
		Args: cli.NoArguments,
	}, func(ctx context.Context, client adminclient.Client, _ []string) error {
		path := "/api/v1/errors"
		if !unknown {
			var err error
			if path, err = i.path(ctx, client, "/errors"); err != nil {
				return err
			}
		}
		return i.ask(ctx, client, adminclient.Request{Path: path}, i.warned(tables.Errors))
	})
	c.Flags().StringVar(&i.app, "app", "", "`id` of the app; not needed if there is one")
	c.Flags().BoolVar(&unknown, "unknown", false, "of clients and backends that name no app that there is")
	return c
}

// warned is for answers that name the nodes that have no part in them.
func (i *inspectCommand) warned(forPeople func(io.Writer, []byte) error) func(io.Writer, []byte) error {
	return func(out io.Writer, reply []byte) error {
		tables.Missing(i.Err, reply)
		return forPeople(out, reply)
	}
}

func newTimeline(s cli.Streams) *cobra.Command {
	i := &inspectCommand{adminCommand: adminCommand{Streams: s}}
	c := i.command(&cobra.Command{
		Use:   "timeline",
		Short: "Show what the nodes remember of a connection, a channel, a user or an app",
		Long: `Shows connections, subscriptions, events and refusals that all nodes remember,
the newest first. The data of events are not remembered. The nodes remember as much
as fits into console.journal, which is some minutes or hours.`,
		Example: `  belfry timeline --socket 1234.5678
  belfry timeline --channel private-orders --limit 20`,
		Args: cli.NoArguments,
	}, func(ctx context.Context, client adminclient.Client, _ []string) error {
		path, err := i.path(ctx, client, "/timeline")
		if err != nil {
			return err
		}
		query := i.values()
		query.Set("limit", strconv.Itoa(i.limit))
		return i.ask(ctx, client, adminclient.Request{Path: path, Query: query}, i.warned(tables.Timeline))
	})
	c.Flags().StringVar(&i.app, "app", "", "`id` of the app; not needed if there is one")
	c.Flags().IntVar(&i.limit, "limit", 100, "how `many` to show, at most 1000")
	i.query = map[string]*string{}
	i.parameter(c, "socket", "only what concerns the connection with this `id`")
	i.parameter(c, "channel", "only what concerns this `channel`")
	i.parameter(c, "user", "only what concerns the user with this `id`")
	return c
}
