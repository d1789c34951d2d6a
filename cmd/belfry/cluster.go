package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

const clusterPath = "/api/v1/cluster"

// A clusterCommand is one of the commands below belfry cluster.
type clusterCommand struct {
	streams
	admin adminFlags
}

// newCluster returns belfry cluster and what is below it.
func newCluster(s streams) *cobra.Command {
	parent := &cobra.Command{
		Use:   "cluster",
		Short: "See how a cluster is, and forget a node that is gone for good",
		Long: `Shows how the nodes of a cluster are, seen from one of them, and makes the others
forget a node that will not come back.

` + adminHelp,
		Example: `  belfry cluster status
  belfry cluster status --json | jq .problems
  belfry cluster remove belfry-3`,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("there is no belfry cluster %s", args[0])
			}
			return c.Help()
		},
	}
	parent.AddCommand(newClusterStatus(s), newClusterRemove(s))
	return parent
}

// command completes a command with the flags that all have and what it does.
func (k *clusterCommand) command(c *cobra.Command, run func(context.Context, adminClient, []string) error) *cobra.Command {
	c.Long += "\n\n" + adminHelp
	c.RunE = func(c *cobra.Command, args []string) error {
		client, err := k.admin.resolve(os.Getenv)
		if err != nil {
			return err
		}
		return run(c.Context(), client, args)
	}
	c.Flags().SortFlags = false
	k.admin.add(c.Flags())
	return c
}

func newClusterStatus(s streams) *cobra.Command {
	k := &clusterCommand{streams: s}
	return k.command(&cobra.Command{
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
		Args: noArgs,
	}, k.status)
}

func (k *clusterCommand) status(ctx context.Context, client adminClient, _ []string) error {
	reply, err := client.call(ctx, http.MethodGet, clusterPath, nil, nil, 0)
	if err != nil {
		return err
	}
	var c shownCluster
	if err := json.Unmarshal(reply, &c); err != nil {
		return unread(err)
	}
	if k.admin.json {
		_, err := fmt.Fprintf(k.out, "%s\n", reply)
		return err
	}
	if err := c.print(k.out); err != nil || len(c.Problems) == 0 {
		return err
	}
	return c.wrong()
}

func newClusterRemove(s streams) *cobra.Command {
	k := &clusterCommand{streams: s}
	return k.command(&cobra.Command{
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
				return usagef("the node is missing: belfry cluster remove NODE")
			}
			if len(args) > 1 {
				return usagef("%q is not expected: belfry cluster remove NODE", args[1])
			}
			return nil
		},
	}, k.remove)
}

func (k *clusterCommand) remove(ctx context.Context, client adminClient, args []string) error {
	_, err := client.call(ctx, http.MethodPost, clusterPath+"/remove", nil, map[string]string{"name": args[0]}, 0)
	if err != nil {
		return err
	}
	fmt.Fprintf(k.err, "removed node %s\n", args[0])
	return nil
}

// wrong is what is wrong with a cluster, and what to do.
func (c *shownCluster) wrong() error {
	lines := []string{"something is wrong with the cluster"}
	for _, p := range c.Problems {
		lines = append(lines, "  "+p.Text)
		if p.Advice != "" {
			lines = append(lines, "    "+p.Advice)
		}
	}
	return fmt.Errorf("%s", strings.Join(lines, "\n"))
}
