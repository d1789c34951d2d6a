package operator

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/belfryhq/belfry/cmd/belfry/internal/adminclient"
	"github.com/belfryhq/belfry/cmd/belfry/internal/cli"
	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/setting"
)

// An endpointCommand adds, changes or removes an endpoint of an app that was
// made at run time.
type endpointCommand struct {
	adminCommand
	flags   *pflag.FlagSet
	headers string // name of a file that has them
}

func newWebhooksAdd(s cli.Streams) *cobra.Command {
	e := &endpointCommand{adminCommand: adminCommand{Streams: s}}
	c := &cobra.Command{
		Use:   "add APP URL",
		Short: "Tell an endpoint of an app's backend what happens in channels",
		Long: `Gives an app that was made at run time another endpoint, at once; those of an app
in belfry.yaml stand there. Events are channel_occupied and channel_vacated (both:
channel_existence), member_added and member_removed (presence), client_event,
cache_miss and subscription_count.

Headers count as secrets, which other users of the machine can read in flags. They
are read from the file of --headers-from, one on each line; - is standard input.`,
		Example: `  belfry webhooks add 1234567 https://example.com/hooks --events channel_existence,presence
  echo "Authorization: Bearer $TOKEN" | belfry webhooks add 1234567 https://example.com/ --events client_event --headers-from -`,
		Args: exactly("add", "the id of an app", "the URL of an endpoint"),
	}
	e.addFlags(c.Flags())
	return e.command(c, e.add)
}

func newWebhooksUpdate(s cli.Streams) *cobra.Command {
	e := &endpointCommand{adminCommand: adminCommand{Streams: s}}
	c := &cobra.Command{
		Use:   "update APP ENDPOINT",
		Short: "Change settings of an endpoint",
		Long: `Changes the settings of an endpoint that are given and no others. ENDPOINT is what
belfry webhooks list shows. Headers and a password that the service has are kept,
unless --url leads to another scheme, host, port or user: then --headers-from gives
them again.`,
		Example: `  belfry webhooks update 1234567 main --events presence
  belfry webhooks update 1234567 main --url https://example.com/other`,
		Args: exactly("update", "the id of an app", "the id of an endpoint"),
	}
	c.Flags().String("url", "", "Where the requests go: http or https.")
	e.addFlags(c.Flags())
	return e.command(c, e.update)
}

func newWebhooksRemove(s cli.Streams) *cobra.Command {
	e := &endpointCommand{adminCommand: adminCommand{Streams: s}}
	c := &cobra.Command{
		Use:   "remove APP ENDPOINT",
		Short: "Tell an endpoint nothing any more",
		Long: `Takes an endpoint away from an app. ENDPOINT is what belfry webhooks list shows.
What is queued for it is given up when the retry window is over, and is kept for
belfry webhooks replay.`,
		Example: "  belfry webhooks remove 1234567 main",
		Args:    exactly("remove", "the id of an app", "the id of an endpoint"),
	}
	return e.command(c, e.remove)
}

// exactly is for commands whose arguments are all needed.
func exactly(name string, arguments ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != len(arguments) {
			return cli.Usagef("give %s: belfry webhooks %s --help shows an example", strings.Join(arguments, " and "), name)
		}
		return nil
	}
}

// addFlags defines a flag for every setting of an endpoint but its URL, which
// is an argument, and its headers, which are secrets.
func (e *endpointCommand) addFlags(flags *pflag.FlagSet) {
	e.flags = flags
	for _, s := range apps.WebhookSettings {
		if s.Name == "url" || s.Name == "headers" {
			continue
		}
		flag := flags.VarPF(s.TextFlag(), s.Flag(), "", s.Summary())
		if s.Kind == setting.KindBool {
			flag.NoOptDefVal = "true"
		}
	}
	flags.StringVar(&e.headers, "headers-from", "", "a `file` of headers to send with each request, or - for standard input")
}

// apply sets what the flags give.
func (e *endpointCommand) apply(o adminclient.Endpoint) error {
	for _, s := range apps.WebhookSettings {
		flag := e.flags.Lookup(s.Flag())
		if flag == nil || !flag.Changed {
			continue
		}
		w := apps.NewWebhook()
		if err := s.Set(&w, setting.Value{Text: flag.Value.String()}); err != nil {
			return cli.Usagef("--%s: %v", flag.Name, err)
		}
		o[s.Name] = setting.ToJSON(s.Get(&w))
	}
	if e.headers == "" {
		return nil
	}
	lines, err := e.readHeaders()
	o["headers"] = lines
	return err
}

// maxHeaders is how many bytes of headers are read.
const maxHeaders = 16 << 20

// readHeaders reads lines such as Authorization: Bearer abc. The service says
// what is wrong with them, and does not repeat them.
func (e *endpointCommand) readHeaders() ([]string, error) {
	in := e.In
	if e.headers != "-" {
		f, err := os.Open(e.headers)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	lines := []string{}
	for scanner := bufio.NewScanner(io.LimitReader(in, maxHeaders)); scanner.Scan(); {
		if line := strings.TrimSpace(scanner.Text()); line != "" {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return nil, fmt.Errorf("there are no headers in %s", e.headers)
	}
	return lines, nil
}

func (e *endpointCommand) add(ctx context.Context, client adminclient.Client, args []string) error {
	o := adminclient.Endpoint{"url": args[1]}
	if err := e.apply(o); err != nil {
		return err
	}
	if o["events"] == nil {
		return cli.Usagef("which events is it told of? Give --events, such as --events channel_existence,presence")
	}
	return e.change(ctx, client, args[0], func(list []adminclient.Endpoint) ([]adminclient.Endpoint, error) {
		return append(list, o), nil
	}, "added an endpoint to app %s; try it with belfry webhooks test %[1]s\n", args[0])
}

func (e *endpointCommand) update(ctx context.Context, client adminclient.Client, args []string) error {
	given := adminclient.Endpoint{}
	if err := e.apply(given); err != nil {
		return err
	}
	if len(given) == 0 {
		return cli.Usagef("what is to change? Give a setting such as --events")
	}
	at, err := client.FindEndpoint(ctx, args[0], args[1])
	if err != nil {
		return err
	}
	return e.change(ctx, client, args[0], func(list []adminclient.Endpoint) ([]adminclient.Endpoint, error) {
		o, err := at.In(list)
		if err != nil {
			return nil, err
		}
		for name, value := range given {
			o[name] = value
		}
		return list, nil
	}, "changed endpoint %s of app %s\n", args[1], args[0])
}

func (e *endpointCommand) remove(ctx context.Context, client adminclient.Client, args []string) error {
	at, err := client.FindEndpoint(ctx, args[0], args[1])
	if err != nil {
		return err
	}
	return e.change(ctx, client, args[0], func(list []adminclient.Endpoint) ([]adminclient.Endpoint, error) {
		return at.Without(list)
	}, "removed endpoint %s of app %s\n", args[1], args[0])
}

// change edits the endpoints of an app, if nobody else does meanwhile, and says
// what was done.
func (e *endpointCommand) change(ctx context.Context, client adminclient.Client, app string, edit func([]adminclient.Endpoint) ([]adminclient.Endpoint, error), done string, args ...any) error {
	q, err := client.EditEndpoints(ctx, app, edit)
	if err != nil {
		return err
	}
	return e.ask(ctx, client, q, e.say(done, args...))
}
