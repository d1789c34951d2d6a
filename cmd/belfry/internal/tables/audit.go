package tables

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/belfryhq/belfry/cmd/belfry/internal/adminclient"
)

// Audit writes a table of what was done.
func Audit(out io.Writer, reply []byte) error {
	var answer struct {
		Entries []struct {
			At                                      time.Time
			Who, Role, Address, App, Target, Detail string
			Action                                  string
			Status                                  int
			Left                                    int `json:"left_out"`
		}
		Next string
	}
	if err := adminclient.Read(reply, &answer); err != nil {
		return err
	}
	if len(answer.Entries) == 0 {
		fmt.Fprintln(out, "nothing of that kind was written down")
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if len(answer.Entries) > 0 {
		fmt.Fprintln(table, "TIME\tWHO\tROLE\tFROM\tSTATUS\tWHAT")
	}
	for _, e := range answer.Entries {
		what := []string{visible(e.Action)}
		if e.App != "" {
			what = append(what, "app "+visible(e.App))
		}
		if e.Target != "" {
			what = append(what, visible(e.Target))
		}
		if e.Detail != "" {
			what = append(what, visible(e.Detail))
		}
		if e.Left > 0 {
			what = append(what, fmt.Sprintf("%d refusals before it are not written down", e.Left))
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%s\n", clock(e.At), cmp.Or(visible(e.Who), "-"), cmp.Or(e.Role, "-"), cmp.Or(e.Address, "-"), e.Status, strings.Join(what, ", "))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if answer.Next != "" {
		fmt.Fprintf(out, "there are more: --after %s\n", answer.Next)
	}
	return nil
}
