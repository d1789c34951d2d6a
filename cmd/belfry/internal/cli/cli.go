// Package cli has what the commands of belfry have in common: where they read and
// write, and how a command line that can not be understood is refused.
package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Streams is where commands read and write. Answers go to Out; everything else goes
// to Err, so that Out can be piped.
type Streams struct {
	In  io.Reader
	Out io.Writer
	Err io.Writer
}

// A UsageError is a command line that can not be understood.
type UsageError struct{ text string }

func (e *UsageError) Error() string { return e.text }

// Usagef returns a UsageError with a formatted text.
func Usagef(format string, args ...any) error {
	return &UsageError{fmt.Sprintf(format, args...)}
}

// NoArguments is for commands that have flags only.
func NoArguments(_ *cobra.Command, args []string) error {
	if len(args) > 0 {
		return Usagef("%q is not expected; there are only flags here", args[0])
	}
	return nil
}

// ArgumentsOf refuses other arguments than those that the usage of a command names. One
// in brackets may be left out.
func ArgumentsOf(c *cobra.Command) cobra.PositionalArgs {
	names := strings.Fields(c.Use)[1:]
	return func(c *cobra.Command, args []string) error {
		least := len(names)
		if least > 0 && strings.HasPrefix(names[least-1], "[") {
			least--
		}
		if len(args) < least {
			return Usagef("the %s is missing: %s %s", strings.ToLower(names[len(args)]), c.Parent().CommandPath(), c.Use)
		}
		if len(args) > len(names) {
			return Usagef("%q is not expected: %s %s", args[len(names)], c.Parent().CommandPath(), c.Use)
		}
		return nil
	}
}

// Renamed makes flags work under names that they had before, with a warning. The names
// of today stand under those of before.
func Renamed(flags *pflag.FlagSet, warnings io.Writer, today map[string]string) {
	warned := map[string]bool{}
	flags.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		now, ok := today[name]
		if !ok {
			return pflag.NormalizedName(name)
		}
		if !warned[name] {
			warned[name] = true
			fmt.Fprintf(warnings, "warning: --%s is called --%s now; the former name still works\n", name, now)
		}
		return pflag.NormalizedName(now)
	})
}
