package server

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/belfryhq/belfry/internal/apps"
)

// scrape returns the samples that the node exposes: their values by name and labels.
func (n *testNode) scrape() map[string]float64 {
	n.t.Helper()
	res, err := http.Get("http://" + n.AdminAddr().String() + "/metrics")
	if err != nil {
		n.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		n.t.Fatal(err)
	}
	samples := map[string]float64{}
	for line := range strings.Lines(string(text)) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "} ")
		if ok {
			name += "}"
		} else if name, value, ok = strings.Cut(strings.TrimSpace(line), " "); !ok || name == "#" {
			continue
		}
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			samples[name] = v
		}
	}
	return samples
}

// TestMetricsOfTraffic: bytes are counted in both directions, for clients of
// either kind of socket and for backends.
func TestMetricsOfTraffic(t *testing.T) {
	for _, portable := range []bool{false, true} {
		t.Run(fmt.Sprintf("portable=%t", portable), func(t *testing.T) {
			n := start(t, Config{AdminListen: "127.0.0.1:0", PortableSockets: portable, Version: "1.2.3"})
			c := n.connect()
			c.subscribe("news")
			before := n.scrape()
			data := strings.Repeat("x", 1000)
			n.trigger(http.DefaultClient, n.base().String(), "news", data)
			c.expect(event("news", data))
			c.send(`{"event":"pusher:ping"}`)
			c.expect(`{"event":"pusher:pong","data":"{}"}`)
			after := n.scrape()
			for name, least := range map[string]float64{
				"belfry_client_sent_bytes_total":                                            1000,
				"belfry_client_received_bytes_total":                                        float64(len(`{"event":"pusher:ping"}`)),
				"belfry_client_messages_total":                                              1,
				"belfry_http_api_received_bytes_total":                                      1000,
				"belfry_http_api_sent_bytes_total":                                          2,
				`belfry_http_api_request_duration_seconds_count{route="events"}`:            1,
				`belfry_http_api_request_duration_seconds_bucket{route="events",le="+Inf"}`: 1,
			} {
				if got := after[name] - before[name]; got < least || got > least+200 {
					t.Errorf("%s grew by %v, want %v or a little more", name, got, least)
				}
			}
			if got := after[`belfry_connections_opened_total{transport="websocket"}`]; got != 1 {
				t.Errorf("connections opened = %v, want 1", got)
			}
			for name := range after {
				if strings.HasPrefix(name, "belfry_app_") && name != "belfry_app_conflicts" && name != "belfry_app_unreadable_total" && !strings.HasPrefix(name, "belfry_app_changes") {
					t.Errorf("%s is exposed, though nobody asked for metrics of apps", name)
				}
				if strings.HasPrefix(name, "belfry_build_info{") && !strings.Contains(name, `version="1.2.3"`) {
					t.Errorf("%s does not name the version", name)
				}
			}
		})
	}
}

// TestMetricsOfApps: of three apps the two that are used most have series.
func TestMetricsOfApps(t *testing.T) {
	var list []*apps.App
	for _, id := range []string{"1", "quiet", "idle"} {
		a := testApp()
		a.ID = id
		if id != "1" {
			a.Keys = []apps.Key{{Key: id, Secret: "secret"}}
		}
		list = append(list, a)
	}
	n := start(t, Config{AdminListen: "127.0.0.1:0", AppMetrics: 1, Apps: list})
	c := n.connect()
	c.subscribe("news")
	for range 3 {
		n.trigger(http.DefaultClient, n.base().String(), "news", "hello")
		c.expect(event("news", "hello"))
	}
	for range 2 { // asking changes nothing
		got := n.scrape()
		for name, want := range map[string]float64{
			`belfry_app_connections{app="1"}`:                   1,
			`belfry_app_events_total{app="1",source="backend"}`: 3,
			`belfry_app_events_total{app="1",source="client"}`:  0,
			`belfry_app_deliveries_total{app="1"}`:              3,
			`belfry_app_http_api_requests_total{app="1"}`:       3,
		} {
			if v, ok := got[name]; !ok || v != want {
				t.Errorf("%s = %v (%t), want %v", name, v, ok, want)
			}
		}
		for name := range got {
			if strings.Contains(name, `app="quiet"`) || strings.Contains(name, `app="idle"`) {
				t.Errorf("%s is exposed for an app that is not among the first", name)
			}
		}
	}
}
