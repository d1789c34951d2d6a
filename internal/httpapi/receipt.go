package httpapi

import (
	"net/http"
	"strconv"

	"github.com/belfryhq/belfry/internal/hub"
)

// Headers of ours, on the answers of calls that trigger events. Backends need none
// of them.
const (
	headerEventID   = "X-Belfry-Event-Id"  // of each event, in their order, with commas
	headerReceivers = "X-Belfry-Receivers" // subscriptions at that moment, as in here=2, elsewhere=1
)

// maxNamed is how many events of one call are named.
const maxNamed = 100

// acknowledge says under which names events are known, and how many get them.
func acknowledge(h http.Header, r hub.Receipt) {
	h[headerEventID], h[headerReceivers] = []string{named(r)}, []string{received(r)}
}

// named are the names under which events are known.
func named(r hub.Receipt) string {
	ids := make([]byte, 0, 64)
	id := r.ID
	for i := range min(r.Events, maxNamed) {
		if i > 0 {
			ids = append(ids, ", "...)
		}
		ids = append(ids, id.String()...)
		id.Number++
	}
	return string(ids)
}

// received is how many get events.
func received(r hub.Receipt) string {
	receivers := append(make([]byte, 0, 32), "here="...)
	receivers = strconv.AppendInt(receivers, int64(r.Here), 10)
	receivers = append(receivers, ", elsewhere="...)
	receivers = strconv.AppendInt(receivers, int64(r.Elsewhere), 10)
	return string(receivers)
}
