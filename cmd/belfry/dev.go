package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/belfryhq/belfry/cmd/belfry/internal/adminclient"
	"github.com/belfryhq/belfry/cmd/belfry/internal/cli"
	"github.com/belfryhq/belfry/cmd/belfry/internal/serving"
	"github.com/belfryhq/belfry/cmd/belfry/internal/target"
	"github.com/belfryhq/belfry/cmd/belfry/internal/terminal"
	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/config"
	"github.com/belfryhq/belfry/internal/devsite"
	"github.com/belfryhq/belfry/internal/hostname"
	"github.com/belfryhq/belfry/internal/server"
)

// A devService is what belfry dev was asked for.
type devService struct {
	listen, adminListen string
	webhook             string
	unlimited, debug    bool
	expose              bool     // other machines may be served
	allowHosts          []string // patterns of package hostname: names under which it is reached besides those of this machine
	unused              []string // variables that mean nothing here
}

func newDev(s cli.Streams) *cobra.Command {
	var d devService
	command := &cobra.Command{
		Use:   "dev",
		Short: "Run a service to try out, on this machine",
		Long: `Runs a service with nothing to configure, for this machine: everything is
kept in memory, everything that an app can have is on, and the credentials are
known to everybody: the app id 1 (app-id does as well), app-key and app-secret.
/pusher/auth and /pusher/user-auth sign whatever a front end asks for, and so do
/broadcasting/auth and /broadcasting/user-auth. Open http://` + devListen + ` in a
browser to see a first event and the lines that connect an application.

For a phone, a container or another machine, give --expose and an address that
they reach. They may use its number as it is; names need --allow-host. Whoever
reaches the service then knows its credentials.

Each flag can be given as a variable, such as BELFRY_LISTEN. None of this is ever
on in belfry serve.`,
		Example: `  belfry dev
  belfry dev --listen 127.0.0.1:7001 --admin-listen off
  belfry dev --unlimited                       for load tests: no limits on the app
  belfry dev --expose --listen 0.0.0.0:6001    for a phone in the same network
  belfry dev --expose --listen 0.0.0.0:6001 --allow-host belfry,host.docker.internal
  belfry apps create --name other              another app of a running dev`,
		Args: cli.NoArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			unused, err := takeVariables(command.Flags(), os.Environ())
			if err != nil {
				return err
			}
			d.unused = unused
			return d.run(command.Context(), s)
		},
	}
	flags := command.Flags()
	flags.SortFlags = false
	flags.StringVar(&d.listen, "listen", devListen, "where to serve: an `address` of this machine alone, or any with --expose")
	flags.StringVar(&d.adminListen, "admin-listen", "127.0.0.1:6002", "where to answer health, metrics and belfry apps: an `address` of this machine alone (any with --expose), or off")
	flags.BoolVar(&d.expose, "expose", false, "let other machines in, although they know the credentials; the console then asks for a token")
	flags.StringSliceVar(&d.allowHosts, "allow-host", nil, "a `NAME` under which the service is reached as well, such as belfry or *.test (a list, or several times)")
	flags.StringVar(&d.webhook, "webhook", "", "tell the backend at this `URL` everything that happens in channels")
	flags.BoolVar(&d.unlimited, "unlimited", false, "for load tests: lift the limits of the app, such as 10 client events a second, and tell no subscription counts")
	flags.BoolVar(&d.debug, "debug", false, "log every request to the HTTP API")
	return command
}

func (d devService) run(ctx context.Context, s cli.Streams) error {
	if err := d.complete(); err != nil {
		return err
	}
	level := slog.LevelInfo
	if d.debug {
		level = slog.LevelDebug
	}
	log := serving.NewLog(s.Err, level, "text")
	if len(d.unused) > 0 {
		log.Warn("these variables are for belfry serve, and do nothing in belfry dev", "variables", d.unused)
	}
	app := devApp(d.unlimited)
	token, open := d.access()
	node, err := d.node(app, token, open, log)
	if err != nil {
		return err
	}
	printDev(s.Out, reachable(node.Addr()), app)
	if admin := node.AdminAddr(); admin != nil {
		fmt.Fprintf(s.Out, "Console: http://%s/console/\n\n", reachable(admin))
	}
	if !open {
		fmt.Fprintf(s.Out, "The administration port and its console ask for this token: %s\n\n", token)
		log.Warn("whoever reaches this service knows its credentials, and is signed in as anybody; stop it when you are done")
	}
	return serving.Run(ctx, node, log)
}

// complete puts what was asked for into the form that is used, and refuses
// addresses for other machines unless those are meant to be let in.
func (d *devService) complete() error {
	if d.adminListen == "off" {
		d.adminListen = ""
	}
	for name, address := range map[string]string{"--listen or BELFRY_LISTEN": d.listen, "--admin-listen or BELFRY_ADMIN_LISTEN": d.adminListen} {
		if address != "" && !d.expose && !loopbackAddress(address) {
			return cli.Usagef("%q (%s) is not an address of this machine alone, such as %s; the credentials of dev are known to everybody, so use belfry serve for other machines, or --expose if you trust all that reach it", address, name, devListen)
		}
	}
	for i, name := range d.allowHosts {
		pattern, err := hostname.Pattern(strings.TrimSpace(name))
		if err != nil {
			return cli.Usagef("--allow-host or BELFRY_ALLOW_HOST %v", err)
		}
		d.allowHosts[i] = pattern
	}
	return nil
}

// node returns the service, whose listeners are open.
func (d devService) node(app *apps.App, token string, open bool, log *slog.Logger) (*server.Server, error) {
	if err := tellBackend(app, d.webhook); err != nil {
		return nil, err
	}
	site := devsite.New(devsite.Config{
		App:       app,
		Hosts:     d.answers,
		AdminPort: port(d.adminListen),
		Command:   terminal.Invocation(),
		Log:       log,
		Trigger:   func(ctx context.Context, e devsite.Event) error { return triggerHere(ctx, app, e) },
	})
	node, err := server.New(server.Config{
		Listen:                 d.listen,
		AdminListen:            d.adminListen,
		AdminHosts:             d.allowHosts,
		AdminToken:             token,
		AdminOpen:              open,
		Apps:                   []*apps.App{app},
		Hosts:                  d.answers,
		Webhooks:               server.Webhooks{AllowedNetworks: everywhere},
		Journal:                server.DefaultJournal,
		SubscriptionErrorFrame: true,
		Root:                   site,
		Log:                    log,
	})
	if err != nil {
		return nil, serving.ExplainListen(err)
	}
	return node, nil
}

// reachable is an address by which this machine reaches a listener, which may
// be on all addresses of it.
func reachable(listener net.Addr) string {
	a, err := netip.ParseAddrPort(listener.String())
	if err != nil || !a.Addr().IsUnspecified() {
		return listener.String()
	}
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), a.Port()).String()
}

// answers reports whether requests that name that host are answered. The
// number of an address is no name that a page elsewhere could point here.
func (d devService) answers(hostport string) bool {
	if devsite.Loopback(hostport) {
		return true
	}
	host := hostname.Of(hostport)
	if _, err := netip.ParseAddr(host); err == nil && d.expose {
		return true
	}
	return slices.ContainsFunc(d.allowHosts, func(pattern string) bool { return host != "" && hostname.Match(pattern, host) })
}

// access is what the administration port asks for. While this machine alone
// reaches the service, that is known to everybody, and the console asks nobody.
// A name that is allowed may be that of a tunnel, so it counts as elsewhere.
// Elsewhere it is made for this run, and nothing is open.
func (d devService) access() (token string, open bool) {
	if len(d.allowHosts) == 0 && loopbackAddress(d.listen) && (d.adminListen == "" || loopbackAddress(d.adminListen)) {
		return adminclient.DevToken, true
	}
	return rand.Text(), false
}

// port is the one of an address, if it is known before anything listens there.
func port(address string) string {
	_, port, err := net.SplitHostPort(address)
	if err != nil || port == "0" {
		return ""
	}
	return port
}

// takeVariables gives the flags that are not on the command line the values of
// their variables, and returns which other variables somebody may count on.
func takeVariables(flags *pflag.FlagSet, environ []string) (unused []string, err error) {
	byVariable := map[string]*pflag.Flag{}
	flags.VisitAll(func(f *pflag.Flag) {
		byVariable["BELFRY_"+strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))] = f
	})
	for _, v := range environ {
		name, text, _ := strings.Cut(v, "=")
		if config.Foreign(name, text) || text == "" {
			continue
		}
		f := byVariable[name]
		switch {
		case f == nil || f.Name == "help":
			unused = append(unused, name)
		case f.Changed: // on the command line
		case flags.Set(f.Name, text) != nil:
			return nil, cli.Usagef("%s is neither true nor false", name)
		}
	}
	return unused, nil
}

// tellBackend gives an app an endpoint that is told everything, if there is one.
func tellBackend(app *apps.App, url string) error {
	if url == "" {
		return nil
	}
	endpoints, err := json.Marshal([]map[string]string{{"url": url}})
	if err == nil {
		err = app.SetWebhooks(endpoints)
	}
	if err != nil {
		return cli.Usagef("--webhook %s", strings.TrimPrefix(err.Error(), "webhooks[0].url: "))
	}
	app.Webhooks[0].Events = apps.EveryEvent
	return nil
}

// everywhere is all networks: endpoints of dev are mostly on this machine.
var everywhere = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}

// devApp is the app of belfry dev.
func devApp(unlimited bool) *apps.App {
	app := &apps.App{
		ID:                   devAppID,
		Alias:                devAlias,
		Name:                 "dev",
		Keys:                 []apps.Key{{Key: devKey, Secret: devSecret}},
		ClientEvents:         true,
		SubscriptionCount:    true,
		WatchlistEvents:      true,
		ActivityTimeout:      apps.DefaultActivityTimeout,
		AuthorizationTimeout: apps.DefaultAuthorizationTimeout,
		Limits:               apps.DefaultLimits(),
	}
	if unlimited {
		app.Limits = apps.Unlimited()
		app.SubscriptionCount = false // what a load is to measure is its own events
	}
	return app
}

// triggerHere sends what the page asks for, to the listener that was asked.
func triggerHere(ctx context.Context, app *apps.App, e devsite.Event) error {
	here, _ := ctx.Value(http.LocalAddrContextKey).(net.Addr) // net/http sets it
	t := target.Target{Base: &url.URL{Scheme: "http", Host: here.String()}, AppID: app.ID, Pair: app.Keys[0]}
	_, err := t.Trigger(ctx, target.Event{Name: e.Name, Channel: e.Channel, Data: e.Data}, version)
	if r, ok := errors.AsType[*target.Refusal](err); ok {
		return &devsite.Refusal{Status: r.Status, Text: r.Text}
	}
	return err
}

// printDev says how to connect.
func printDev(w io.Writer, address string, app *apps.App) {
	s := devsite.Service{
		Base: &url.URL{Scheme: "http", Host: address}, AppID: app.ID, Pair: app.Keys[0],
		Authorizes: true, Command: terminal.Invocation(),
	}
	fmt.Fprintf(w, `
Belfry for trying out: %s

  app id %s · key %s · secret %s

In a front end:

%s

To see an event, in another terminal:

%s

Stop with Ctrl-C.

`, s.Base, s.AppID, s.Pair.Key, s.Pair.Secret, s.PusherJS(), s.Terminal())
}
