package operator

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry/cmd/belfry/internal/adminclient"
	"github.com/belfryhq/belfry/cmd/belfry/internal/cli"
)

const (
	// drainLook is how often is looked how far a node is.
	drainLook = 500 * time.Millisecond
	// maxDrainFailures is how often in a row that may fail.
	maxDrainFailures = 5
)

// A drainCommand is belfry drain.
type drainCommand struct {
	adminCommand
	noWait bool
}

func newDrain(s cli.Streams) *cobra.Command {
	d := &drainCommand{adminCommand: adminCommand{Streams: s}}
	c := &cobra.Command{
		Use:   "drain",
		Short: "Send the clients of a node elsewhere, and end it",
		Long: `Makes a node end as SIGTERM does: it says that it is not ready, waits for drain_delay
so that balancers hear of it, sends its clients elsewhere (4200) over
drain_timeout, hands over what others have to go on with, and ends. The command
says how many connections are left, and ends when the node has.`,
		Example: `  belfry drain
  belfry drain --no-wait --admin http://10.0.0.7:6002`,
		Args: cli.NoArguments,
	}
	c.Flags().BoolVar(&d.noWait, "no-wait", false, "end when the node has begun to drain")
	return d.command(c, d.drain)
}

// A drained answer is how far a node is.
type drained struct {
	Draining    bool
	Connections int
	Since       time.Time
}

// look asks how far the node is, or to begin.
func (d *drainCommand) look(ctx context.Context, client adminclient.Client, method string) (drained, error) {
	var answer drained
	reply, err := client.Call(ctx, adminclient.Request{Method: method, Path: adminclient.DrainPath})
	if err != nil {
		return answer, err
	}
	if err := adminclient.Read(reply, &answer); err != nil {
		return answer, err
	}
	if d.json {
		fmt.Fprintf(d.Out, "%s\n", reply)
	}
	return answer, nil
}

func (d *drainCommand) drain(ctx context.Context, client adminclient.Client, _ []string) error {
	begun, err := d.look(ctx, client, http.MethodPost)
	if err != nil {
		return err
	}
	d.tell("the node drains; connections left: %d\n", begun.Connections)
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
		case err != nil && client.Gone(ctx), err == nil && !now.Since.Equal(begun.Since):
			d.tell("the node has ended\n")
			return nil
		case err != nil:
			if failures++; failures == maxDrainFailures {
				return fmt.Errorf("%w\nwhether the node has ended is not known", err)
			}
			continue
		case now.Connections != told:
			told = now.Connections
			d.tell("connections left: %d\n", told)
		}
		failures = 0
	}
}

// tell tells a person about progress.
func (d *drainCommand) tell(format string, args ...any) { fmt.Fprintf(d.Err, format, args...) }
