package operator

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry/cmd/belfry/internal/adminclient"
	"github.com/belfryhq/belfry/cmd/belfry/internal/cli"
)

// pushPath is where the admin API tells of push notifications.
const pushPath = "/api/v1/push"

// newPush returns belfry push and what is below it.
func newPush(s cli.Streams) *cobra.Command {
	return group(&cobra.Command{
		Use:   "push",
		Short: "See how push notifications are delivered, and try a device",
		Long: `Shows how Apple, Google and the push services of browsers take the notifications of
an app, and sends one to a device at once.

Which apps have push notifications, and with what credentials, is a matter of their
settings: push in belfry.yaml.`,
		Example: "  belfry push providers 1234567\n  belfry push test 1234567 apns-5a0e6d8c-…",
	}, newPushProviders(s), newPushTest(s))
}

func newPushProviders(s cli.Streams) *cobra.Command {
	p := &pushCommand{adminCommand{Streams: s}}
	return p.command(&cobra.Command{
		Use:   "providers APP",
		Short: "Tell how the providers take the notifications of an app",
		Long: `Tells for each platform whether the app has credentials, whether the provider takes
them, and what is wrong if it does not. What is shown is how the asked node sees it.`,
		Example: "  belfry push providers 1234567",
		Args:    cobra.ExactArgs(1),
	}, p.providers)
}

func newPushTest(s cli.Streams) *cobra.Command {
	p := &pushCommand{adminCommand{Streams: s}}
	return p.command(&cobra.Command{
		Use:   "test APP DEVICE",
		Short: "Send a notification to one device",
		Long: `Sends a notification to one device at once, beside the queue, and says what its
provider has answered. The device stays as it is, whatever the answer.`,
		Example: "  belfry push test 1234567 apns-5a0e6d8c-2c8f-4be3-8e55-0d2b3c1f7a10",
		Args:    cobra.ExactArgs(2),
	}, p.test)
}

// A pushCommand is one of the commands below belfry push.
type pushCommand struct{ adminCommand }

func (p *pushCommand) providers(ctx context.Context, client adminclient.Client, args []string) error {
	reply, err := client.Call(ctx, adminclient.Request{Method: http.MethodGet, Path: pushPath + "/providers", Query: url.Values{"app": {args[0]}}})
	if err != nil {
		return err
	}
	var answer struct {
		Providers []struct {
			Platform, State, Cause, Host string
			Next                         time.Time
		}
	}
	if err := adminclient.Read(reply, &answer); err != nil {
		return err
	}
	if p.json {
		fmt.Fprintf(p.Out, "%s\n", reply)
		return nil
	}
	for _, one := range answer.Providers {
		line := fmt.Sprintf("%-5s %s", one.Platform, one.State)
		if one.Host != "" {
			line += " " + one.Host
		}
		if one.Cause != "" {
			line += ": " + one.Cause
		}
		if !one.Next.IsZero() {
			line += ", tried again at " + one.Next.Local().Format(time.TimeOnly)
		}
		fmt.Fprintln(p.Out, line)
	}
	return nil
}

func (p *pushCommand) test(ctx context.Context, client adminclient.Client, args []string) error {
	body := map[string]string{"app": args[0], "device": args[1]}
	reply, err := client.Call(ctx, adminclient.Request{Method: http.MethodPost, Path: pushPath + "/test", Body: body})
	if err != nil {
		return err
	}
	var answer struct {
		Platform, Verdict, Reason string
		Accepted                  bool
		Took                      int64 `json:"took_ms"`
	}
	if err := adminclient.Read(reply, &answer); err != nil {
		return err
	}
	if p.json {
		fmt.Fprintf(p.Out, "%s\n", reply)
	} else if answer.Accepted {
		fmt.Fprintf(p.Out, "the provider of %s has taken it in %d ms\n", answer.Platform, answer.Took)
	}
	if !answer.Accepted {
		return fmt.Errorf("the provider of %s did not take it: %s (%s)", answer.Platform, answer.Reason, answer.Verdict)
	}
	return nil
}
