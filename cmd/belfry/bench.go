package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/belfryhq/belfry/cmd/belfry/internal/bench"
	"github.com/belfryhq/belfry/cmd/belfry/internal/cli"
	"github.com/belfryhq/belfry/cmd/belfry/internal/reach"
	"github.com/belfryhq/belfry/cmd/belfry/internal/terminal"
)

// A benchmark is what belfry bench was asked for.
type benchmark struct {
	where    targetFlags
	cfg      bench.Config
	jsonFile string
}

const benchHelp = `The load is put on any service that speaks the protocol: --url says where, and
--app-id, --key and --secret which app; or BELFRY_URL has all in one,
http://KEY:SECRET@HOST:PORT/apps/APP_ID. Another machine than this one needs
--allow-remote. The app's limits apply; belfry dev --unlimited has none.

With a rate the load is open: every event has its time, latency counts from
there, and a service that stalls is charged with all that it makes wait. With
--rate 0 it is closed: the next event is sent when an answer is there, which
shows how much the service can do, and not how long it takes.

--pid is the process of the service, if it runs on this machine, for what it
uses. The floor, one bare write to one connection, is measured before and after
in the same conditions, so that results can be given as ratios to it. Ctrl-C ends
a load early, with the results so far.`

func newBench(s cli.Streams) *cobra.Command {
	command := &cobra.Command{
		Use:   "bench LOAD",
		Short: "Put a load on a service and say what it costs",
		Long: `Puts a load on a service and says what it costs: deliveries a second, latency,
processor time and memory of the server, and exactly what was lost, repeated or
out of order.

` + benchHelp,
		Example: `  belfry dev --unlimited &
  belfry bench all --url http://127.0.0.1:6001 --pid $!
  belfry bench fan-out --url http://127.0.0.1:6001 --connections 5000 --rate 0
  belfry bench idle --url http://127.0.0.1:6001 --connections 15000 --pid $(pidof belfry)
  BELFRY_URL=http://KEY:SECRET@10.0.0.7:6001/apps/1 belfry bench chat --allow-remote --json chat.json`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cli.Usagef("which load? %s, or all", strings.Join(loadNames(), ", "))
			}
			return cli.Usagef("there is no load %q; there are %s, and all", args[0], strings.Join(loadNames(), ", "))
		},
		RunE: func(*cobra.Command, []string) error { return nil },
	}
	for _, l := range bench.Loads() {
		command.AddCommand(newBenchLoad(s, l))
	}
	command.AddCommand(newBenchAll(s))
	return command
}

func loadNames() []string {
	var names []string
	for _, l := range bench.Loads() {
		names = append(names, l.Name)
	}
	return names
}

func newBenchLoad(s cli.Streams, load bench.Load) *cobra.Command {
	b := &benchmark{cfg: bench.Config{Load: load, Settings: load.Defaults}}
	command := &cobra.Command{
		Use:   load.Name,
		Short: load.Short,
		Long:  load.Long + "\n\n" + benchHelp,
		Example: fmt.Sprintf(`  belfry bench %[1]s --url http://127.0.0.1:6001 --app-id ID --key KEY --secret SECRET --pid PID
  belfry bench %[1]s --url http://127.0.0.1:6001 --connections 5000 --duration 30s --json result.json`, load.Name),
		Args: cli.NoArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			return b.run(command.Context(), s, []bench.Load{load})
		},
	}
	flags := command.Flags()
	flags.SortFlags = false
	b.where.add(flags)
	b.addSettings(flags, load.Uses)
	b.add(flags)
	return command
}

func newBenchAll(s cli.Streams) *cobra.Command {
	b := &benchmark{}
	var duration time.Duration
	command := &cobra.Command{
		Use:   "all",
		Short: "A short run of every load, for a first impression",
		Long:  "Runs every load for a short time, with few connections.\n\n" + benchHelp,
		Example: `  belfry bench all --url http://127.0.0.1:6001 --pid $(pidof belfry)
  belfry bench all --url http://127.0.0.1:6001 --duration 1s --json - | jq '.results[] | {load, delivered_per_s}'`,
		Args: cli.NoArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			return b.run(command.Context(), s, bench.Set(duration))
		},
	}
	flags := command.Flags()
	flags.SortFlags = false
	b.where.add(flags)
	flags.DurationVar(&duration, "duration", 3*time.Second, "`time` to measure each load for")
	b.add(flags)
	return command
}

// addSettings defines the flags of what a load uses.
func (b *benchmark) addSettings(flags *pflag.FlagSet, uses bench.Uses) {
	c := &b.cfg.Settings
	flags.IntVar(&c.Connections, "connections", c.Connections, "how many `clients` connect")
	flags.IntVar(&c.Channels, "channels", c.Channels, "how many `channels` there are")
	if uses.Has(bench.UsesSubscriptions) {
		flags.IntVar(&c.Subscriptions, "subscriptions", c.Subscriptions, "how many channels `each` client subscribes to")
	}
	if uses.Has(bench.UsesRate) {
		flags.Float64Var(&c.Rate, "rate", c.Rate, "how `many` a second, in all; 0 is as fast as the service answers")
	}
	if uses.Has(bench.UsesInflight) {
		flags.IntVar(&c.Inflight, "inflight", c.Inflight, "how `many` publishers, or dials, at once")
	}
	if uses.Has(bench.UsesBatch) {
		flags.IntVar(&c.Batch, "batch", c.Batch, "`events` in one request")
	}
	if uses.Has(bench.UsesEvents) {
		flags.IntVar(&c.Payload, "payload", c.Payload, "`bytes` of data in an event")
		flags.IntVar(&c.Backlog, "backlog", c.Backlog, "`deliveries` on their way at most, where the rate is 0 (default as many as all publishers make, and some more)")
	}
	if uses.Has(bench.UsesSlow) {
		flags.IntVar(&c.Slow, "slow", c.Slow, "how many of the `clients` never read")
	}
	if uses.Has(bench.UsesEvents) || uses.Has(bench.UsesRate) && c.Warmup > 0 {
		flags.DurationVar(&c.Warmup, "warmup", c.Warmup, "`time` to run before it is measured")
	}
	flags.DurationVar(&c.Duration, "duration", c.Duration, "`time` to measure, at most "+bench.MaxDuration.String())
}

// add defines the flags that all loads have.
func (b *benchmark) add(flags *pflag.FlagSet) {
	flags.IntVar(&b.cfg.PID, "pid", 0, "the `process` of the service on this machine, to say what it uses")
	flags.DurationVar(&b.cfg.Floor, "floor", defaultFloor(), "`time` to measure the floor, before and after; 0 for none")
	flags.IntVar(&b.cfg.Readers, "readers", 1, "how `many` goroutines read")
	flags.StringVar(&b.jsonFile, "json", "", "write the results as JSON to a `file`, or with - to standard output instead of the table")
	flags.BoolVar(&b.cfg.AllowRemote, "allow-remote", false, "the service is on another machine, and may be loaded")
}

// defaultFloor is how long the floor is measured where it can be.
func defaultFloor() time.Duration {
	if runtime.GOOS == "linux" {
		return time.Second
	}
	return 0
}

// run runs loads one after the other and reports on all that came to a result.
func (b *benchmark) run(ctx context.Context, s cli.Streams, loads []bench.Load) error {
	if err := b.resolve(); err != nil {
		return err
	}
	out, err := b.openJSON(s)
	if err != nil {
		return err
	}
	report := bench.NewReport(versionLine(), b.cfg.Target)
	failure := b.runAll(ctx, s, loads, report)
	if len(report.Results) == 0 {
		return errors.Join(failure, out.Close())
	}
	if b.jsonFile != "-" {
		if err := report.WriteTable(s.Out); err != nil {
			return fmt.Errorf("standard output: %w", err)
		}
	}
	if b.jsonFile != "" {
		if err := errors.Join(report.WriteJSON(out), out.Close()); err != nil {
			return fmt.Errorf("--json %s: %w", b.jsonFile, err)
		}
	}
	return failure
}

// runAll adds the results to the report, until one load fails or the user has
// had enough.
func (b *benchmark) runAll(ctx context.Context, s cli.Streams, loads []bench.Load, report *bench.Report) error {
	display := bench.NewDisplay(s.Err, terminal.Is(s.Err))
	for _, load := range loads {
		if ctx.Err() != nil && len(report.Results) > 0 {
			return nil
		}
		cfg := b.cfg
		cfg.Load, cfg.Progress = load, display.Show
		if len(loads) > 1 {
			cfg.Settings = load.Defaults
		}
		result, err := bench.Run(ctx, cfg)
		display.Clear()
		switch {
		case errors.Is(err, bench.ErrInterrupted) && len(report.Results) > 0:
			return nil
		case err != nil && len(loads) > 1:
			return fmt.Errorf("%s: %w", load.Name, b.explain(err))
		case err != nil:
			return b.explain(err)
		}
		report.Results = append(report.Results, result)
	}
	return nil
}

// resolve finds the target. Unlike other commands this one assumes none: what
// is put under load should be said.
func (b *benchmark) resolve() error {
	if cmp.Or(b.where.url, getenv("BELFRY_URL"), getenv("PUSHER_URL")) == "" {
		return cli.Usagef(`which service? Say where it is and which app may be loaded:
  --url http://127.0.0.1:6001 --app-id ID --key KEY --secret SECRET
or set BELFRY_URL=http://KEY:SECRET@HOST:PORT/apps/APP_ID. For a service to try out, start
belfry dev --unlimited and give --url http://%s; its credentials are known.`, devListen)
	}
	t, err := b.where.resolve(getenv)
	if err != nil {
		return err
	}
	if err := needSecret(t); err != nil {
		return err
	}
	if t.AppID == "" {
		return cli.Usagef("which app? Give its id with --app-id, or in the URL: http://KEY:SECRET@HOST:PORT/apps/APP_ID")
	}
	b.cfg.Target = bench.Target{URL: t.Base, AppID: t.AppID, Key: t.Pair.Key, Secret: t.Pair.Secret}
	return nil
}

// openJSON opens where the JSON goes, before the load, so that a mistake in it
// does not cost a run.
func (b *benchmark) openJSON(s cli.Streams) (io.WriteCloser, error) {
	switch b.jsonFile {
	case "":
		return nopCloser{io.Discard}, nil
	case "-":
		return nopCloser{s.Out}, nil
	}
	f, err := os.Create(b.jsonFile)
	if err != nil {
		return nil, fmt.Errorf("--json: %w", err)
	}
	return f, nil
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// explain says mistakes in the settings as mistakes in the command line, and
// what to do where nobody listens.
func (b *benchmark) explain(err error) error {
	if errors.Is(err, syscall.ECONNREFUSED) {
		return reach.Explain(b.cfg.Target.URL, err)
	}
	if _, ok := errors.AsType[*bench.SettingError](err); !ok {
		return err
	}
	list := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		list = joined.Unwrap()
	}
	var lines []string
	for _, e := range list {
		lines = append(lines, "--"+e.Error())
	}
	return cli.Usagef("%s", strings.Join(lines, "\n"))
}
