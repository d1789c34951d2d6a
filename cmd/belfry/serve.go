package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry/cmd/belfry/internal/cli"
	"github.com/belfryhq/belfry/cmd/belfry/internal/serving"
	"github.com/belfryhq/belfry/internal/accept"
	"github.com/belfryhq/belfry/internal/config"
	"github.com/belfryhq/belfry/internal/server"
)

func newServe(s cli.Streams) *cobra.Command {
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
credentials and shows them once: on the terminal or, where the log goes elsewhere,
in ` + firstAppFile + ` in the data directory. belfry apps makes more while it runs.

The file is read again when it changes and on a SIGHUP. A file with mistakes
changes nothing, and the log says every one.

With --cluster-listen the service is a node of a cluster. It waits until the
nodes of --join are there, at their first start all of them, later more than
half. All nodes need the same secret, in BELFRY_CLUSTER_SECRET or in the file of
--cluster-secret-file. Two nodes want a third one that counts: a --witness.`,
		Example: `  belfry serve --config belfry.yaml
  belfry serve --listen 0.0.0.0:6001 --data-dir /var/lib/belfry
  BELFRY_CONFIG=/etc/belfry.yaml BELFRY_LOG_LEVEL=debug belfry serve
  belfry serve --cluster-listen 0.0.0.0:6003 --cluster-secret-file secret --join a:6003,b:6003,c:6003

  curl http://127.0.0.1:6002/readyz            is it taking clients?
  curl http://127.0.0.1:6002/metrics           what is it doing?
  belfry apps create --name shop               another app`,
		Args: cli.NoArguments,
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

func serve(ctx context.Context, s cli.Streams, source config.Source) error {
	cfg, err := config.Load(source)
	if err != nil {
		return foreign(fileOf(source), err)
	}
	hangup, forget := serving.OnHangup()
	defer forget()
	level := new(slog.LevelVar)
	level.Set(cfg.LogLevel)
	log := serving.NewLog(s.Err, level, cfg.LogFormat)
	serving.LogWarnings(cfg, log)
	log.Info("starting", append([]any{"version", versionLine(), "config", cfg.File}, openFiles()...)...)
	cfg.Server.Log, cfg.Server.DataDir, cfg.Server.Version = log, cfg.DataDir, versionNumber()
	cfg.Server.Leaving = serving.Supervisor{Log: log}.Stopping
	if len(cfg.Server.Apps) == 0 {
		adviseOfFile(cfg, log)
		cfg.Server.FirstApp = firstApp{err: s.Err, dir: cfg.DataDir, httpPath: cfg.Server.HTTPPath, log: log}.tell
	}
	node, err := server.Open(cfg.Server)
	if err != nil {
		return serving.ExplainListen(err)
	}
	r := &serving.Reloader{Source: source, Start: cfg, Node: node, Level: level, Log: log, Hangup: hangup}
	r.Measure(node.Registerer())
	ctx, cancel := context.WithCancel(ctx)
	reloading := make(chan struct{})
	go func() {
		defer close(reloading)
		r.Run(ctx)
	}()
	err = serving.Run(ctx, node, log)
	cancel()
	<-reloading
	return err
}

// adviseOfFile warns of a file that lies ready and is not used.
func adviseOfFile(cfg *config.Config, log *slog.Logger) {
	if _, err := os.Stat("belfry.yaml"); err == nil && cfg.File == "" {
		log.Warn("a belfry.yaml is here, but it is not used; pass --config belfry.yaml")
	}
}

// openFiles is, for the log, how many files and connections the process may
// have open, and how many of them clients get.
func openFiles() []any {
	d, ok := accept.Limit()
	if !ok {
		return nil
	}
	return []any{"open_files", d.Max, "for_clients", d.Clients()}
}
