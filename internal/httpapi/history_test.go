package httpapi

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/frame"
	"github.com/belfryhq/belfry/internal/history"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/protocol"
)

// newHistory is the history of a channel with five events of two nodes, of which the
// first of HERE is not kept any more.
func newHistory() *history.Log {
	l := new(history.Shelf).Open("HERE", history.NewBudget())
	limits := history.Limits{TTL: time.Hour, Events: 5, Bytes: 1 << 20}
	last := map[node.ID]uint64{}
	for i, publisher := range []node.ID{"HERE", "HERE", "THERE", "HERE", "THERE", "HERE"} {
		number := uint64(i + 1)
		f := frame.Text(func(b []byte) []byte {
			return protocol.AppendPlaced(b, "e", "news", fmt.Appendf(nil, `"%d"`, number), "", string(publisher))
		})
		protocol.PutPlace(f.Message(), number)
		l.Keep(history.Event{Mark: history.Mark{Publisher: publisher, Number: number}, Before: last[publisher], Frame: f, At: time.Unix(testTime, 0)}, limits)
		last[publisher] = number
	}
	return l
}

// readAll reads all pages of two events.
func (f *fixture) readAll(t *testing.T, params ...string) (pages [][]string) {
	t.Helper()
	more, after := true, []string(nil)
	for more {
		w := f.do(t, get("/apps/3/channels/news/events", slices.Concat(params, after, []string{"limit=2"})...).build())
		var page struct {
			Events []struct {
				Event, Channel, Data, Position string
				TimeMS                         int64 `json:"time_ms"`
			}
			Position string
			More     bool
		}
		if err := json.Unmarshal(w.Body.Bytes(), &page); err != nil || w.Code != 200 {
			t.Fatalf("status %d, %v: %s", w.Code, err, w.Body)
		}
		var data []string
		for _, e := range page.Events {
			if e.Event != "e" || e.Channel != "news" || e.TimeMS == 0 || !strings.HasSuffix(e.Position, "-00000000000"+e.Data) {
				t.Errorf("event = %+v", e)
			}
			data = append(data, e.Data)
		}
		pages = append(pages, data)
		more, after = page.More, []string{"after=" + page.Position}
		if len(pages) > 10 {
			t.Fatal("the pages have no end")
		}
	}
	return pages
}

func TestHistoryInPages(t *testing.T) {
	f := newFixture()
	f.hub.log = newHistory()
	for _, c := range []struct {
		params []string
		want   string
	}{
		{nil, "[[2 3] [4 5] [6]]"},
		{[]string{"direction=forwards"}, "[[2 3] [4 5] [6]]"},
		{[]string{"direction=backwards"}, "[[6 5] [4 3] [2]]"},
	} {
		if got := fmt.Sprint(f.readAll(t, c.params...)); got != c.want {
			t.Errorf("pages with %q: %s, want %s", c.params, got, c.want)
		}
	}
	w := f.do(t, get("/apps/3/channels/news/events", "after=HERE-000000000006,THERE-000000000005").build())
	if got, want := w.Body.String(), `{"events":[],"position":"HERE-000000000006,THERE-000000000005","more":false}`; got != want {
		t.Errorf("behind the last one: %s, want %s", got, want)
	}
}

func TestHistoryThatCanNotBeRead(t *testing.T) {
	const path = "/apps/3/channels/news/events"
	kept := func(f *fixture) { f.hub.log = newHistory() }
	runStatements(t, []statement{
		{name: "off", call: get(path), status: 404, body: "No history is kept of channel news"},
		{name: "channel", call: get("/apps/3/channels/a%20b/events"), given: kept, status: 400, body: "Invalid channel name: a b"},
		{name: "unknown", call: get(path, "after=NOBODY-000000000001"), given: kept, status: 404, body: "Unknown position: NOBODY-000000000001"},
		{name: "not reached", call: get(path, "after=HERE-000000000009"), given: kept, status: 404, body: "Unknown position: HERE-000000000009"},
		{name: "gone", call: get(path, "after=HERE-000000000000"), given: kept, status: 410,
			body: "Events behind this position are not kept any more: HERE-000000000000"},
		{name: "no position", call: get(path, "after=x"), given: kept, status: 400, body: "Invalid position: x"},
		{name: "empty position", call: get(path, "after="), given: kept, status: 400, body: "Invalid position: "},
		{name: "limit 0", call: get(path, "limit=0"), given: kept, status: 400, body: "Expected limit parameter to be a number from 1 to 1000"},
		{name: "limit 1001", call: get(path, "limit=1001"), given: kept, status: 400, body: "Expected limit parameter to be a number from 1 to 1000"},
		{name: "direction", call: get(path, "direction=up"), given: kept, status: 400, body: `Expected direction parameter to be "forwards" or "backwards"`},
		{name: "silent nodes", call: get(path), given: func(f *fixture) { kept(f); f.hub.err = hub.ErrSilentPeers }, status: 503,
			body: "Some nodes have not answered, try again"},
		{name: "signature", call: request{method: "GET", path: path, secret: "wrong"}, given: kept, status: 401, body: "Invalid signature", starts: true},
		{name: "other app", call: request{method: "GET", path: "/apps/4/channels/news/events"}, given: kept, status: 400, body: "Unknown auth_key"},
	})
}
