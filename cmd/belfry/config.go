package main

import (
	"bytes"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry/cmd/belfry/internal/cli"
	"github.com/belfryhq/belfry/internal/config"
)

// newConfig has the commands that print what belongs to a configuration file.
func newConfig(s cli.Streams) *cobra.Command {
	command := &cobra.Command{
		Use:   "config",
		Short: "Print an example of the configuration file, or its schema",
		Long: `Prints what helps to write belfry.yaml: a file with every setting and its default,
or a JSON Schema, with which editors complete names, show what they mean, and mark
mistakes. belfry check finds more mistakes than a schema can.`,
		Example: `  belfry config example > belfry.yaml
  belfry config schema > belfry.schema.json`,
		Args: cli.NoArguments,
		RunE: func(command *cobra.Command, _ []string) error { return command.Help() },
	}
	command.AddCommand(&cobra.Command{
		Use:   "example",
		Short: "Print a configuration file that has everything in it",
		Long: `Prints a configuration file with every setting, what it means, and its default.
Keep what you change. It is a right configuration as it is, without apps.`,
		Example: "  belfry config example > belfry.yaml",
		Args:    cli.NoArguments,
		RunE: func(*cobra.Command, []string) error {
			var b bytes.Buffer
			config.WriteExample(&b)
			_, err := s.Out.Write(b.Bytes())
			return err
		},
	}, &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the configuration file",
		Long: `Prints a JSON Schema of belfry.yaml. Editors with the YAML language server use it
if the file begins with this line:

# yaml-language-server: $schema=belfry.schema.json`,
		Example: "  belfry config schema > belfry.schema.json",
		Args:    cli.NoArguments,
		RunE: func(*cobra.Command, []string) error {
			_, err := s.Out.Write(config.Schema())
			return err
		},
	})
	return command
}
