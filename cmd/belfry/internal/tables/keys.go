package tables

import (
	"cmp"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/belfryhq/belfry/cmd/belfry/internal/adminclient"
)

// KeyUses writes a table of who uses the keys of an app.
func KeyUses(out io.Writer, reply []byte) error {
	var answer struct {
		Keys []struct {
			Key  string
			Uses []struct {
				Kind, By string
				Last     time.Time
				Hour     uint64 `json:"last_hour"`
			}
		}
		Nodes []struct {
			Name, Problem string
			Answered      bool
		}
	}
	if err := adminclient.Read(reply, &answer); err != nil {
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "KEY\tUSE\tBY\tLAST HOUR\tLAST")
	for _, k := range answer.Keys {
		if len(k.Uses) == 0 {
			fmt.Fprintf(table, "%s\tnone since the nodes started\t\t\t\n", k.Key)
		}
		for _, u := range k.Uses {
			fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%s\n", k.Key, u.Kind, cmp.Or(visible(u.By), "-"), u.Hour, clock(u.Last))
		}
	}
	for _, n := range answer.Nodes {
		if !n.Answered {
			fmt.Fprintf(table, "what %s has is missing: %s\n", visible(n.Name), visible(n.Problem))
		}
	}
	return table.Flush()
}
