package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

func newAppsList(s streams) *cobra.Command {
	a := &appsCommand{streams: s}
	c := &cobra.Command{
		Use:     "list",
		Short:   "List the apps",
		Long:    "Lists the apps, those of the configuration and those that were made at run time. With --json, one on each line.",
		Example: "  belfry apps list\n  belfry apps list --json | jq -r .id",
	}
	return a.command(c, a.list)
}

func (a *appsCommand) list(ctx context.Context, client adminClient, _ []string) error {
	var all []shownApp
	err := pages(ctx, client, "/api/v1/apps", url.Values{}, func(raw json.RawMessage) error {
		if a.admin.json {
			_, err := fmt.Fprintf(a.out, "%s\n", raw)
			return err
		}
		var app shownApp
		err := json.Unmarshal(raw, &app)
		all = append(all, app)
		return err
	})
	if err != nil || a.admin.json {
		return err
	}
	return printList(a.out, all)
}

// pages calls each for every element of a list of apps.
func pages(ctx context.Context, client adminClient, path string, query url.Values, each func(json.RawMessage) error) error {
	query.Set("limit", "1000")
	for {
		reply, err := client.call(ctx, http.MethodGet, path, query, nil, 0)
		if err != nil {
			return err
		}
		var page struct {
			Apps []json.RawMessage
			Next string
		}
		if err := json.Unmarshal(reply, &page); err != nil {
			return fmt.Errorf("the answer of the service can not be read: %w", err)
		}
		for _, raw := range page.Apps {
			if err := each(raw); err != nil {
				return err
			}
		}
		if page.Next == "" {
			return nil
		}
		query.Set("after", page.Next)
	}
}

// A usageRow is one line of what was used.
type usageRow struct {
	ID              string
	Hour            time.Time
	PeakConnections int    `json:"peak_connections"`
	BackendEvents   uint64 `json:"backend_events"`
	ClientEvents    uint64 `json:"client_events"`
	Deliveries      uint64
}

func newAppsUsage(s streams) *cobra.Command {
	a := &appsCommand{streams: s}
	var last time.Duration
	c := &cobra.Command{
		Use:   "usage [APP]",
		Short: "Tell what an app used by the hour, or all of them",
		Long: `Tells what one app used in each hour: the most connections at once, the events of
backends (an event on three channels counts three) and of clients, and their
deliveries. Without an app it tells what every app used altogether. Usage is kept
for 31 days.`,
		Example: "  belfry apps usage\n  belfry apps usage 1234567 --last 168h",
	}
	c.Flags().DurationVar(&last, "last", 24*time.Hour, "how far back, as a `duration`")
	return a.command(c, func(ctx context.Context, client adminClient, args []string) error {
		from := time.Now().Add(-last).UTC().Truncate(time.Hour)
		query := url.Values{"from": {from.Format(time.RFC3339)}}
		if len(args) == 0 {
			return a.usageOfAll(ctx, client, query)
		}
		return a.usageOfOne(ctx, client, args[0], query)
	})
}

func (a *appsCommand) usageOfOne(ctx context.Context, client adminClient, id string, query url.Values) error {
	reply, err := client.call(ctx, http.MethodGet, appPath(id)+"/usage", query, nil, 0)
	if err != nil {
		return err
	}
	return a.print(reply, func(w io.Writer, reply []byte) error {
		var answer struct {
			Hours []usageRow
			Total usageRow
		}
		if err := json.Unmarshal(reply, &answer); err != nil {
			return fmt.Errorf("the answer of the service can not be read: %w", err)
		}
		table := usageTable(w, "HOUR")
		for _, row := range answer.Hours {
			row.write(table, row.Hour.Format("2006-01-02 15:04Z"))
		}
		answer.Total.write(table, "total")
		return table.Flush()
	})
}

func (a *appsCommand) usageOfAll(ctx context.Context, client adminClient, query url.Values) error {
	table := usageTable(a.out, "APP")
	err := pages(ctx, client, "/api/v1/usage", query, func(raw json.RawMessage) error {
		if a.admin.json {
			_, err := fmt.Fprintf(a.out, "%s\n", raw)
			return err
		}
		var row usageRow
		err := json.Unmarshal(raw, &row)
		row.write(table, row.ID)
		return err
	})
	if err != nil || a.admin.json {
		return err
	}
	return table.Flush()
}

func usageTable(w io.Writer, first string) *tabwriter.Writer {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(table, "%s\tPEAK CONNECTIONS\tBACKEND EVENTS\tCLIENT EVENTS\tDELIVERIES\t\n", first)
	return table
}

func (r usageRow) write(w io.Writer, first string) {
	fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t\n", first, r.PeakConnections, r.BackendEvents, r.ClientEvents, r.Deliveries)
}
