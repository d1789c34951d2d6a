package server

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/belfryhq/belfry/internal/admin"
	"github.com/belfryhq/belfry/internal/apps"
)

const liveToken = "0123456789abcdef"

// A viewer reads the rows of an app.
type viewer struct {
	t      testing.TB
	lines  *bufio.Scanner
	end    func()
	id     string // of the last row
	schema *openapi3.SchemaRef
}

// watch begins to read what happens to app 1.
func (n *testNode) watch(query, lastID string) *viewer {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(n.t.Context(), 20*time.Second)
	n.t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.AdminAddr().String()+"/api/v1/apps/1/live?"+query, nil)
	if err != nil {
		n.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+liveToken)
	if lastID != "" {
		r.Header.Set("Last-Event-ID", lastID)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		n.t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "text/event-stream" {
		n.t.Fatalf("live?%s = %s, %s", query, response.Status, response.Header.Get("Content-Type"))
	}
	doc, err := openapi3.NewLoader().LoadFromData(admin.OpenAPI)
	if err != nil {
		n.t.Fatal(err)
	}
	end := func() {
		cancel()
		response.Body.Close()
	}
	n.t.Cleanup(end)
	return &viewer{t: n.t, lines: bufio.NewScanner(response.Body), end: end, schema: doc.Components.Schemas["LiveRow"]}
}

// next is the next row.
func (v *viewer) next() map[string]any {
	v.t.Helper()
	for v.lines.Scan() {
		name, value, _ := strings.Cut(v.lines.Text(), ": ")
		switch name {
		case "id":
			v.id = value
		case "data":
			var row map[string]any
			if err := json.Unmarshal([]byte(value), &row); err != nil {
				v.t.Fatalf("row %s: %v", value, err)
			}
			if err := v.schema.Value.VisitJSON(row); err != nil {
				v.t.Errorf("row %s is not as described: %v", value, err)
			}
			return row
		}
	}
	v.t.Fatalf("the rows have ended: %v", v.lines.Err())
	return nil
}

// expect complains unless the next rows are of these types, about these channels
// and events.
func (v *viewer) expect(want ...string) {
	v.t.Helper()
	for _, w := range want {
		row := v.next()
		text := ""
		for _, name := range []string{"type", "channel", "event", "detail"} {
			if s, ok := row[name].(string); ok && s != "" {
				text += " " + s
			}
		}
		if text = strings.TrimSpace(text); !strings.HasPrefix(text, w) {
			v.t.Errorf("row %v, want %q", row, w)
		}
	}
}

func liveNode(t testing.TB) *testNode {
	return start(t, Config{AdminListen: "127.0.0.1:0", AdminToken: liveToken})
}

func TestWhatHappensIsShownWhileItHappens(t *testing.T) {
	n := liveNode(t)
	v := n.watch("rate=full", "")
	c := n.connect()
	c.subscribe("news")
	v.expect("connection", "subscribed news", "occupied news")

	base := "http://" + n.Addr().String()
	response := n.trigger(http.DefaultClient, base, "news", "hi")
	row := v.next()
	id := response.Header.Get("X-Belfry-Event-Id")
	if row["type"] != "api_message" || row["data"] != "hi" || row["here"] != 1.0 || row["elsewhere"] != 0.0 || row["event_id"] != id || id == "" {
		t.Errorf("the row of event %q is %v", id, row)
	}
	if got := response.Header.Get("X-Belfry-Receivers"); got != "here=1, elsewhere=0" {
		t.Errorf("X-Belfry-Receivers: %s", got)
	}
	n.trigger(http.DefaultClient, base, "nobody", "lost")
	if row := v.next(); row["data"] != "lost" || row["here"] != 0.0 {
		t.Errorf("the row of an event that nobody got is %v", row)
	}
	c.send(`{"event":"pusher:subscribe","data":{"channel":"private-x","auth":"key:wrong"}}`)
	v.expect("client_error private-x pusher:subscribe Invalid signature")
	c.Close()
	v.expect("disconnection The connection was lost", "unsubscribed news", "vacated news")
}

func TestRefusedRequestsOfBackendsAreShown(t *testing.T) {
	n := liveNode(t)
	v := n.watch("type=api_error", "")
	response, err := http.Post("http://"+n.Addr().String()+"/apps/1/events?auth_key=key&auth_version=1.0&auth_timestamp=1", "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	v.expect("api_error POST /apps/1/events: Timestamp expired")
}

// TestReaderComesBackWhereItWas: rows that came while the connection was cut are
// read afterwards, none twice.
func TestReaderComesBackWhereItWas(t *testing.T) {
	n := liveNode(t)
	base := "http://" + n.Addr().String()
	v := n.watch("type=api_message&rate=full", "")
	n.trigger(http.DefaultClient, base, "news", "1")
	if row := v.next(); row["data"] != "1" {
		t.Fatalf("row %v", row)
	}
	v.end()
	n.trigger(http.DefaultClient, base, "news", "2")
	n.trigger(http.DefaultClient, base, "news", "3")
	v = n.watch("type=api_message&rate=full", v.id)
	for _, want := range []string{"2", "3"} {
		if row := v.next(); row["data"] != want {
			t.Errorf("row %v, want data %s", row, want)
		}
	}
	v = n.watch("type=api_message&rate=full", "nobody.7")
	if row := v.next(); row["type"] != "gap" || row["reason"] != "lost" || row["count"] != nil {
		t.Errorf("who comes back to what is gone reads %v", row)
	}
}

// TestRowsAndGapsAddUp: what is shown and what is said to be left out is all that
// happened.
func TestRowsAndGapsAddUp(t *testing.T) {
	n := liveNode(t)
	base := "http://" + n.Addr().String()
	v := n.watch("type=api_message&rate=5", "")
	const events = 40
	for i := range events {
		n.trigger(http.DefaultClient, base, "news", fmt.Sprint(i))
	}
	for sum := 0; sum < events; {
		row := v.next()
		if row["type"] != "gap" {
			sum++
			continue
		}
		if row["reason"] != "rate" {
			t.Errorf("gap %v, want one for the rate", row)
		}
		sum += int(row["count"].(float64))
		if sum > events {
			t.Errorf("%d events are shown or left out, of %d", sum, events)
		}
	}
}

func TestNineDoNotWatchOneApp(t *testing.T) {
	n := liveNode(t)
	for range 8 {
		n.watch("", "")
	}
	d := newDescribed(t, n.Server)
	d.call("GET", "/api/v1/apps/1/live", "", 429, "There are 8 who watch this app already.")
	d.call("GET", "/api/v1/apps/2/live", "", 404, "There is no such app.")
	d.call("GET", "/api/v1/apps/1/live?type=x", "", 400, "There is no type")
	d.call("GET", "/api/v1/apps/1/live?chanel=x", "", 400, "did you mean channel?")
}

// TestRowsOfAllNodesComeAndTheOthersAreNamed: whoever is asked shows what happens
// on all nodes, and says which one does not answer.
func TestRowsOfAllNodesComeAndTheOthersAreNamed(t *testing.T) {
	nodes := explainingCluster(t, "a", "b", "c")
	a, b, c := nodes[0], nodes[1], nodes[2]
	v := a.watch("type=api_message&rate=full", "")
	row := v.next()
	if text := fmt.Sprint(row["nodes"]); row["type"] != "nodes" || strings.Count(text, "answered:true") != 3 {
		t.Errorf("the first row is %v, want one that names three nodes that answer", row)
	}
	for _, n := range nodes {
		n.emit("news")
		if row := v.next(); row["node"] != n.name || row["type"] != "api_message" {
			t.Errorf("row %v, want one of node %s", row, n.name)
		}
	}
	only := a.watch("type=api_message&node=b", "")
	if row := only.next(); row["type"] != "nodes" {
		t.Errorf("row %v, want one of nodes", row)
	}
	a.emit("news")
	b.emit("news")
	if row := only.next(); row["node"] != "b" {
		t.Errorf("row %v, want none but those of b", row)
	}
	if err := c.stop(); err != nil {
		t.Error(err)
	}
	for {
		row := v.next()
		if row["type"] == "nodes" && !strings.Contains(fmt.Sprint(row["nodes"]), "name:c answered:true") && !strings.Contains(fmt.Sprint(row["nodes"]), "answered:true name:c") {
			break
		}
	}
}

func TestWebhooksAreShown(t *testing.T) {
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	defer receiver.Close()
	hook := apps.NewWebhook()
	hook.ID, hook.URL, hook.Events = "main", receiver.URL, apps.ChannelOccupied
	app := testApp()
	app.Webhooks = []apps.Webhook{hook}
	n := start(t, Config{AdminListen: "127.0.0.1:0", AdminToken: liveToken, Apps: []*apps.App{app},
		Webhooks: Webhooks{AllowedNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}})
	v := n.watch("type=webhook_sent,webhook_failed", "")
	n.connect().subscribe("news")
	row := v.next()
	if row["type"] != "webhook_failed" || row["code"] != 418.0 || row["channel"] != "news" || row["event"] != "main" {
		t.Errorf("the row is %v, want one of a webhook that was answered with 418", row)
	}
}
