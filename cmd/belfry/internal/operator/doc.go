// Package operator has the commands of belfry that speak to the admin API of a running
// service: what they are called, their flags and their help. What is asked is in
// adminclient, and how answers look in tables.
package operator

import (
	"github.com/spf13/cobra"

	"github.com/belfryhq/belfry/cmd/belfry/internal/cli"
)

// Commands returns them all, for the root.
func Commands(s cli.Streams) []*cobra.Command {
	return []*cobra.Command{
		newApps(s), newWebhooks(s), newPush(s), newTokens(s), newAudit(s), newCluster(s), newDrain(s), newConsole(s),
		newTail(s), newExplain(s), newChannels(s), newConnections(s), newUsers(s), newErrors(s), newTimeline(s),
	}
}
