package operator

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry/cmd/belfry/internal/adminclient"
	"github.com/belfryhq/belfry/cmd/belfry/internal/cli"
	"github.com/belfryhq/belfry/cmd/belfry/internal/tables"
)

// A webhooksCommand is one of the commands below belfry webhooks.
type webhooksCommand struct {
	adminCommand
	app, endpoint string
	dead, all     bool
}

// newWebhooks returns belfry webhooks and what is below it.
func newWebhooks(s cli.Streams) *cobra.Command {
	return group(&cobra.Command{
		Use:   "webhooks",
		Short: "Set endpoints, see how webhooks are delivered, and replay what was not",
		Long: `Shows how the endpoints of apps are that are told what happens in channels, lists
events that were given up because an endpoint did not take them in time, puts
those into the queue again, and tries endpoints with a signed request.

Endpoints are settings of apps: webhooks in belfry.yaml. Those of apps that were
made at run time are added, changed and removed here, or in the admin API.`,
		Example: `  belfry webhooks add 1234567 https://example.com/hooks --events presence
  belfry webhooks list
  belfry webhooks test 1234567
  belfry webhooks deliveries --app 1234567
  belfry webhooks list --dead-letters --app 1234567
  belfry webhooks replay --app 1234567`,
	}, newWebhooksAdd(s), newWebhooksUpdate(s), newWebhooksRemove(s), newWebhooksList(s), newWebhooksReplay(s), newWebhooksTest(s), newDeliveries(s))
}

// of is the part of a query that chooses endpoints.
func (w *webhooksCommand) of() url.Values {
	q := url.Values{}
	for name, value := range map[string]string{"app": w.app, "endpoint": w.endpoint} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return q
}

func newWebhooksList(s cli.Streams) *cobra.Command {
	w := &webhooksCommand{adminCommand: adminCommand{Streams: s}}
	c := &cobra.Command{
		Use:   "list",
		Short: "List endpoints, or what was given up",
		Long: `Lists the endpoints of all apps and how they are: ok, failing, or down, which is
when they are tried with one request at a time. With --dead-letters, lists events
that were given up because no endpoint took them, the oldest first; they are kept
for a week.
With --json, one on each line.`,
		Example: `  belfry webhooks list
  belfry webhooks list --dead-letters --app 1234567
  belfry webhooks list --dead-letters --json | jq .events[].event`,
		Args: cli.NoArguments,
	}
	c.Flags().StringVar(&w.app, "app", "", "only those of the app with this `id`")
	c.Flags().StringVar(&w.endpoint, "endpoint", "", "only what was given up for the endpoint with this `id`")
	c.Flags().BoolVar(&w.dead, "dead-letters", false, "list events that were given up instead of endpoints")
	cli.Renamed(c.Flags(), s.Err, map[string]string{"given-up": "dead-letters"})
	return w.command(c, w.show)
}

func (w *webhooksCommand) show(ctx context.Context, client adminclient.Client, _ []string) error {
	switch {
	case w.dead:
		return w.list(ctx, client, adminclient.WebhooksPath+"/dead-letters", "dead_letters", w.of(), tables.DeadLetters)
	case w.endpoint != "":
		return cli.Usagef("--endpoint is for --dead-letters")
	}
	return w.list(ctx, client, adminclient.WebhooksPath, "endpoints", w.of(), tables.Endpoints)
}

func newWebhooksReplay(s cli.Streams) *cobra.Command {
	w := &webhooksCommand{adminCommand: adminCommand{Streams: s}}
	c := &cobra.Command{
		Use:   "replay [ID]...",
		Short: "Deliver again what was given up",
		Long: `Puts events that were given up into the queue of their endpoint again. They have
the ids that they had, so that an endpoint that did take them can drop them. What
to replay is named by the ids that belfry webhooks list --dead-letters shows, or is
all of an app, of an endpoint, or with --all of the service. What was given up for
an endpoint that is gone is left where it is.`,
		Example: `  belfry webhooks replay 17 18
  belfry webhooks replay --app 1234567
  belfry webhooks replay --all`,
	}
	c.Flags().StringVar(&w.app, "app", "", "all of the app with this `id`")
	c.Flags().StringVar(&w.endpoint, "endpoint", "", "of the app, all of the endpoint with this `id`")
	c.Flags().BoolVar(&w.all, "all", false, "all of the service")
	return w.command(c, w.replay)
}

func (w *webhooksCommand) replay(ctx context.Context, client adminclient.Client, args []string) error {
	body := map[string]any{}
	switch {
	case len(args) > 0 && (w.all || w.app != "" || w.endpoint != ""):
		return cli.Usagef("give ids, or say which all, not both")
	case len(args) == 0 && !w.all && w.app == "":
		return cli.Usagef("what? Give ids as belfry webhooks list --dead-letters shows them, or --app, or --all")
	case w.app != "":
		body["app"] = w.app
		if w.endpoint != "" {
			body["endpoint"] = w.endpoint
		}
	}
	var ids []uint64
	for _, arg := range args {
		id, err := strconv.ParseUint(arg, 10, 64)
		if err != nil {
			return cli.Usagef("%q is not an id as belfry webhooks list --dead-letters shows them", arg)
		}
		ids = append(ids, id)
	}
	if ids != nil {
		body["ids"] = ids
	}
	var sum tables.Replayed
	for more := true; more; more = body["after"] != "" {
		reply, err := client.Call(ctx, adminclient.Request{Method: http.MethodPost, Path: adminclient.WebhooksPath + "/replay", Body: body})
		if err != nil {
			return err
		}
		if w.json {
			fmt.Fprintf(w.Out, "%s\n", reply)
		}
		var answer tables.Replayed
		if err := adminclient.Read(reply, &answer); err != nil {
			return err
		}
		sum.Replayed += answer.Replayed
		sum.Events += answer.Events
		sum.Skipped = append(sum.Skipped, answer.Skipped...)
		sum.Missing = append(sum.Missing, answer.Missing...)
		body["after"] = answer.Next
	}
	if !w.json {
		sum.Write(w.Out)
	}
	switch {
	case len(sum.Missing) > 0:
		return fmt.Errorf("nothing was given up under %v; it may be replayed already", sum.Missing)
	case sum.Replayed == 0 && len(sum.Skipped) > 0:
		return errors.New("nothing was queued again; an endpoint with the id that list --dead-letters shows gets what was given up for it")
	}
	return nil
}

func newWebhooksTest(s cli.Streams) *cobra.Command {
	w := &webhooksCommand{adminCommand: adminCommand{Streams: s}}
	return w.command(&cobra.Command{
		Use:   "test APP [ENDPOINT]",
		Short: "Send a signed request to an endpoint",
		Long: `Sends one signed request to an endpoint at once, beside its queue, and says what
became of it: a channel_occupied of the channel belfry-webhook-test. ENDPOINT may
be left out if the app has one endpoint.`,
		Example: "  belfry webhooks test 1234567\n  belfry webhooks test 1234567 main",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 {
				return cli.Usagef("give the id of an app and, if it has several, that of an endpoint: belfry webhooks test 1234567 main")
			}
			return nil
		},
	}, w.test)
}

func (w *webhooksCommand) test(ctx context.Context, client adminclient.Client, args []string) error {
	body := map[string]string{"app": args[0]}
	if len(args) > 1 {
		body["endpoint"] = args[1]
	}
	reply, err := client.Call(ctx, adminclient.Request{Method: http.MethodPost, Path: adminclient.WebhooksPath + "/test", Body: body})
	if err != nil {
		return err
	}
	var answer struct {
		Endpoint, URL, Error, Reason string
		Delivered                    bool
		Status                       int
		Took                         int64 `json:"took_ms"`
	}
	if err := adminclient.Read(reply, &answer); err != nil {
		return err
	}
	if w.json {
		fmt.Fprintf(w.Out, "%s\n", reply)
	} else if answer.Delivered {
		fmt.Fprintf(w.Out, "%s (%s) took it with status %d in %d ms\n", answer.Endpoint, answer.URL, answer.Status, answer.Took)
	}
	if !answer.Delivered {
		return fmt.Errorf("%s (%s) did not take it: %s%s", answer.Endpoint, answer.URL, answer.Error, tables.Advice(answer.Reason, answer.Status))
	}
	return nil
}
