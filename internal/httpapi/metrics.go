package httpapi

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// buckets are the bounds of durations, in seconds. An event is triggered within
// tenths of a millisecond. What takes seconds waits: for a node that has too much
// to do, or for the engine.
var buckets = []float64{.00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, 1, 5}

// watched are the statuses that alerts are about. They are counted from 0 on, because
// a counter that comes with its first value has not grown.
var watched = []string{"401", "429", "503"}

// metrics count what backends ask for.
type metrics struct {
	requests  *prometheus.CounterVec
	durations *prometheus.HistogramVec
	routes    map[*route]routeMetrics // of those two; nil: what was asked of no route
	events    prometheus.Counter
	received  prometheus.Counter
	sent      prometheus.Counter
}

// routeMetrics are those of a route, found beforehand.
type routeMetrics struct {
	ok   prometheus.Counter // requests with status 200; nil if there is no route
	took prometheus.Observer
}

// newMetrics registers the metrics with reg, if there is one.
func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "belfry_http_api_requests_total",
			Help: "Requests of backends that were answered, by call and status.",
		}, []string{"route", "code"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "belfry_http_api_request_duration_seconds",
			Help:    "How long requests of backends took, by call: from their header to the end of the answer.",
			Buckets: buckets,
		}, []string{"route"}),
		routes: map[*route]routeMetrics{},
		events: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "belfry_http_api_events_total",
			Help: "Events that backends triggered, counted once for every channel.",
		}),
		received: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "belfry_http_api_received_bytes_total",
			Help: "Bytes of the bodies of backends' requests, without headers.",
		}),
		sent: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "belfry_http_api_sent_bytes_total",
			Help: "Bytes of the bodies of answers to backends, without headers.",
		}),
	}
	for _, rt := range []*route{
		nil, routeEvents, routeBatch, routeChannels, routeChannel, routeUsers, routeTerminate, routeConnections, routeChannelStats,
		routeChannelEvents, routeHistory,
	} {
		of := routeMetrics{took: m.durations.WithLabelValues(rt.label())}
		if rt != nil {
			of.ok = m.requests.WithLabelValues(rt.label(), "200")
			for _, code := range watched {
				m.requests.WithLabelValues(rt.label(), code)
			}
		}
		m.routes[rt] = of
	}
	if reg != nil {
		reg.MustRegister(m.requests, m.durations, m.events, m.received, m.sent)
	}
	return m
}

// answered counts one request and how long it took, and the bytes of its body and of
// the answer's. The route is nil if there was none.
func (m *metrics) answered(rt *route, status, received, sent int, took time.Duration) {
	of := m.routes[rt]
	of.took.Observe(took.Seconds())
	if received > 0 {
		m.received.Add(float64(received))
	}
	m.sent.Add(float64(sent))
	if status == http.StatusOK && rt != nil {
		of.ok.Inc()
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
