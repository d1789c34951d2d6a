package tables

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/belfryhq/belfry/cmd/belfry/internal/adminclient"
)

// Timeline writes what the nodes remember, the newest first.
func Timeline(out io.Writer, reply []byte) error {
	var answer struct {
		Rows []struct {
			Time                                             time.Time
			Node, Type, Socket, User, Channel, Event, Detail string
			EventID                                          string `json:"event_id"`
			Code                                             int
			Handed                                           *int
		}
	}
	if err := adminclient.Read(reply, &answer); err != nil {
		return err
	}
	if len(answer.Rows) == 0 {
		_, err := fmt.Fprintln(out, "nothing of it is remembered")
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, r := range answer.Rows {
		var what []string
		for _, field := range [][2]string{{"", r.Channel}, {"", r.Event}, {"id ", r.EventID}, {"socket ", r.Socket}, {"user ", r.User}} {
			if field[1] != "" {
				what = append(what, field[0]+visible(field[1]))
			}
		}
		if r.Handed != nil {
			what = append(what, fmt.Sprintf("handed to %d sockets", *r.Handed))
		}
		if r.Detail != "" {
			what = append(what, visible(r.Detail))
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", r.Time.Local().Format(momentFormat), visible(r.Node), strings.ReplaceAll(r.Type, "_", " "), strings.Join(what, ", "))
	}
	return table.Flush()
}
