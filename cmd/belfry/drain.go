package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

const (
	drainPath = "/api/v1/drain"
	// drainLook is how often is looked how far a node is.
	drainLook = 500 * time.Millisecond
	// maxDrainFailures is how often in a row that may fail.
	maxDrainFailures = 5
	// dialTimeout bounds how long it takes to find out whether a node is there.
	dialTimeout = 5 * time.Second
)

// A drainCommand is belfry drain.
type drainCommand struct {
	streams
	admin  adminFlags
	noWait bool
}

func newDrain(s streams) *cobra.Command {
	d := &drainCommand{streams: s}
	c := &cobra.Command{
		Use:   "drain",
		Short: "Send the clients of a node elsewhere, and end it",
		Long: `Makes a node end as SIGTERM does: it says that it is not ready, waits for drain_delay
so that balancers hear of it, sends its clients elsewhere (4200) over
drain_timeout, hands over what others have to go on with, and ends. The command
says how many connections are left, and ends when the node has.

` + adminHelp,
		Example: `  belfry drain
  belfry drain --no-wait --admin http://10.0.0.7:6002`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			client, err := d.admin.resolve(os.Getenv)
			if err != nil {
				return err
			}
			return d.drain(c.Context(), client)
		},
	}
	c.Flags().SortFlags = false
	c.Flags().BoolVar(&d.noWait, "no-wait", false, "end when the node has begun to drain")
	d.admin.add(c.Flags())
	return c
}

// A drained answer is how far a node is.
type drained struct {
	Draining    bool
	Connections int
	Since       time.Time
}

// look asks how far the node is, or to begin.
func (d *drainCommand) look(ctx context.Context, client adminClient, method string) (drained, error) {
	var answer drained
	reply, err := client.call(ctx, method, drainPath, nil, nil, 0)
	if err != nil {
		return answer, err
	}
	if err := json.Unmarshal(reply, &answer); err != nil {
		return answer, unread(err)
	}
	if d.admin.json {
		fmt.Fprintf(d.out, "%s\n", reply)
	}
	return answer, nil
}

func (d *drainCommand) drain(ctx context.Context, client adminClient) error {
	begun, err := d.look(ctx, client, http.MethodPost)
	if err != nil {
		return err
	}
	d.say("the node drains; connections left: %d\n", begun.Connections)
	if d.noWait {
		return nil
	}
	told, failures, tick := begun.Connections, 0, time.NewTicker(drainLook)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.New("not waiting any more; the node goes on draining")
		}
		now, err := d.look(ctx, client, http.MethodGet)
		switch {
		case ctx.Err() != nil:
		case err != nil && gone(ctx, client), err == nil && !now.Since.Equal(begun.Since):
			d.say("the node has ended\n")
			return nil
		case err != nil:
			if failures++; failures == maxDrainFailures {
				return fmt.Errorf("%w\nwhether the node has ended is not known", err)
			}
			continue
		case now.Connections != told:
			told = now.Connections
			d.say("connections left: %d\n", told)
		}
		failures = 0
	}
}

// say tells a person about progress.
func (d *drainCommand) say(format string, args ...any) { fmt.Fprintf(d.err, format, args...) }

// gone reports whether nothing listens any more where a service was.
func gone(ctx context.Context, client adminClient) bool {
	port := client.base.Port()
	if port == "" {
		port = client.base.Scheme
	}
	dialer := net.Dialer{Timeout: dialTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(client.base.Hostname(), port))
	if err == nil {
		conn.Close()
	}
	return errors.Is(err, syscall.ECONNREFUSED)
}
