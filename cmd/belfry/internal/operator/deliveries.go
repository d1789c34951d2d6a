package operator

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry/cmd/belfry/internal/adminclient"
	"github.com/belfryhq/belfry/cmd/belfry/internal/cli"
	"github.com/belfryhq/belfry/cmd/belfry/internal/tables"
)

// newDeliveries returns belfry webhooks deliveries.
func newDeliveries(s cli.Streams) *cobra.Command {
	d := &deliveriesCommand{inspectCommand: inspectCommand{adminCommand: adminCommand{Streams: s}}}
	c := d.command(&cobra.Command{
		Use:   "deliveries [ID]",
		Short: "List what endpoints were sent lately, or show one request with its answers",
		Long: `Lists the requests that the endpoints of an app were sent, by all nodes, the newest
first, with what became of them; or shows one with its headers, its body, and what
was answered to each attempt. A node remembers the last 1,000 requests to an
endpoint, and 8 MiB of all together, while it runs. With --redeliver one is sent
once more at once, with the ids that its events had.`,
		Example: `  belfry webhooks deliveries
  belfry webhooks deliveries --state waiting --endpoint main
  belfry webhooks deliveries --event member_added --channel presence-room
  belfry webhooks deliveries 3f2a9c01-17
  belfry webhooks deliveries 3f2a9c01-17 --redeliver`,
		Args: atMostOne("the id of a request"),
	}, d.run)
	d.flags(c)
	d.parameter(c, "endpoint", "only those to the endpoint with this `id`")
	d.parameter(c, "state", "only those of which this `became`: waiting, delivered, dead_letter or split")
	d.parameter(c, "event", "only those with an event of this `name`, as in channel_occupied")
	d.parameter(c, "channel", "only those with an event of this `channel`")
	c.Flags().BoolVar(&d.redeliver, "redeliver", false, "send the request that is named once more")
	return c
}

// A deliveriesCommand looks at what was sent to endpoints.
type deliveriesCommand struct {
	inspectCommand
	redeliver bool
}

func (d *deliveriesCommand) run(ctx context.Context, client adminclient.Client, args []string) error {
	if d.redeliver && len(args) == 0 {
		return cli.Usagef("which request? Give its id: belfry webhooks deliveries ID --redeliver")
	}
	path, err := d.path(ctx, client, "/webhooks/deliveries")
	switch {
	case err != nil:
		return err
	case len(args) == 0:
		return d.pages(ctx, client, path, "deliveries", tables.Deliveries)
	case d.redeliver:
		return d.again(ctx, client, path, args[0])
	}
	q := adminclient.Request{Path: path + "/" + url.PathEscape(args[0]), Query: url.Values{"payloads": {"true"}}}
	return d.ask(ctx, client, q, tables.Delivery)
}

// again sends a request once more, and fails if the endpoint does not take it.
func (d *deliveriesCommand) again(ctx context.Context, client adminclient.Client, path, id string) error {
	q := adminclient.Request{Method: http.MethodPost, Path: path + "/" + url.PathEscape(id) + "/redeliver", Body: struct{}{}}
	var answer struct {
		Status        int
		Error, Reason string
		Took          int64 `json:"took_ms"`
	}
	if err := d.ask(ctx, client, q, func(out io.Writer, reply []byte) error {
		if err := adminclient.Read(reply, &answer); err != nil || answer.Error != "" {
			return err
		}
		_, err := fmt.Fprintf(out, "%s was taken with status %d in %d ms\n", id, answer.Status, answer.Took)
		return err
	}); err != nil {
		return err
	}
	if answer.Error != "" {
		return fmt.Errorf("%s was not taken: %s%s", id, answer.Error, tables.Advice(answer.Reason, answer.Status))
	}
	return nil
}
