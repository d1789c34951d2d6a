package usage

import (
	"cmp"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// MaxTopApps is the most that Config.TopApps can be: of others nothing is remembered.
const MaxTopApps = recentApps

// totals are what an app used since it became one of the busiest.
type totals struct{ backend, client, deliveries, requests uint64 }

func (t *totals) add(s Sample) {
	t.backend += s.BackendEvents
	t.client += s.ClientEvents
	t.deliveries += s.Deliveries
	t.requests += s.Requests
}

// Descriptions of the metrics of apps. Ids come from operators, and never from clients.
var (
	appConnections = prometheus.NewDesc("belfry_app_connections",
		"Client connections of one of the apps that are used most.", []string{"app"}, nil)
	appEvents = prometheus.NewDesc("belfry_app_events_total",
		"Events of one of the apps that are used most, by who triggered them.", []string{"app", "source"}, nil)
	appDeliveries = prometheus.NewDesc("belfry_app_deliveries_total",
		"Deliveries of events of one of the apps that are used most, to one connection each.", []string{"app"}, nil)
	appRequests = prometheus.NewDesc("belfry_app_http_api_requests_total",
		"Requests of backends of one of the apps that are used most.", []string{"app"}, nil)
)

// topApps are the metrics of the apps that are used most: their number has a
// bound, however many apps there are. An app that is no more among them has no
// series until it is again, and begins at 0 if it was forgotten between.
type topApps struct{ *Recorder }

func (t topApps) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{appConnections, appEvents, appDeliveries, appRequests} {
		to <- d
	}
}

func (t topApps) Collect(to chan<- prometheus.Metric) {
	t.refresh()
	for _, a := range t.recent.top(t.cfg.TopApps) {
		connections, ok := t.cfg.App(a.id)
		if !ok {
			continue
		}
		counter := func(d *prometheus.Desc, n uint64, more ...string) {
			to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), append([]string{a.id}, more...)...)
		}
		to <- prometheus.MustNewConstMetric(appConnections, prometheus.GaugeValue, float64(connections), a.id)
		counter(appEvents, a.total.backend, "backend")
		counter(appEvents, a.total.client, "client")
		counter(appDeliveries, a.total.deliveries)
		counter(appRequests, a.total.requests)
	}
}

// A ranked app is one that is used, and how much.
type ranked struct {
	id    string
	busy  float64
	total totals
}

// top returns the busiest apps, at most n of them, the busiest first.
func (r *recent) top(n int) []ranked {
	r.mu.Lock()
	list := make([]ranked, 0, len(r.series))
	for id, s := range r.series {
		list = append(list, ranked{id, s.busy, s.total})
	}
	r.mu.Unlock()
	slices.SortFunc(list, func(a, b ranked) int { return cmp.Or(cmp.Compare(b.busy, a.busy), cmp.Compare(a.id, b.id)) })
	return list[:min(n, len(list))]
}

// refresh asks for what was used, unless somebody does already or the engine does
// not answer.
func (r *Recorder) refresh() {
	if r.mu.TryLock() {
		r.takeLocked()
		r.mu.Unlock()
	}
}
