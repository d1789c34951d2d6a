package operator

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry/cmd/belfry/internal/adminclient"
	"github.com/belfryhq/belfry/cmd/belfry/internal/cli"
	"github.com/belfryhq/belfry/cmd/belfry/internal/tables"
)

// An appsCommand is one of the commands below belfry apps.
type appsCommand struct {
	adminCommand
	settings settingFlags
	key      string // of a pair that is brought along
	revision uint64
}

// newApps returns belfry apps and what is below it.
func newApps(s cli.Streams) *cobra.Command {
	return group(&cobra.Command{
		Use:   "apps",
		Short: "Make, change and remove apps while the service runs",
		Long: `Makes, changes and removes apps of a service that is running, through its
administration port. A change is in effect at once, and closes no connection but
those of an app that is disabled (4003) or deleted (4001).

Apps that stand in belfry.yaml are listed, but can only be changed there.`,
		Example: `  belfry apps create --name shop
  belfry apps list
  belfry apps update 1234567 --client-events --limits-connections 1000
  belfry apps rotate 1234567                   other credentials; the old ones stay valid
  belfry apps keys 1234567                     who still uses which
  belfry apps revoke 1234567 d5c40dfa30a2f9dc  until they are revoked
  belfry apps usage 1234567`,
	},
		newAppsCreate(s), newAppsList(s), newAppsShow(s), newAppsUpdate(s), newAppsRotate(s), newAppsRevoke(s),
		newAppsSwitch(s, "disable", true), newAppsSwitch(s, "enable", false), newAppsDelete(s), newAppsUsage(s), newAppsKeys(s),
	)
}

// command completes a command with the flags that all have and what it does.
func (a *appsCommand) command(c *cobra.Command, run func(context.Context, adminclient.Client, []string) error) *cobra.Command {
	c.Args = cli.ArgumentsOf(c)
	return a.adminCommand.command(c, run)
}

func newAppsCreate(s cli.Streams) *cobra.Command {
	a := &appsCommand{adminCommand: adminCommand{Streams: s}}
	c := &cobra.Command{
		Use:   "create",
		Short: "Make an app",
		Long: `Makes an app and prints its credentials, once: they are random, and the secret is
not shown again. To move an app here from elsewhere, give its --app-id and --key;
the secret is then read from standard input.`,
		Example: `  belfry apps create --name shop
  belfry apps create --name shop --client-events --limits-connections 1000
  belfry apps create --app-id 1234 --key 278d425bdf160c739803 < secret.txt`,
	}
	a.settings.add(c.Flags())
	c.Flags().StringVar(&a.key, "key", "", "the `key` of a pair that exists elsewhere; its secret is read from standard input")
	return a.command(c, a.create)
}

func (a *appsCommand) create(ctx context.Context, client adminclient.Client, _ []string) error {
	settings, err := a.settings.given()
	if err != nil {
		return err
	}
	if a.key != "" {
		secret, _ := bufio.NewReader(a.In).ReadString('\n') // an empty one is refused by the service
		settings["keys"] = []map[string]string{{"key": a.key, "secret": strings.TrimSpace(secret)}}
	}
	return a.ask(ctx, client, adminclient.Request{Method: http.MethodPost, Path: adminclient.AppsPath, Body: settings}, tables.Made)
}

func newAppsShow(s cli.Streams) *cobra.Command {
	a := &appsCommand{adminCommand: adminCommand{Streams: s}}
	return a.command(&cobra.Command{
		Use:     "show APP",
		Short:   "Show one app, without its secrets",
		Long:    "Shows the settings and the keys of an app. Secrets are not shown: the service tells them when they are made, and never again.",
		Example: "  belfry apps show 1234567\n  belfry apps show 1234567 --json",
	}, func(ctx context.Context, client adminclient.Client, args []string) error {
		return a.ask(ctx, client, adminclient.Request{Path: adminclient.AppPath(args[0])}, tables.App)
	})
}

func newAppsUpdate(s cli.Streams) *cobra.Command {
	a := &appsCommand{adminCommand: adminCommand{Streams: s}}
	c := &cobra.Command{
		Use:   "update APP",
		Short: "Change settings of an app",
		Long: `Changes the settings that are given and no others. Connections stay, under the
new settings. With --revision, which show tells, the app is only changed if
nobody else has changed it since.`,
		Example: `  belfry apps update 1234567 --client-events --limits-connections 1000
  belfry apps update 1234567 --client-events=false --reset limits.connections`,
	}
	a.settings.update = true
	a.settings.add(c.Flags())
	a.addRevision(c)
	return a.command(c, a.change)
}

func (a *appsCommand) addRevision(c *cobra.Command) {
	c.Flags().Uint64Var(&a.revision, "revision", 0, "change this `revision` and no other")
}

func (a *appsCommand) change(ctx context.Context, client adminclient.Client, args []string) error {
	settings, err := a.settings.given()
	if err != nil {
		return err
	}
	if len(settings) == 0 {
		return cli.Usagef("what is to change? Give a setting such as --client-events")
	}
	return a.ask(ctx, client, adminclient.Request{Method: http.MethodPatch, Path: adminclient.AppPath(args[0]), Body: settings, Revision: a.revision}, tables.App)
}

// newAppsSwitch returns belfry apps disable and enable.
func newAppsSwitch(s cli.Streams, name string, disabled bool) *cobra.Command {
	a := &appsCommand{adminCommand: adminCommand{Streams: s}}
	c := &cobra.Command{
		Use:     name + " APP",
		Short:   "Refuse the clients and backends of an app",
		Long:    "Closes the connections of an app (4003) and refuses its clients and backends until it is enabled again. Nothing of it is forgotten.",
		Example: "  belfry apps " + name + " 1234567",
	}
	if !disabled {
		c.Short, c.Long = "Let clients and backends of an app in again", "Lets the clients and backends of an app in again after it was disabled."
	}
	return a.command(c, func(ctx context.Context, client adminclient.Client, args []string) error {
		q := adminclient.Request{Method: http.MethodPatch, Path: adminclient.AppPath(args[0]), Body: map[string]any{"disabled": disabled}}
		return a.ask(ctx, client, q, a.say("%sd app %s\n", name, args[0]))
	})
}

func newAppsDelete(s cli.Streams) *cobra.Command {
	a := &appsCommand{adminCommand: adminCommand{Streams: s}}
	c := &cobra.Command{
		Use:     "delete APP",
		Short:   "Remove an app",
		Long:    "Removes an app and its credentials, and closes its connections (4001). To keep clients out for a while, disable it instead.",
		Example: "  belfry apps delete 1234567",
	}
	a.addRevision(c)
	return a.command(c, func(ctx context.Context, client adminclient.Client, args []string) error {
		if _, err := client.Call(ctx, adminclient.Request{Method: http.MethodDelete, Path: adminclient.AppPath(args[0]), Revision: a.revision}); err != nil {
			return err
		}
		fmt.Fprintf(a.Err, "deleted app %s\n", args[0])
		return nil
	})
}

func newAppsRotate(s cli.Streams) *cobra.Command {
	a := &appsCommand{adminCommand: adminCommand{Streams: s}}
	c := &cobra.Command{
		Use:   "rotate APP",
		Short: "Give an app another pair of credentials",
		Long: `Gives an app another pair of credentials and prints it, once. The pairs that it
has stay valid, so that backends and clients can be changed one after the other.
Revoke the old pair when nobody uses it any more.`,
		Example: "  belfry apps rotate 1234567\n  belfry apps revoke 1234567 278d425bdf160c739803",
	}
	return a.command(c, func(ctx context.Context, client adminclient.Client, args []string) error {
		return a.ask(ctx, client, adminclient.Request{Method: http.MethodPost, Path: adminclient.AppPath(args[0]) + "/keys"}, tables.Pair(args[0]))
	})
}

func newAppsRevoke(s cli.Streams) *cobra.Command {
	a := &appsCommand{adminCommand: adminCommand{Streams: s}}
	c := &cobra.Command{
		Use:     "revoke APP KEY",
		Short:   "Make a pair of credentials of an app invalid",
		Long:    "Makes a pair of credentials invalid at once. Clients that are connected with it stay, and can not come back. The last pair of an app can not be revoked.",
		Example: "  belfry apps revoke 1234567 278d425bdf160c739803",
	}
	return a.command(c, func(ctx context.Context, client adminclient.Client, args []string) error {
		if _, err := client.Call(ctx, adminclient.Request{Method: http.MethodDelete, Path: adminclient.AppPath(args[0]) + "/keys/" + url.PathEscape(args[1])}); err != nil {
			return err
		}
		fmt.Fprintf(a.Err, "revoked key %s of app %s\n", args[1], args[0])
		return nil
	})
}
