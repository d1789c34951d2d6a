package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry/cmd/belfry/internal/cli"
	"github.com/belfryhq/belfry/internal/config"
)

func newCheck(s cli.Streams) *cobra.Command {
	var file string
	command := &cobra.Command{
		Use:   "check",
		Short: "Say whether a configuration is right, and what it would run",
		Long: `Reads a configuration exactly as belfry serve does, says every mistake in it or,
if there is none, every setting with the place it comes from. Secrets are hidden.
Nothing is started, made or changed; the status is 1 if there are mistakes.`,
		Example: `  belfry check --config belfry.yaml
  belfry check --config belfry.yaml && systemctl restart belfry`,
		Args: cli.NoArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			return check(s, config.Source{File: file, Environ: os.Environ(), Flags: command.Flags()})
		},
	}
	addConfigFlags(command, &file)
	return command
}

func check(s cli.Streams, source config.Source) error {
	cfg, err := config.Load(source)
	if err != nil {
		return foreign(fileOf(source), err)
	}
	if err := cfg.WriteSummary(s.Out); err != nil {
		return err
	}
	if len(cfg.Server.Apps) == 0 {
		fmt.Fprintf(s.Out, "\nNo apps configured: those made at run time are served, and the first start makes one with random credentials in %s.\n", cfg.DataDir)
	}
	for _, warning := range cfg.Warnings {
		fmt.Fprintf(s.Err, "warning: %s\n", warning)
	}
	fmt.Fprintln(s.Err, "The configuration is right.")
	return nil
}
