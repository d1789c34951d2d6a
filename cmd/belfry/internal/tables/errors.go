package tables

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/belfryhq/belfry/cmd/belfry/internal/adminclient"
)

// Errors writes what went wrong, the most frequent first.
func Errors(out io.Writer, reply []byte) error {
	var answer struct {
		Errors []struct {
			From, Cause, Detail, Advice string
			Total                       int
			Last                        time.Time
			Example                     struct {
				Text, Socket, User, Channel, Event, Key, Library, Origin, Address, Node string
			}
		}
	}
	if err := adminclient.Read(reply, &answer); err != nil {
		return err
	}
	if len(answer.Errors) == 0 {
		_, err := fmt.Fprintln(out, "nothing went wrong in the last 24 hours")
		return err
	}
	for n, e := range answer.Errors {
		if n > 0 {
			fmt.Fprintln(out)
		}
		fmt.Fprintf(out, "%d times, %s: %s (%s), last %s\n", e.Total, e.From, strings.ReplaceAll(e.Cause, "_", " "), visible(e.Detail), clock(e.Last))
		if e.Example.Text != "" {
			fmt.Fprintf(out, "  for example: %s\n", visible(e.Example.Text))
		}
		var where []string
		for _, field := range [][2]string{
			{"channel", e.Example.Channel}, {"event", e.Example.Event}, {"socket", e.Example.Socket}, {"user", e.Example.User}, {"key", e.Example.Key},
			{"library", e.Example.Library}, {"origin", e.Example.Origin}, {"address", e.Example.Address}, {"node", e.Example.Node},
		} {
			if field[1] != "" {
				where = append(where, field[0]+" "+visible(field[1]))
			}
		}
		if len(where) > 0 {
			fmt.Fprintf(out, "  %s\n", strings.Join(where, ", "))
		}
		if e.Advice != "" {
			fmt.Fprintf(out, "  what to do: %s\n", e.Advice)
		}
	}
	return nil
}
