package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/devsite"
	"github.com/belfryhq/belfry/internal/server"
)

// A devService is what belfry dev was asked for.
type devService struct {
	listen, adminListen string
	webhook             string
	unlimited, debug    bool
}

func newDev(s streams) *cobra.Command {
	var d devService
	command := &cobra.Command{
		Use:   "dev",
		Short: "Run a service to try out, on this machine only",
		Long: `Runs a service with nothing to configure, for this machine only: everything is
kept in memory, the credentials are known to everybody (app-id, app-key,
app-secret), client events are on, and /pusher/auth and /pusher/user-auth sign
whatever a front end asks for. Open http://` + devListen + ` in a browser to see a
first event and the lines of code that connect an application.

None of it is ever on in belfry serve.`,
		Example: `  belfry dev
  belfry dev --listen 127.0.0.1:7001 --admin-listen off
  belfry dev --unlimited                       for load tests: no limits on the app
  belfry apps create --name other              another app of a running dev`,
		Args: noArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return d.run(command.Context(), s)
		},
	}
	flags := command.Flags()
	flags.SortFlags = false
	flags.StringVar(&d.listen, "listen", devListen, "where to serve: an `address` of this machine alone")
	flags.StringVar(&d.adminListen, "admin-listen", "127.0.0.1:6002", "where to answer health, metrics and belfry apps: an `address` of this machine alone, or off")
	flags.StringVar(&d.webhook, "webhook", "", "tell the backend at this `URL` everything that happens in channels")
	flags.BoolVar(&d.unlimited, "unlimited", false, "lift the limits of the app, such as 10 client events a second")
	flags.BoolVar(&d.debug, "debug", false, "log every request to the HTTP API")
	return command
}

func (d devService) run(ctx context.Context, s streams) error {
	if d.adminListen == "off" {
		d.adminListen = ""
	}
	for _, address := range []string{d.listen, d.adminListen} {
		if address != "" && !loopbackAddress(address) {
			return usagef("%q is not an address of this machine alone, such as %s; the credentials of dev are known to everybody, so use belfry serve for other machines", address, devListen)
		}
	}
	level := slog.LevelInfo
	if d.debug {
		level = slog.LevelDebug
	}
	log := newLog(s.err, level, "text")
	app := devApp(d.unlimited)
	if err := tellBackend(app, d.webhook); err != nil {
		return err
	}
	site := devsite.New(devsite.Config{
		App:     app,
		Command: invocation(),
		Log:     log,
		Trigger: func(ctx context.Context, e devsite.Event) error { return triggerHere(ctx, app, e) },
	})
	node, err := openNode(server.Config{
		Listen:                 d.listen,
		AdminListen:            d.adminListen,
		AdminToken:             devToken,
		Apps:                   []*apps.App{app},
		Hosts:                  devsite.Loopback,
		Webhooks:               server.Webhooks{AllowedNetworks: everywhere},
		SubscriptionErrorFrame: true,
		Root:                   site,
		Log:                    log,
	})
	if err != nil {
		return err
	}
	printDev(s.out, node.Addr().String(), app)
	return runNode(ctx, node, log)
}

// tellBackend gives an app an endpoint that is told everything, if there is one.
func tellBackend(app *apps.App, url string) error {
	if url == "" {
		return nil
	}
	if err := app.SetWebhooks(jsonBytes([]map[string]string{{"url": url}})); err != nil {
		return usagef("--webhook %s", strings.TrimPrefix(err.Error(), "webhooks[0].url: "))
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
		Name:                 "dev",
		Keys:                 []apps.Key{{Key: devKey, Secret: devSecret}},
		ClientEvents:         true,
		ActivityTimeout:      apps.DefaultActivityTimeout,
		AuthorizationTimeout: apps.DefaultAuthorizationTimeout,
		Limits:               apps.DefaultLimits(),
	}
	if unlimited {
		app.Limits = apps.Unlimited()
	}
	return app
}

// triggerHere sends what the page asks for, to the listener that was asked.
func triggerHere(ctx context.Context, app *apps.App, e devsite.Event) error {
	here, _ := ctx.Value(http.LocalAddrContextKey).(net.Addr) // net/http sets it
	t := target{base: &url.URL{Scheme: "http", Host: here.String()}, appID: app.ID, pair: app.Keys[0]}
	_, err := t.trigger(ctx, event{Name: e.Name, Channel: e.Channel, Data: e.Data})
	if r, ok := errors.AsType[*refusal](err); ok {
		return &devsite.Refusal{Status: r.status, Text: r.text}
	}
	return err
}

// printDev says how to connect.
func printDev(w io.Writer, address string, app *apps.App) {
	s := devsite.Service{
		Base: &url.URL{Scheme: "http", Host: address}, AppID: app.ID, Pair: app.Keys[0],
		Authorizes: true, Command: invocation(),
	}
	fmt.Fprintf(w, `
Belfry for trying out: %s

  app id %s · key %s · secret %s

%s

To see an event, in another terminal:

%s

Stop with Ctrl-C.

`, s.Base, s.AppID, s.Pair.Key, s.Pair.Secret, s.PusherJS(), s.Terminal())
}
