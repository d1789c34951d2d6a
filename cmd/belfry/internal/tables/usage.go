package tables

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/belfryhq/belfry/cmd/belfry/internal/adminclient"
)

// A usage is one line of what was used.
type usage struct {
	ID              string
	Hour            time.Time
	PeakConnections int    `json:"peak_connections"`
	BackendEvents   uint64 `json:"backend_events"`
	ClientEvents    uint64 `json:"client_events"`
	Deliveries      uint64
	Requests        uint64
}

// Hours writes what one app used in each hour.
func Hours(w io.Writer, reply []byte) error {
	var answer struct {
		Hours []usage
		Total usage
	}
	if err := adminclient.Read(reply, &answer); err != nil {
		return err
	}
	table := usageTable(w, "HOUR")
	for _, u := range answer.Hours {
		u.write(table, u.Hour.Format("2006-01-02 15:04Z"))
	}
	answer.Total.write(table, "total")
	return table.Flush()
}

// Usage writes what every app used altogether.
func Usage(w io.Writer, list []json.RawMessage) error {
	table := usageTable(w, "APP")
	for _, element := range list {
		var u usage
		if err := adminclient.Read(element, &u); err != nil {
			return err
		}
		u.write(table, u.ID)
	}
	return table.Flush()
}

func usageTable(w io.Writer, first string) *tabwriter.Writer {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(table, "%s\tPEAK CONNECTIONS\tBACKEND EVENTS\tCLIENT EVENTS\tDELIVERIES\tREQUESTS\t\n", first)
	return table
}

func (u usage) write(w io.Writer, first string) {
	fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t\n", first, u.PeakConnections, u.BackendEvents, u.ClientEvents, u.Deliveries, u.Requests)
}
