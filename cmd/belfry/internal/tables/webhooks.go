package tables

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/belfryhq/belfry/cmd/belfry/internal/adminclient"
)

// Endpoints writes a table of endpoints.
func Endpoints(out io.Writer, list []json.RawMessage) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(out, "no app has webhooks")
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "APP\tENDPOINT\tSTATE\tQUEUED\tOLDEST\tLAST\tURL")
	for _, raw := range list {
		var e struct {
			App, Endpoint, State, URL string
			QueuedBytes               int64   `json:"queued_bytes"`
			Oldest                    float64 `json:"oldest_seconds"`
			LastError                 string  `json:"last_error"`
			LastStatus                int     `json:"last_status"`
		}
		if err := adminclient.Read(raw, &e); err != nil {
			return err
		}
		last, oldest := e.LastError, ""
		if last == "" && e.LastStatus != 0 {
			last = strconv.Itoa(e.LastStatus)
		}
		if e.Oldest > 0 {
			oldest = time.Duration(e.Oldest * float64(time.Second)).Round(time.Second).String()
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", e.App, e.Endpoint, e.State, bytesText(e.QueuedBytes), cmp.Or(oldest, "-"), cmp.Or(last, "-"), e.URL)
	}
	return table.Flush()
}

// bytesText is a size for people.
func bytesText(n int64) string {
	switch {
	case n == 0:
		return "-"
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d MiB", n>>20)
}

// DeadLetters writes a table of what was given up.
func DeadLetters(out io.Writer, list []json.RawMessage) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(out, "nothing was given up")
		return err
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tAT\tAPP\tENDPOINT\tREASON\tEVENTS\tATTEMPTS\tLAST")
	for _, raw := range list {
		var b struct {
			ID                        uint64
			At, App, Endpoint, Reason string
			Error                     string
			Attempts, Status          int
			Events                    []json.RawMessage
		}
		if err := adminclient.Read(raw, &b); err != nil {
			return err
		}
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\t%d\t%d\t%s\n", b.ID, b.At, b.App, b.Endpoint, b.Reason, len(b.Events), b.Attempts, cmp.Or(b.Error, "-"))
	}
	return table.Flush()
}

// A Replayed answer is what the service says to a replay.
type Replayed struct {
	Replayed, Events int
	Skipped, Missing []uint64
	Next             string
}

// Write says what was queued again.
func (r Replayed) Write(out io.Writer) {
	fmt.Fprintf(out, "queued again: %d events\n", r.Events)
	if n := len(r.Skipped); n > 0 {
		fmt.Fprintf(out, "left where they are, because their endpoint is gone: %d\n", n)
	}
}
