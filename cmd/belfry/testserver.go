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
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry/cmd/belfry/internal/cli"
	"github.com/belfryhq/belfry/cmd/belfry/internal/serving"
	"github.com/belfryhq/belfry/cmd/belfry/internal/subprocess"
	"github.com/belfryhq/belfry/cmd/belfry/internal/terminal"
	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/devsite"
	"github.com/belfryhq/belfry/internal/server"
)

// A testServer is a service for one run of somebody's tests.
type testServer struct {
	json    bool
	webhook string
	debug   bool
	command []string // what to run with the service; empty: nothing
}

func newTestServer(s cli.Streams) *cobra.Command {
	var t testServer
	command := &cobra.Command{
		Use:   "test-server [-- COMMAND ARGUMENT...]",
		Short: "Run a service for one run of your tests",
		Long: `Runs a service on a free port of this machine, for as long as your tests need it.
Everything is kept in memory, everything that an app can have is on, and webhooks
are sent at once, one event each. The credentials are made for this run, so that
nothing of another run gets in. As in belfry dev, /pusher/auth and
/pusher/user-auth sign whatever a front end asks for.

With a command, that runs with the service in variables such as PUSHER_HOST,
PUSHER_PORT and PUSHER_APP_KEY, and REVERB_HOST and so on. Its status becomes the
status of test-server.

Without one, where the service is and its credentials are printed when it takes
clients: as lines for a shell or an .env file, or with --json as one line. It ends
with the program that started it: when its standard input, if that is a pipe,
is closed, or when that program is gone (which Windows does not tell).`,
		Example: `  belfry test-server -- pytest
  belfry test-server -- npx playwright test
  belfry test-server --json                    for a program that starts it by itself`,
		RunE: func(command *cobra.Command, args []string) error {
			if err := t.take(args, command.ArgsLenAtDash()); err != nil {
				return err
			}
			return t.run(command.Context(), s)
		},
	}
	flags := command.Flags()
	flags.SortFlags = false
	flags.BoolVar(&t.json, "json", false, "print one line of JSON: host, port, app_id, key, secret, and URLs")
	flags.StringVar(&t.webhook, "webhook", "", "tell the backend at this `URL` everything that happens in channels")
	flags.BoolVar(&t.debug, "debug", false, "log what happens, and every request to the HTTP API")
	return command
}

// take keeps the command that stands behind a double dash.
func (t *testServer) take(args []string, dash int) error {
	switch {
	case len(args) == 0 && dash < 0:
	case dash != 0 || len(args) == 0:
		return cli.Usagef("the command to run stands behind two dashes: belfry test-server -- pytest")
	case t.json:
		return cli.Usagef("--json prints where the service is, and a command is told it in variables; leave one of them out")
	}
	t.command = args
	return nil
}

func (t testServer) run(ctx context.Context, s cli.Streams) error {
	level := slog.LevelWarn
	if t.debug {
		level = slog.LevelDebug
	}
	log := serving.NewLog(s.Err, level, "text")
	app := devApp(false)
	app.Keys = []apps.Key{{Key: strings.ToLower(rand.Text()[:20]), Secret: strings.ToLower(rand.Text())}}
	node, err := t.node(app, log)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	served := make(chan error, 1)
	go func() {
		defer cancel() // a service that has ended is no use to anybody
		served <- serving.Run(ctx, node, log)
	}()
	at := describe(devsite.Service{
		Base: &url.URL{Scheme: "http", Host: node.Addr().String()}, AppID: app.ID, Pair: app.Keys[0], Authorizes: true,
	})
	if len(t.command) > 0 {
		err = subprocess.Run(ctx, s.In, s.Out, s.Err, t.command, at.variables())
	} else {
		err = t.tell(ctx, s, at)
	}
	cancel()
	return errors.Join(err, <-served)
}

// node returns the service, whose listener is open.
func (t testServer) node(app *apps.App, log *slog.Logger) (*server.Server, error) {
	if err := tellBackend(app, t.webhook); err != nil {
		return nil, err
	}
	for i := range app.Webhooks {
		app.Webhooks[i].Batch = false
	}
	return server.New(server.Config{
		Listen:                 "127.0.0.1:0",
		Apps:                   []*apps.App{app},
		Hosts:                  devsite.Loopback,
		DrainTimeout:           time.Millisecond,
		Webhooks:               server.Webhooks{Grace: -1, AllowedNetworks: everywhere},
		SubscriptionErrorFrame: true,
		Root: devsite.New(devsite.Config{
			App: app, Hosts: devsite.Loopback, Command: terminal.Invocation(), Log: log,
			Trigger: func(ctx context.Context, e devsite.Event) error { return triggerHere(ctx, app, e) },
		}),
		Log: log,
	})
}

// tell says where the service is, and waits until whoever asked is gone.
func (t testServer) tell(ctx context.Context, s cli.Streams, at description) error {
	text := strings.Join(at.variables(), "\n") + "\n"
	if t.json {
		line, err := json.Marshal(at)
		if err != nil {
			return err
		}
		text = string(line) + "\n"
	}
	if _, err := io.WriteString(s.Out, text); err != nil {
		return err
	}
	subprocess.AwaitOrphaned(ctx, s.In)
	return nil
}

// A description is where a test server is reached, as --json prints it.
type description struct {
	Host      string `json:"host"`
	Port      int    `json:"port"`
	AppID     string `json:"app_id"`
	Key       string `json:"key"`
	Secret    string `json:"secret"`
	MasterKey string `json:"encryption_master_key_base64"`
	URL       string `json:"url"`
	Auth      string `json:"channel_auth_url"`
	UserAuth  string `json:"user_auth_url"`
}

func describe(s devsite.Service) description {
	host, text, _ := net.SplitHostPort(s.Base.Host)
	port, _ := strconv.Atoi(text) // it is that of a listener
	return description{
		Host: host, Port: port,
		AppID: s.AppID, Key: s.Pair.Key, Secret: s.Pair.Secret, MasterKey: devsite.MasterKey,
		URL: s.URL(), Auth: s.Base.String() + "/pusher/auth", UserAuth: s.Base.String() + "/pusher/user-auth",
	}
}

// variables are those that frameworks and libraries read. Tests that are given
// them send nothing to another service that an .env file names.
func (d description) variables() []string {
	all := []string{"BELFRY_URL=" + d.URL, "PUSHER_URL=" + d.URL}
	for _, prefix := range []string{"PUSHER_", "REVERB_", "VITE_PUSHER_", "VITE_REVERB_"} {
		all = append(all, prefix+"APP_KEY="+d.Key, prefix+"HOST="+d.Host, fmt.Sprint(prefix, "PORT=", d.Port), prefix+"SCHEME=http")
		if !strings.HasPrefix(prefix, "VITE_") { // which go into what browsers load
			all = append(all, prefix+"APP_ID="+d.AppID, prefix+"APP_SECRET="+d.Secret)
		}
	}
	return append(all, "PUSHER_ENCRYPTION_MASTER_KEY_BASE64="+d.MasterKey)
}
