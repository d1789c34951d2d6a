package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/belfryhq/belfry/cmd/belfry/internal/cli"
	"github.com/belfryhq/belfry/cmd/belfry/internal/errortext"
	"github.com/belfryhq/belfry/cmd/belfry/internal/operator"
	"github.com/belfryhq/belfry/cmd/belfry/internal/subprocess"
	"github.com/belfryhq/belfry/internal/config"
	"github.com/belfryhq/belfry/internal/setting"
)

// Statuses of the process.
const (
	statusOK      = 0
	statusFailure = 1
	statusUsage   = 2 // the command line can not be understood
)

// run executes a command line and returns the status of the process. The
// first signal to stop ends the command in good order, the second at once.
func run(args []string, s cli.Streams) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)

	root := newRoot(s)
	root.SetArgs(args)
	command, err := root.ExecuteContextC(ctx)
	if err == nil {
		return statusOK
	}
	problems, ok := errors.AsType[config.Problems](err)
	if ok {
		fmt.Fprintf(s.Err, "%s: the configuration has %s; nothing was started\n", command.CommandPath(), mistakes(len(problems)))
		fmt.Fprintln(s.Err, problems)
		return statusFailure
	}
	if e, ok := errors.AsType[*subprocess.StatusError](err); ok {
		return e.Status
	}
	fmt.Fprintf(s.Err, "%s: %s\n", command.CommandPath(), errortext.Plain(err))
	if _, ok := errors.AsType[*cli.UsageError](err); ok || strings.HasPrefix(err.Error(), "unknown command") {
		fmt.Fprintf(s.Err, "%s --help shows how it is used\n", command.CommandPath())
		return statusUsage
	}
	return statusFailure
}

func mistakes(n int) string {
	if n == 1 {
		return "a mistake"
	}
	return fmt.Sprintf("%d mistakes", n)
}

// helpWidth is how wide the list of flags is in the help.
const helpWidth = 110

func newRoot(s cli.Streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "belfry",
		Short: "A realtime service that speaks the Pusher Channels protocol",
		Long: `Belfry is a self-hosted realtime service that speaks the Pusher Channels
protocol: clients and server libraries made for Pusher work with it when their
host and port are changed. It is not affiliated with Pusher.`,
		Example: `  belfry dev                                   try it out, on this machine only
  belfry test-server -- pytest                 run your tests with a service of their own
  belfry serve --config belfry.yaml            run it
  belfry check --config belfry.yaml            see whether a configuration is right
  belfry import soketi --dry-run               move here from another server
  belfry apps create --name shop               make an app while the service runs
  belfry subscribe news                        watch a channel
  belfry trigger news hello '{"text":"hi"}'    send an event
  belfry doctor https://realtime.example.com   find out why something does not work`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.SetIn(s.In)
	root.SetOut(s.Out)
	root.SetErr(s.Err)
	root.SetFlagErrorFunc(flagError)
	cobra.AddTemplateFunc("wrapped", func(flags *pflag.FlagSet) string { return flags.FlagUsagesWrapped(helpWidth) })
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), "Flags.FlagUsages", "Flags | wrapped"))
	root.AddCommand(newDev(s), newTestServer(s), newServe(s), newCheck(s), newConfig(s), newHealth(s), newImport(s), newTrigger(s), newSubscribe(s), newDoctor(s), newBench(s), newCompletion(s), newMan(), newVersion(s))
	root.AddCommand(operator.Commands(s)...)
	return root
}

// flagError names the flag that was probably meant.
func flagError(command *cobra.Command, err error) error {
	unknown, ok := errors.AsType[*pflag.NotExistError](err)
	if !ok {
		return cli.Usagef("%v", err)
	}
	var known []string
	command.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
	name := unknown.GetSpecifiedName()
	if near, ok := setting.Nearest(name, known); ok {
		return cli.Usagef("unknown flag --%s; did you mean --%s?", name, near)
	}
	return cli.Usagef("unknown flag --%s", name)
}
