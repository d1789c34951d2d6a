package main

import (
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/belfryhq/belfry/cmd/belfry/internal/cli"
)

// shells are those for which there are completions, and what writes them.
var shells = map[string]func(root *cobra.Command, s cli.Streams) error{
	"bash":       func(root *cobra.Command, s cli.Streams) error { return root.GenBashCompletionV2(s.Out, true) },
	"zsh":        func(root *cobra.Command, s cli.Streams) error { return root.GenZshCompletion(s.Out) },
	"fish":       func(root *cobra.Command, s cli.Streams) error { return root.GenFishCompletion(s.Out, true) },
	"powershell": func(root *cobra.Command, s cli.Streams) error { return root.GenPowerShellCompletionWithDesc(s.Out) },
}

func newCompletion(s cli.Streams) *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "Write the script with which a shell completes commands",
		Long: `Writes the script with which a shell completes the commands and flags of belfry.
The packages for Linux install it; archives have it in completions/.`,
		Example: `  source <(belfry completion bash)                                       in this shell
  belfry completion bash > /etc/bash_completion.d/belfry                 in every bash
  belfry completion zsh > "${fpath[1]}/_belfry"                          in every zsh
  belfry completion fish > ~/.config/fish/completions/belfry.fish        in every fish
  belfry completion powershell | Out-String | Invoke-Expression          in this PowerShell`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 && shells[args[0]] != nil {
				return nil
			}
			return cli.Usagef("one shell is expected: bash, zsh, fish or powershell")
		},
		ValidArgs:             []string{"bash", "zsh", "fish", "powershell"},
		DisableFlagsInUseLine: true,
		RunE: func(c *cobra.Command, args []string) error {
			return shells[args[0]](c.Root(), s)
		},
	}
}

// newMan writes the pages of man. It is for those who make packages, and so not
// in the list of commands.
func newMan() *cobra.Command {
	return &cobra.Command{
		Use:   "man DIRECTORY",
		Short: "Write a page of man for every command",
		Long: `Writes a page of man for every command into a directory, which is made if it is
not there. If SOURCE_DATE_EPOCH is set, the pages have that date.`,
		Example: `  belfry man man1 && man ./man1/belfry-serve.1`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return cli.Usagef("one directory is expected")
			}
			return nil
		},
		Hidden: true,
		RunE: func(c *cobra.Command, args []string) error {
			if err := os.MkdirAll(filepath.Clean(args[0]), 0o755); err != nil {
				return err
			}
			root := c.Root()
			forEach(root, func(c *cobra.Command) { c.DisableAutoGenTag = true })
			header := doc.GenManHeader{Section: "1", Source: "Belfry " + versionNumber(), Manual: "Belfry"}
			return doc.GenManTree(root, &header, args[0])
		},
	}
}

// forEach calls do for a command and all below it.
func forEach(c *cobra.Command, do func(*cobra.Command)) {
	do(c)
	for _, below := range c.Commands() {
		forEach(below, do)
	}
}
