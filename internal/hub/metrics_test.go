package hub

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

// counted returns the counters with that name, by the value of their only label.
func counted(t *testing.T, from prometheus.Gatherer, name string) map[string]float64 {
	t.Helper()
	families, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.Metric {
			label := ""
			for _, l := range m.Label {
				label = l.GetValue()
			}
			got[label] = m.GetCounter().GetValue()
		}
	}
	return got
}

// TestMetricsOfClients: what clients do is counted, and refused subscriptions by
// their reason, whatever the clients are told.
func TestMetricsOfClients(t *testing.T) {
	app := testApp()
	app.Limits.ChannelsPerConnection = 2
	metrics := prometheus.NewRegistry()
	n := newNodeWith(t, Config{Registerer: metrics}, app)
	r := request("key")
	r.Transport = "websocket"
	c, refused := n.dial(r)
	if refused != nil {
		t.Fatal(refused)
	}
	n.connect()
	for _, data := range []string{
		`{"channel":"a"}`, `{"channel":"a"}`, `{"channel":"no name"}`, `{}`, `{"channel":"private-a"}`,
		`{"channel":"private-a","auth":"key:nonsense"}`, `{"channel":"#server-to-user-7"}`, `{"channel":"b"}`, `{"channel":"c"}`,
	} {
		c.receive(`{"event":"pusher:subscribe","data":%s}`, data)
	}
	c.receive(`{"event":"pusher:ping"}`)
	for name, want := range map[string]map[string]float64{
		"belfry_connections_opened_total":    {"websocket": 1, "unknown": 1},
		"belfry_client_messages_total":       {"": 10},
		"belfry_subscriptions_refused_total": {"existing": 1, "name": 1, "malformed": 1, "unauthorized": 3, "limit": 1},
	} {
		if diff := cmp.Diff(want, counted(t, metrics, name)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
