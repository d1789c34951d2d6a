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

// Lines writes elements as they came, each on a line.
func Lines(out io.Writer, list []json.RawMessage) error {
	for _, element := range list {
		if _, err := fmt.Fprintf(out, "%s\n", element); err != nil {
			return err
		}
	}
	return nil
}

// Missing names the nodes that have no part in an answer, if it names nodes.
func Missing(out io.Writer, reply []byte) {
	var answer struct {
		Nodes []struct {
			Name     string
			Answered bool
			Problem  string
		}
	}
	if json.Unmarshal(reply, &answer) != nil {
		return // whoever reads all of it complains
	}
	for _, n := range answer.Nodes {
		if !n.Answered {
			fmt.Fprintf(out, "warning: what %s has is missing: %s\n", n.Name, n.Problem)
		}
	}
}
