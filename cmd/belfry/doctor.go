package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry/cmd/belfry/internal/cli"
	"github.com/belfryhq/belfry/cmd/belfry/internal/doctor"
	"github.com/belfryhq/belfry/cmd/belfry/internal/target"
)

// A checkup is what belfry doctor was asked for.
type checkup struct {
	origin  string
	idle    time.Duration
	timeout time.Duration
	json    bool
}

func newDoctor(s cli.Streams) *cobra.Command {
	var where targetFlags
	var what checkup
	command := &cobra.Command{
		Use:   "doctor [URL]",
		Short: "Find out why a service can not be reached or used",
		Long: `Examines a service from outside, as clients and backends meet it: the name, the
port, the chain of TLS, the WebSocket upgrade through whatever proxy is in front,
the clock, a signature, a subscription, an event that is triggered and received,
and each fallback transport. Every check has a verdict (ok, warning, failed,
skipped) and says what to do. It works with every service that speaks the Pusher
Channels protocol, and leaves nothing behind.

The status is 0 if no check failed, else 1. URL is as in BELFRY_URL, which is
better: a secret on the command line can be read by other users of the machine.

` + targetHelp,
		Example: `  belfry doctor
  BELFRY_URL=https://KEY:SECRET@realtime.example.com/apps/1 belfry doctor
  belfry doctor https://realtime.example.com --key KEY --origin https://shop.example.com
  belfry doctor --idle 70s --json | jq '.checks[] | select(.verdict != "ok")'`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return cli.Usagef("one address at a time: belfry doctor https://realtime.example.com")
			}
			return nil
		},
		RunE: func(command *cobra.Command, args []string) error {
			if len(args) == 1 {
				if where.url != "" {
					return cli.Usagef("the address stands there twice, as URL and as --url")
				}
				where.url = args[0]
			}
			t, err := where.resolve(getenv)
			if err != nil {
				return err
			}
			return what.run(command.Context(), s, t)
		},
	}
	where.add(command.Flags())
	command.Flags().StringVar(&what.origin, "origin", "", "connect as a page of this `origin`, such as https://shop.example.com")
	command.Flags().DurationVar(&what.idle, "idle", 0, "also see whether a silent connection lasts for so long; 70s finds most proxies that cut")
	command.Flags().DurationVar(&what.timeout, "timeout", 10*time.Second, "how long each check may take")
	command.Flags().BoolVar(&what.json, "json", false, "print a report in JSON")
	return command
}

// run examines a service and prints what was found.
func (c checkup) run(ctx context.Context, s cli.Streams, t target.Target) error {
	if c.timeout <= 0 || c.idle < 0 {
		return cli.Usagef("--timeout is above 0, and --idle is not below")
	}
	if c.origin != "" {
		if u, err := url.Parse(c.origin); err != nil || u.Scheme == "" || u.Host == "" {
			return cli.Usagef("--origin is a scheme and a host, such as https://shop.example.com")
		}
	}
	tell := func(f doctor.Finding) { printFinding(s.Out, f) }
	if c.json {
		tell = func(doctor.Finding) {}
	}
	report := doctor.Run(ctx, doctor.Config{
		Base: t.Base, AppID: t.AppID, Key: t.Pair.Key, Secret: t.Pair.Secret,
		Origin: c.origin, Idle: c.idle, Timeout: c.timeout,
		Agent: "belfry-doctor/" + versionNumber(),
	}, tell)
	if err := ctx.Err(); err != nil {
		return err
	}
	if c.json {
		encoder := json.NewEncoder(s.Out)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(report); err != nil {
			return fmt.Errorf("standard output: %w", err)
		}
	}
	if !report.Healthy {
		return fmt.Errorf("%s failed: %s", report.Service, strings.Join(report.Failed(), ", "))
	}
	fmt.Fprintf(s.Err, "%s works%s\n", report.Service, report.Rest())
	return nil
}

// printFinding writes a line per finding, and one below it with what to do.
func printFinding(w io.Writer, f doctor.Finding) {
	fmt.Fprintf(w, "%-8s %-13s %s\n", f.Verdict, f.Check, f.Detail)
	if f.Advice != "" {
		fmt.Fprintf(w, "%-22s → %s\n", "", f.Advice)
	}
}
