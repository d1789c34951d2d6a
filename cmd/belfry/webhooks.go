package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"

	"github.com/spf13/cobra"
)

const webhooksPath = "/api/v1/webhooks"

// A webhooksCommand is one of the commands below belfry webhooks.
type webhooksCommand struct {
	streams
	admin         adminFlags
	app, endpoint string
	givenUp, all  bool
}

// newWebhooks returns belfry webhooks and what is below it.
func newWebhooks(s streams) *cobra.Command {
	parent := &cobra.Command{
		Use:   "webhooks",
		Short: "Set endpoints, see how webhooks are delivered, and replay what was not",
		Long: `Shows how the endpoints of apps are that are told what happens in channels, lists
events that were given up because an endpoint did not take them in time, puts
those into the queue again, and tries endpoints with a signed request.

Endpoints are settings of apps: webhooks in belfry.yaml. Those of apps that were
made at run time are added, changed and removed here, or in the admin API.

` + adminHelp,
		Example: `  belfry webhooks add 1234567 https://example.com/hooks --events presence
  belfry webhooks list
  belfry webhooks test 1234567
  belfry webhooks list --given-up --app 1234567
  belfry webhooks replay --app 1234567`,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("there is no belfry webhooks %s", args[0])
			}
			return c.Help()
		},
	}
	parent.AddCommand(newWebhooksAdd(s), newWebhooksUpdate(s), newWebhooksRemove(s), newWebhooksList(s), newWebhooksReplay(s), newWebhooksTest(s))
	return parent
}

// command completes a command with the flags that all have and what it does.
func (w *webhooksCommand) command(c *cobra.Command, run func(context.Context, adminClient, []string) error) *cobra.Command {
	c.Long += "\n\n" + adminHelp
	c.RunE = func(c *cobra.Command, args []string) error {
		client, err := w.admin.resolve(os.Getenv)
		if err != nil {
			return err
		}
		return run(c.Context(), client, args)
	}
	c.Flags().SortFlags = false
	w.admin.add(c.Flags())
	return c
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

func newWebhooksList(s streams) *cobra.Command {
	w := &webhooksCommand{streams: s}
	c := &cobra.Command{
		Use:   "list",
		Short: "List endpoints, or what was given up",
		Long: `Lists the endpoints of all apps and how they are: ok, failing, or down, which is
when they are tried with one request at a time. With --given-up, lists events
that were not delivered in time, the oldest first; they are kept for a week.
With --json, one on each line.`,
		Example: `  belfry webhooks list
  belfry webhooks list --given-up --app 1234567
  belfry webhooks list --given-up --json | jq .events[].event`,
		Args: noArgs,
	}
	c.Flags().StringVar(&w.app, "app", "", "only those of the app with this `id`")
	c.Flags().StringVar(&w.endpoint, "endpoint", "", "only what was given up for the endpoint with this `id`")
	c.Flags().BoolVar(&w.givenUp, "given-up", false, "list what was given up instead of endpoints")
	return w.command(c, w.list)
}

func (w *webhooksCommand) list(ctx context.Context, client adminClient, _ []string) error {
	path, member, forPeople := webhooksPath, "endpoints", printEndpoints
	if w.givenUp {
		path, member, forPeople = path+"/given-up", "given_up", printGivenUp
	} else if w.endpoint != "" {
		return usagef("--endpoint is for --given-up")
	}
	var all []json.RawMessage
	err := webhookPages(ctx, client, path, member, w.of(), func(raw json.RawMessage) error {
		if w.admin.json {
			_, err := fmt.Fprintf(w.out, "%s\n", raw)
			return err
		}
		all = append(all, raw)
		return nil
	})
	if err != nil || w.admin.json {
		return err
	}
	return forPeople(w.out, all)
}

// webhookPages calls each for every element of a list.
func webhookPages(ctx context.Context, client adminClient, path, member string, query url.Values, each func(json.RawMessage) error) error {
	for {
		reply, err := client.call(ctx, http.MethodGet, path, query, nil, 0)
		if err != nil {
			return err
		}
		var page map[string]json.RawMessage
		var list []json.RawMessage
		var next string
		if err := json.Unmarshal(reply, &page); err != nil || json.Unmarshal(page[member], &list) != nil {
			return fmt.Errorf("the answer of the service can not be read: %s", reply)
		}
		for _, raw := range list {
			if err := each(raw); err != nil {
				return err
			}
		}
		if page["next"] == nil || json.Unmarshal(page["next"], &next) != nil {
			return nil
		}
		query.Set("after", next)
	}
}

func newWebhooksReplay(s streams) *cobra.Command {
	w := &webhooksCommand{streams: s}
	c := &cobra.Command{
		Use:   "replay [ID]...",
		Short: "Deliver again what was given up",
		Long: `Puts events that were given up into the queue of their endpoint again. They have
the ids that they had, so that an endpoint that did take them can drop them. What
to replay is named by the ids that belfry webhooks list --given-up shows, or is
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

// A replayed answer is what the service says to a replay.
type replayed struct {
	Replayed, Events int
	Skipped, Missing []uint64
	Next             string
}

func (w *webhooksCommand) replay(ctx context.Context, client adminClient, args []string) error {
	body := map[string]any{}
	switch {
	case len(args) > 0 && (w.all || w.app != "" || w.endpoint != ""):
		return usagef("give ids, or say which all, not both")
	case len(args) == 0 && !w.all && w.app == "":
		return usagef("what? Give ids as belfry webhooks list --given-up shows them, or --app, or --all")
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
			return usagef("%q is not an id as belfry webhooks list --given-up shows them", arg)
		}
		ids = append(ids, id)
	}
	if ids != nil {
		body["ids"] = ids
	}
	var sum replayed
	for more := true; more; more = body["after"] != "" {
		reply, err := client.call(ctx, http.MethodPost, webhooksPath+"/replay", nil, body, 0)
		if err != nil {
			return err
		}
		if w.admin.json {
			fmt.Fprintf(w.out, "%s\n", reply)
		}
		var answer replayed
		if err := json.Unmarshal(reply, &answer); err != nil {
			return fmt.Errorf("the answer of the service can not be read: %w", err)
		}
		sum.Replayed += answer.Replayed
		sum.Events += answer.Events
		sum.Skipped = append(sum.Skipped, answer.Skipped...)
		sum.Missing = append(sum.Missing, answer.Missing...)
		body["after"] = answer.Next
	}
	if !w.admin.json {
		printReplayed(w.out, sum)
	}
	switch {
	case len(sum.Missing) > 0:
		return fmt.Errorf("nothing was given up under %v; it may be replayed already", sum.Missing)
	case sum.Replayed == 0 && len(sum.Skipped) > 0:
		return errors.New("nothing was queued again; an endpoint with the id that list --given-up shows gets what was given up for it")
	}
	return nil
}

func printReplayed(out io.Writer, sum replayed) {
	fmt.Fprintf(out, "queued again: %d events\n", sum.Events)
	if n := len(sum.Skipped); n > 0 {
		fmt.Fprintf(out, "left where they are, because their endpoint is gone: %d\n", n)
	}
}

func newWebhooksTest(s streams) *cobra.Command {
	w := &webhooksCommand{streams: s}
	return w.command(&cobra.Command{
		Use:   "test APP [ENDPOINT]",
		Short: "Send a signed request to an endpoint",
		Long: `Sends one signed request to an endpoint at once, beside its queue, and says what
became of it: a channel_occupied of the channel belfry-webhook-test. ENDPOINT may
be left out if the app has one endpoint.`,
		Example: "  belfry webhooks test 1234567\n  belfry webhooks test 1234567 main",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 2 {
				return usagef("give the id of an app and, if it has several, that of an endpoint: belfry webhooks test 1234567 main")
			}
			return nil
		},
	}, w.test)
}

func (w *webhooksCommand) test(ctx context.Context, client adminClient, args []string) error {
	body := map[string]string{"app": args[0]}
	if len(args) > 1 {
		body["endpoint"] = args[1]
	}
	reply, err := client.call(ctx, http.MethodPost, webhooksPath+"/test", nil, body, 0)
	if err != nil {
		return err
	}
	var answer struct {
		Endpoint, URL, Error, Reason string
		Delivered                    bool
		Status                       int
		Took                         int64 `json:"took_ms"`
	}
	if err := json.Unmarshal(reply, &answer); err != nil {
		return fmt.Errorf("the answer of the service can not be read: %w", err)
	}
	if w.admin.json {
		fmt.Fprintf(w.out, "%s\n", reply)
	} else if answer.Delivered {
		fmt.Fprintf(w.out, "%s (%s) took it with status %d in %d ms\n", answer.Endpoint, answer.URL, answer.Status, answer.Took)
	}
	if !answer.Delivered {
		return fmt.Errorf("%s (%s) did not take it: %s%s", answer.Endpoint, answer.URL, answer.Error, adviceFor(answer.Reason, answer.Status))
	}
	return nil
}

// adviceFor says what to do about a failure.
func adviceFor(reason string, status int) string {
	switch {
	case reason == "forbidden_address":
		return "\nif it is yours, name its network in webhooks.allowed_networks"
	case reason == "redirect":
		return "\nset the address that it leads to"
	case reason == "tls":
		return "\nis its certificate valid, and its issuer known to this machine?"
	case reason == "refused":
		return "\nis it running, on that port?"
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return "\ndoes it know the app's oldest key and its secret, and get the headers that it wants?"
	}
	return ""
}
