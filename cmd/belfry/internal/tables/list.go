package tables

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/belfryhq/belfry/cmd/belfry/internal/adminclient"
)

// columns writes a header and a line for each element of a list. Cells are
// separated by tabs.
func columns[T any](out io.Writer, list []json.RawMessage, header string, line func(T) string) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, header)
	for _, raw := range list {
		var element T
		if err := adminclient.Read(raw, &element); err != nil {
			return err
		}
		fmt.Fprintln(table, line(element))
	}
	return table.Flush()
}
