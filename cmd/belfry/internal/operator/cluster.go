package operator

import (
	"context"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry/cmd/belfry/internal/adminclient"
	"github.com/belfryhq/belfry/cmd/belfry/internal/cli"
	"github.com/belfryhq/belfry/cmd/belfry/internal/tables"
)

// newCluster returns belfry cluster and what is below it.
func newCluster(s cli.Streams) *cobra.Command {
	return group(&cobra.Command{
		Use:   "cluster",
		Short: "See how a cluster is, and forget a node that is gone for good",
		Long: `Shows how the nodes of a cluster are, seen from one of them, and makes the others
forget a node that will not come back.`,
		Example: `  belfry cluster status
  belfry cluster status --json | jq .problems
  belfry cluster remove belfry-3`,
	}, newClusterStatus(s), newClusterRemove(s))
}

func newClusterStatus(s cli.Streams) *cobra.Command {
	a := &adminCommand{Streams: s}
	return a.command(&cobra.Command{
		Use:   "status",
		Short: "Show the nodes and what is wrong with them",
		Long: `Shows the nodes of the cluster as one of them sees it, and says at the end in words
whether all is well, or what is wrong and what to do about it. If something is
wrong the status of the command is 1, so that a script can wait for a cluster to
be well before it replaces the next node. With --json it is 0 whenever there is
an answer, and what is wrong stands in problems.

  NODE     * is the node that was asked
  STATE    ready, draining, leaving, suspect (silent for longer than the lease),
           absent (it counts for the quorum and does not run), unheard, cut off
  SOCKETS  connections of clients
  HEARD    how long ago the asked node heard from it
  TRIP     how long it takes there and back
  LEASE    how long ago it wrote into the log of decisions
  HOLDS    channels and members that the log has of it
  PENDING  what is on its way to it
  LOST     what was lost on the way from it or to it
  ENGINE   how much of what the engine has it lacks, and what it leads`,
		Example: `  belfry cluster status
  until belfry cluster status > /dev/null 2>&1; do sleep 1; done`,
		Args: cli.NoArguments,
	}, func(ctx context.Context, client adminclient.Client, _ []string) error {
		return a.ask(ctx, client, adminclient.Request{Path: adminclient.ClusterPath}, tables.Cluster)
	})
}

func newClusterRemove(s cli.Streams) *cobra.Command {
	a := &adminCommand{Streams: s}
	return a.command(&cobra.Command{
		Use:   "remove NODE",
		Short: "Forget a node that is gone for good",
		Long: `Makes the cluster forget a node that has ended and will not come back. Until then
it counts as one that is missing: more than half of all nodes must be there, or
nothing can be written. A node that is only stopped for a while need not be
removed. A node that runs is refused; end it first, with belfry drain.

It needs more than half of the nodes, the one that is removed included. A node of
that name may join again after five minutes.`,
		Example: "  belfry cluster remove belfry-3",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cli.Usagef("the node is missing: belfry cluster remove NODE")
			}
			if len(args) > 1 {
				return cli.Usagef("%q is not expected: belfry cluster remove NODE", args[1])
			}
			return nil
		},
	}, func(ctx context.Context, client adminclient.Client, args []string) error {
		_, err := client.Call(ctx, adminclient.Request{Method: http.MethodPost, Path: adminclient.ClusterPath + "/remove", Body: map[string]string{"name": args[0]}})
		if err != nil {
			return err
		}
		fmt.Fprintf(a.Err, "removed node %s\n", args[0])
		return nil
	})
}
