package tables

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// endpoint is one that an app tells its events.
type endpoint struct {
	App, Endpoint, State, URL string
	QueuedBytes               int64   `json:"queued_bytes"`
	Oldest                    float64 `json:"oldest_seconds"`
	LastError                 string  `json:"last_error"`
	LastStatus                int     `json:"last_status"`
}

// Endpoints writes a table of endpoints.
func Endpoints(out io.Writer, list []json.RawMessage) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(out, "no app has webhooks")
		return err
	}
	return columns(out, list, "APP\tENDPOINT\tSTATE\tQUEUED\tOLDEST\tLAST\tURL", func(e endpoint) string {
		last, oldest := e.LastError, ""
		if last == "" && e.LastStatus != 0 {
			last = strconv.Itoa(e.LastStatus)
		}
		if e.Oldest > 0 {
			oldest = time.Duration(e.Oldest * float64(time.Second)).Round(time.Second).String()
		}
		return fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s\t%s", e.App, e.Endpoint, e.State, bytesText(e.QueuedBytes), cmp.Or(oldest, "-"), cmp.Or(last, "-"), e.URL)
	})
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

// deadLetter is what was given up at once for one endpoint.
type deadLetter struct {
	ID                        uint64
	At, App, Endpoint, Reason string
	Error                     string
	Attempts, Status          int
	Events                    []json.RawMessage
}

// DeadLetters writes a table of what was given up.
func DeadLetters(out io.Writer, list []json.RawMessage) error {
	if len(list) == 0 {
		_, err := fmt.Fprintln(out, "nothing was given up")
		return err
	}
	return columns(out, list, "ID\tAT\tAPP\tENDPOINT\tREASON\tEVENTS\tATTEMPTS\tLAST", func(d deadLetter) string {
		return fmt.Sprintf("%d\t%s\t%s\t%s\t%s\t%d\t%d\t%s", d.ID, d.At, d.App, d.Endpoint, d.Reason, len(d.Events), d.Attempts, cmp.Or(d.Error, "-"))
	})
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

// Advice says what to do about a delivery that has failed.
func Advice(reason string, status int) string {
	switch {
	case reason == "forbidden_address":
		return "\nif it is yours, name its network in webhooks.allowed_networks"
	case reason == "redirect":
		return "\nset the address that it leads to"
	case reason == "tls":
		return "\nis its certificate valid, and its issuer known to this machine?"
	case reason == "refused":
		return "\nis it running, on that port?"
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return "\ndoes it know the app's oldest key and its secret, and get the headers that it wants?"
	}
	return ""
}
