package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/config"
)

func newServe(s streams) *cobra.Command {
	var file string
	command := &cobra.Command{
		Use:   "serve",
		Short: "Run the service",
		Long: `Runs the service until it is told to stop (Ctrl-C or SIGTERM). It then sends its
clients elsewhere, over drain_timeout, and ends. A second signal ends it at once.

Settings come from a file, from environment variables that begin with BELFRY_,
and from flags; flags override the environment, which overrides the file. Any
mistake keeps the service from starting; belfry check finds them without
starting anything.

Without apps in the configuration, the first start makes one with random
credentials, prints them once, and keeps them in the data directory.`,
		Example: `  belfry serve --config belfry.yaml
  belfry serve --listen 0.0.0.0:6001 --data-dir /var/lib/belfry
  BELFRY_CONFIG=/etc/belfry.yaml BELFRY_LOG_LEVEL=debug belfry serve

  curl http://127.0.0.1:6002/readyz            is it taking clients?
  curl http://127.0.0.1:6002/metrics           what is it doing?`,
		Args: noArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return serve(command.Context(), s, config.Source{File: file, Environ: os.Environ(), Flags: command.Flags()})
		},
	}
	addConfigFlags(command, &file)
	return command
}

// addConfigFlags defines the flags of the commands that read a configuration.
func addConfigFlags(command *cobra.Command, file *string) {
	command.Flags().SortFlags = false
	command.Flags().StringVarP(file, "config", "c", "", "the configuration `file`, such as belfry.yaml (BELFRY_CONFIG)")
	config.AddFlags(command.Flags())
}

func serve(ctx context.Context, s streams, source config.Source) error {
	cfg, err := config.Load(source)
	if err != nil {
		return err
	}
	log := newLog(s.err, cfg.LogLevel, cfg.LogFormat)
	for _, warning := range cfg.Warnings {
		log.Warn("doubtful configuration", "place", warning.Place.String(), "setting", warning.Name, "reason", warning.Text)
	}
	log.Info("starting", "version", versionLine(), "config", cfg.File)
	if len(cfg.Server.Apps) == 0 {
		adviseOfFile(cfg, log)
		if err := serveKept(cfg, s.out, log); err != nil {
			return err
		}
	}
	cfg.Server.Log = log
	node, err := openNode(cfg.Server)
	if err != nil {
		return err
	}
	return runNode(ctx, node, log)
}

// serveKept puts the apps of the data directory into cfg. An app that was
// made is shown at once: whatever fails later, it is kept, and the next start
// is not the first any more.
func serveKept(cfg *config.Config, out io.Writer, log *slog.Logger) error {
	list, made, err := config.FirstApps(cfg.DataDir)
	if err != nil {
		return err
	}
	if made {
		printCredentials(out, cfg.DataDir, list[0])
	}
	log.Info("no apps configured; serving those of the data directory", "data_dir", cfg.DataDir, "apps", len(list))
	cfg.Server.Apps = list
	return nil
}

// adviseOfFile warns of a file that lies ready and is not used.
func adviseOfFile(cfg *config.Config, log *slog.Logger) {
	if _, err := os.Stat("belfry.yaml"); err == nil && cfg.File == "" {
		log.Warn("a belfry.yaml is here, but it is not used; pass --config belfry.yaml")
	}
}

// printCredentials tells a person what was made. It is the only place where a
// secret is printed, and happens once in the life of a data directory.
func printCredentials(w io.Writer, dir string, app *apps.App) {
	pair := app.Keys[0]
	fmt.Fprintf(w, `
This is the first start, so an app was made:

  app id   %s
  key      %s
  secret   %s

They are kept in %s and will not be shown again.

`, app.ID, pair.Key, pair.Secret, filepath.Join(dir, config.FirstAppsFile))
}
