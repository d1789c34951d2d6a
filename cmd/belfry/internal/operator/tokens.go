package operator

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry/cmd/belfry/internal/adminclient"
	"github.com/belfryhq/belfry/cmd/belfry/internal/cli"
	"github.com/belfryhq/belfry/cmd/belfry/internal/tables"
)

// A tokensCommand is one of the commands below belfry tokens.
type tokensCommand struct {
	adminCommand
	role    string
	apps    []string
	allApps bool
	valid   time.Duration
}

// command completes a command with its arguments, the flags that all have and what it does.
func (t *tokensCommand) command(c *cobra.Command, run func(context.Context, adminclient.Client, []string) error) *cobra.Command {
	c.Args = cli.ArgumentsOf(c)
	return t.adminCommand.command(c, run)
}

// newTokens returns belfry tokens and what is below it.
func newTokens(s cli.Streams) *cobra.Command {
	return group(&cobra.Command{
		Use:   "tokens",
		Short: "Give people and programs tokens of their own, with a role and for some apps",
		Long: `Makes, lists and revokes named tokens. Whoever has one logs in to the console with
it, and uses the admin API and these commands, as far as its role goes:

  viewer     sees how its apps are doing, but neither what is sent nor addresses
  developer  also sees what is sent, and finds out what became of it
  app-admin  also changes its apps, their keys and their webhooks
  operator   may do everything, to all apps and to the service

Only operators make tokens. The token of the service stays valid beside them.`,
		Example: `  belfry tokens create ada --role developer --app 1234567
  belfry tokens create grafana --role viewer --all-apps --valid 8760h > token.txt
  belfry tokens list
  belfry tokens revoke ada`,
	},
		newTokensCreate(s), newTokensList(s), newTokensRevoke(s),
	)
}

func newTokensCreate(s cli.Streams) *cobra.Command {
	t := &tokensCommand{adminCommand: adminCommand{Streams: s}}
	c := &cobra.Command{
		Use:   "create NAME",
		Short: "Make a token and print it, once",
		Long: `Makes a token and prints it, once: the service keeps only a hash of it. Who gets it
sets BELFRY_ADMIN_TOKEN, or writes it to a file for --token-file.`,
		Example: `  belfry tokens create ada --role developer --app 1234567
  belfry tokens create grafana --role viewer --all-apps --valid 8760h > token.txt`,
	}
	c.Flags().StringVar(&t.role, "role", "", "viewer, developer, app-admin or operator: what the `role` may do")
	c.Flags().StringArrayVar(&t.apps, "app", nil, "the `id` of an app that the token is for; may be given again")
	c.Flags().BoolVar(&t.allApps, "all-apps", false, "the token is for all apps, also later ones")
	c.Flags().DurationVar(&t.valid, "valid", 0, "the `time` after which it ends by itself, as 720h; without, never")
	return t.command(c, t.create)
}

func (t *tokensCommand) create(ctx context.Context, client adminclient.Client, args []string) error {
	switch {
	case t.role == "":
		return cli.Usagef("which role? Give --role viewer, developer, app-admin or operator")
	case t.allApps && len(t.apps) > 0:
		return cli.Usagef("give --app or --all-apps, not both")
	case !t.allApps && len(t.apps) == 0 && t.role != "operator":
		return cli.Usagef("for which apps? Give --app ID, or --all-apps")
	case t.valid < 0:
		return cli.Usagef("--valid is below zero")
	}
	body := map[string]any{"name": args[0], "role": t.role}
	if t.allApps {
		body["apps"] = []string{"*"}
	} else if len(t.apps) > 0 {
		body["apps"] = t.apps
	}
	if t.valid > 0 {
		body["expires"] = time.Now().Add(t.valid).UTC().Truncate(time.Second)
	}
	return t.ask(ctx, client, adminclient.Request{Method: http.MethodPost, Path: adminclient.TokensPath, Body: body}, func(out io.Writer, reply []byte) error {
		var made struct{ Token string }
		if err := adminclient.Read(reply, &made); err != nil {
			return err
		}
		fmt.Fprintln(out, made.Token)
		_, err := fmt.Fprintf(t.Err, "this is the token of %s; it is not shown again\n", args[0])
		return err
	})
}

func newTokensList(s cli.Streams) *cobra.Command {
	t := &tokensCommand{adminCommand: adminCommand{Streams: s}}
	return t.command(&cobra.Command{
		Use:     "list",
		Short:   "List the tokens, with their roles and when they were used last",
		Long:    "Lists the named tokens. What they are is not shown: nobody knows it but who has them.",
		Example: "  belfry tokens list\n  belfry tokens list --json",
	}, func(ctx context.Context, client adminclient.Client, _ []string) error {
		return t.list(ctx, client, adminclient.TokensPath, "tokens", url.Values{}, tables.Tokens)
	})
}

func newTokensRevoke(s cli.Streams) *cobra.Command {
	t := &tokensCommand{adminCommand: adminCommand{Streams: s}}
	return t.command(&cobra.Command{
		Use:     "revoke NAME",
		Short:   "Make a token invalid, and end what was begun with it",
		Long:    "Makes a token invalid. Sessions of the console that began with it end at once on the node that is asked, and within a second on others.",
		Example: "  belfry tokens revoke ada",
	}, func(ctx context.Context, client adminclient.Client, args []string) error {
		if _, err := client.Call(ctx, adminclient.Request{Method: http.MethodDelete, Path: adminclient.TokensPath + "/" + url.PathEscape(args[0])}); err != nil {
			return err
		}
		fmt.Fprintf(t.Err, "revoked the token of %s\n", args[0])
		return nil
	})
}
