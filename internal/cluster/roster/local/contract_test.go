package local

import (
	"testing"
	"testing/synctest"

	"github.com/belfryhq/belfry/internal/cluster/roster"
	"github.com/belfryhq/belfry/internal/cluster/roster/rostertest"
)

func TestContract(t *testing.T) {
	rostertest.Run(t, rostertest.Rig{
		Nodes:  1,
		New:    func(*testing.T, int) []roster.Roster { return []roster.Roster{New(Config{Grace: grace})} },
		Within: synctest.Test,
	})
}
