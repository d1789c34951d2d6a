package main

import (
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"path/filepath"

	"github.com/belfryhq/belfry/cmd/belfry/internal/terminal"
	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/datadir"
	"github.com/belfryhq/belfry/internal/devsite"
)

// firstAppFile is the name of a file in the data directory.
const firstAppFile = "first-app.env"

// A firstApp tells the operator of the app that the first start has made.
type firstApp struct {
	err      io.Writer // where the log goes, too
	dir      string    // the data directory
	httpPath string    // in front of the HTTP transports
	log      *slog.Logger
}

// tell shows the secret to a person at a terminal. A log is kept, and read by
// many: where the log goes elsewhere, the secret goes to a file.
func (f firstApp) tell(app *apps.App, base *url.URL) error {
	service := devsite.Service{Base: base, HTTPPath: f.httpPath, AppID: app.ID, Pair: app.Keys[0], Command: terminal.Invocation()}
	if terminal.Is(f.err) {
		printFirstApp(f.err, service)
		return nil
	}
	name := filepath.Join(f.dir, firstAppFile)
	if err := datadir.Replace(f.dir, firstAppFile, envFile(service)); err != nil {
		return err
	}
	f.log.Info("this is the first start, so an app was made; its secret is in this file", "app", app.ID, "file", name, "url", base.String())
	return nil
}

func printFirstApp(w io.Writer, s devsite.Service) {
	fmt.Fprintf(w, `
This is the first start, so an app was made:

  app id   %s
  key      %s
  secret   %s

The secret will not be shown again. belfry apps changes the app, gives it other
credentials, and makes more.

The service is at %s. To see an event, in another terminal:

%s

For a front end:

%s

`, s.AppID, s.Pair.Key, s.Pair.Secret, s.Base, s.Terminal(), s.PusherJS())
}

// envFile is what a shell, Docker and frameworks read.
func envFile(s devsite.Service) string {
	return fmt.Sprintf(`# The app that the first start of Belfry made. It is not written again; belfry apps
# makes more. Remove this file when you have put the secret where it belongs.
BELFRY_URL=%s
PUSHER_APP_ID=%s
PUSHER_APP_KEY=%s
PUSHER_APP_SECRET=%s
`, s.URL(), s.AppID, s.Pair.Key, s.Pair.Secret)
}
