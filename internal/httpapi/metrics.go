package httpapi

import (
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics count what backends ask for.
type metrics struct {
	requests *prometheus.CounterVec
	ok       map[*route]prometheus.Counter // those of requests with status 200
	events   prometheus.Counter
}

// newMetrics registers the metrics with reg, if there is one.
func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "belfry_http_api_requests_total",
			Help: "Requests of backends that were answered, by call and status.",
		}, []string{"route", "code"}),
		ok: map[*route]prometheus.Counter{},
		events: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "belfry_http_api_events_total",
			Help: "Events that backends triggered, counted once for every channel.",
		}),
	}
	for _, rt := range []*route{
		routeEvents, routeBatch, routeChannels, routeChannel, routeUsers, routeTerminate, routeConnections, routeChannelStats, routeHistory,
	} {
		m.ok[rt] = m.requests.WithLabelValues(rt.label(), "200")
	}
	if reg != nil {
		reg.MustRegister(m.requests, m.events)
	}
	return m
}

// answered counts one request. The route is nil if there was none.
func (m *metrics) answered(rt *route, status int) {
	if status == http.StatusOK {
		m.ok[rt].Inc()
		return
	}
	m.requests.WithLabelValues(rt.label(), strconv.Itoa(status)).Inc()
}

// label is the name of the route in metrics and logs.
func (rt *route) label() string {
	if rt == nil {
		return "none"
	}
	return rt.name
}
