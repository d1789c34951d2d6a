package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry/internal/config"
)

func newCheck(s streams) *cobra.Command {
	var file string
	command := &cobra.Command{
		Use:   "check",
		Short: "Say whether a configuration is right, and what it would run",
		Long: `Reads a configuration exactly as belfry serve does, says every mistake in it or,
if there is none, every setting with the place it comes from. Secrets are hidden.
Nothing is started, made or changed; the status is 1 if there are mistakes.`,
		Example: `  belfry check --config belfry.yaml
  belfry check --config belfry.yaml && systemctl restart belfry`,
		Args: noArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return check(s, config.Source{File: file, Environ: os.Environ(), Flags: command.Flags()})
		},
	}
	addConfigFlags(command, &file)
	return command
}

func check(s streams, source config.Source) error {
	cfg, err := config.Load(source)
	if err != nil {
		return err
	}
	if err := cfg.WriteSummary(s.out); err != nil {
		return err
	}
	if len(cfg.Server.Apps) == 0 {
		if err := checkKept(s.out, cfg.DataDir); err != nil {
			return err
		}
	}
	for _, warning := range cfg.Warnings {
		fmt.Fprintf(s.err, "warning: %s\n", warning)
	}
	fmt.Fprintln(s.err, "The configuration is right.")
	return nil
}

// checkKept says which apps belfry serve would serve.
func checkKept(w io.Writer, dir string) error {
	kept, err := config.KeptApps(dir)
	if err != nil {
		return err
	}
	if len(kept) > 0 {
		fmt.Fprintf(w, "\nNo apps configured: those of %s are imported at the next start.\n", filepath.Join(dir, config.KeptFile))
		for _, app := range kept {
			fmt.Fprintf(w, "APP %s  %s\n", app.ID, app.Name)
		}
		return nil
	}
	fmt.Fprintf(w, "\nNo apps configured: those made at run time are served, and the first start makes one with random credentials in %s.\n", dir)
	return nil
}
