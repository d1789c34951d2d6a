package operator

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry/cmd/belfry/internal/adminclient"
	"github.com/belfryhq/belfry/cmd/belfry/internal/cli"
	"github.com/belfryhq/belfry/cmd/belfry/internal/tables"
)

// An inspectCommand is one that looks inside an app.
type inspectCommand struct {
	adminCommand
	app      string
	limit    int
	query    map[string]*string // parameters of the list, by their names
	close    bool
	comeBack bool
}

func newChannels(s cli.Streams) *cobra.Command {
	i := &inspectCommand{adminCommand: adminCommand{Streams: s}}
	c := i.command(&cobra.Command{
		Use:   "channels [NAME]",
		Short: "List the channels of an app, or show one with its members and subscribers",
		Long: `Lists the channels that somebody is subscribed to in the whole cluster, or that
have a cached event; or shows one of them: its members, and its subscribers on
all nodes, the newest first.`,
		Example: `  belfry channels
  belfry channels --prefix private- --order subscriptions --limit 10
  belfry channels presence-room
  belfry channels --limit 0 --json | jq -r .name`,
		Args: atMostOne("the name of a channel"),
	}, i.channels)
	i.flags(c)
	i.parameter(c, "prefix", "only those whose names begin `so`")
	i.parameter(c, "order", "by `name`, or those with the most subscriptions first: subscriptions")
	return c
}

func newConnections(s cli.Streams) *cobra.Command {
	i := &inspectCommand{adminCommand: adminCommand{Streams: s}}
	c := i.command(&cobra.Command{
		Use:   "connections [SOCKET]",
		Short: "List the connections of an app, count them, or show or close one",
		Long: `Lists the connections of all nodes, the newest first: since when, from where, with
which library and transport; or shows one of them with its channels. With --by they
are counted by what they have in common. With --close one is closed with 4009, after
which libraries stay away, or with --reconnect 4200, after which they come back.`,
		Example: `  belfry connections
  belfry connections --channel presence-room
  belfry connections --address 192.0.2.0/24 --transport xhr_polling
  belfry connections --unsubscribed
  belfry connections --by origin
  belfry connections 1234.5678
  belfry connections 1234.5678 --close`,
		Args: atMostOne("the id of a connection"),
	}, i.connections)
	i.flags(c)
	i.parameter(c, "channel", "only subscribers of this `channel`")
	i.parameter(c, "user", "only those that are signed in as the user with this `id`")
	i.parameter(c, "origin", "only those of pages of this `origin`")
	i.parameter(c, "library", "only those of this `library`, as in js")
	i.parameter(c, "transport", "only those over this `transport`, as in websocket")
	i.parameter(c, "address", "only those of this `address` or network")
	unsubscribed := c.Flags().Bool("unsubscribed", false, "only those that are subscribed to nothing and not signed in")
	c.PreRun = func(*cobra.Command, []string) {
		if *unsubscribed {
			text := "true"
			i.query["unsubscribed"] = &text
		}
	}
	i.parameter(c, "by", "count them by `what`: origin, library, transport, user or node")
	c.Flags().BoolVar(&i.close, "close", false, "close the connection that is named")
	c.Flags().BoolVar(&i.comeBack, "reconnect", false, "with --close: its client is to come back at once")
	return c
}

// atMostOne is for commands that take one argument or none.
func atMostOne(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) > 1 {
			return cli.Usagef("%q is not expected; give %s at most", args[1], what)
		}
		return nil
	}
}

func (i *inspectCommand) flags(c *cobra.Command) {
	c.Flags().StringVar(&i.app, "app", "", "`id` of the app; not needed if there is one")
	c.Flags().IntVar(&i.limit, "limit", 100, "how `many` to list (0: all)")
	i.query = map[string]*string{}
}

func (i *inspectCommand) parameter(c *cobra.Command, name, usage string) {
	i.query[name] = c.Flags().String(name, "", usage)
}

// values are the parameters that were given.
func (i *inspectCommand) values() url.Values {
	q := url.Values{}
	for name, value := range i.query {
		if *value != "" {
			q.Set(name, *value)
		}
	}
	return q
}

func (i *inspectCommand) channels(ctx context.Context, client adminclient.Client, args []string) error {
	path, err := i.path(ctx, client, "/channels")
	if err != nil {
		return err
	}
	if len(args) == 0 {
		return i.pages(ctx, client, path, "channels", tables.Channels)
	}
	return i.ask(ctx, client, adminclient.Request{Path: path + "/" + url.PathEscape(args[0]), Query: i.values()}, tables.Channel)
}

func (i *inspectCommand) connections(ctx context.Context, client adminclient.Client, args []string) error {
	path, err := i.path(ctx, client, "/connections")
	if err != nil {
		return err
	}
	switch {
	case i.close && len(args) == 0:
		return cli.Usagef("which connection? Give its id: belfry connections 1234.5678 --close")
	case i.comeBack && !i.close:
		return cli.Usagef("--reconnect is for --close")
	case i.close:
		q := adminclient.Request{Method: http.MethodDelete, Path: path + "/" + url.PathEscape(args[0])}
		if i.comeBack {
			q.Query = url.Values{"code": {"4200"}}
		}
		return i.ask(ctx, client, q, i.say("closed %s\n", args[0]))
	case len(args) == 1:
		return i.ask(ctx, client, adminclient.Request{Path: path + "/" + url.PathEscape(args[0])}, tables.Connection)
	case *i.query["by"] != "":
		return i.ask(ctx, client, adminclient.Request{Path: path, Query: i.values()}, func(out io.Writer, reply []byte) error {
			tables.Missing(i.Err, reply)
			return tables.Groups(out, reply)
		})
	}
	return i.pages(ctx, client, path, "connections", tables.Connections)
}

// path is that of something of the app that is meant.
func (i *inspectCommand) path(ctx context.Context, client adminclient.Client, below string) (string, error) {
	if i.limit < 0 {
		return "", cli.Usagef("--limit is not below 0")
	}
	app, err := client.OnlyApp(ctx, i.app)
	return adminclient.AppPath(app) + below, err
}

// pages prints a list up to the limit, and says what is missing in it.
func (i *inspectCommand) pages(ctx context.Context, client adminclient.Client, path, member string, forPeople func(io.Writer, []json.RawMessage) error) error {
	query := i.values()
	if i.limit == 0 {
		query.Set("limit", strconv.Itoa(adminclient.MaxPage))
	}
	more, err := i.listSome(ctx, client, adminclient.List{Path: path, Member: member, Query: query, Limit: i.limit}, forPeople)
	if err == nil && more {
		fmt.Fprintf(i.Err, "there are more; --limit 0 lists all\n")
	}
	return err
}
