package operator

import (
	"context"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry/cmd/belfry/internal/adminclient"
	"github.com/belfryhq/belfry/cmd/belfry/internal/cli"
	"github.com/belfryhq/belfry/cmd/belfry/internal/tables"
)

func newAppsList(s cli.Streams) *cobra.Command {
	a := &appsCommand{adminCommand: adminCommand{Streams: s}}
	c := &cobra.Command{
		Use:     "list",
		Short:   "List the apps",
		Long:    "Lists the apps, those of the configuration and those that were made at run time. With --json, one on each line.",
		Example: "  belfry apps list\n  belfry apps list --json | jq -r .id",
	}
	return a.command(c, func(ctx context.Context, client adminclient.Client, _ []string) error {
		return a.list(ctx, client, adminclient.AppsPath, "apps", url.Values{"limit": {pageSize}}, tables.Apps)
	})
}

// pageSize is how many apps are told at once.
const pageSize = "1000"

func newAppsUsage(s cli.Streams) *cobra.Command {
	a := &appsCommand{adminCommand: adminCommand{Streams: s}}
	var last time.Duration
	c := &cobra.Command{
		Use:   "usage [APP]",
		Short: "Tell what an app used by the hour, or all of them",
		Long: `Tells what one app used in each hour: the most connections at once, the events of
backends (an event on three channels counts three) and of clients, their deliveries,
and the requests of backends. Without an app it tells what every app used altogether. Usage is kept
for 31 days.`,
		Example: "  belfry apps usage\n  belfry apps usage 1234567 --last 168h",
	}
	c.Flags().DurationVar(&last, "last", 24*time.Hour, "how far back, as a `duration`")
	return a.command(c, func(ctx context.Context, client adminclient.Client, args []string) error {
		from := time.Now().Add(-last).UTC().Truncate(time.Hour)
		query := url.Values{"from": {from.Format(time.RFC3339)}}
		if len(args) == 0 {
			query.Set("limit", pageSize)
			return a.list(ctx, client, adminclient.UsagePath, "apps", query, tables.Usage)
		}
		return a.ask(ctx, client, adminclient.Request{Path: adminclient.AppPath(args[0]) + "/usage", Query: query}, tables.Hours)
	})
}

func newAppsKeys(s cli.Streams) *cobra.Command {
	a := &appsCommand{adminCommand: adminCommand{Streams: s}}
	c := &cobra.Command{
		Use:   "keys APP",
		Short: "Tell when each key was used last, and by whom",
		Long: `Tells of each key of an app when it was used last, how often within an hour, and by
which libraries: requests of backends, connections of clients, and signatures that
let clients subscribe or sign in. Nodes count in memory, so one that starts anew
begins with nothing.`,
		Example: "  belfry apps keys 1234567",
	}
	return a.command(c, func(ctx context.Context, client adminclient.Client, args []string) error {
		return a.ask(ctx, client, adminclient.Request{Path: adminclient.AppPath(args[0]) + "/key-uses"}, tables.KeyUses)
	})
}
