package delivery

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfryhq/belfry/internal/egress"

	"github.com/belfryhq/belfry/internal/webhook/queue"
)

// metrics count what happens to events and requests.
type metrics struct {
	delivered   prometheus.Counter
	attempts    *prometheus.CounterVec
	duration    prometheus.Histogram
	inflight    prometheus.Gauge
	deadLetters *prometheus.CounterVec
}

func newMetrics() *metrics {
	m := &metrics{
		delivered: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "belfry_webhook_delivered_total",
			Help: "Events that an endpoint has taken.",
		}),
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "belfry_webhook_attempts_total",
			Help: "Requests to endpoints, by result: ok, or why they have failed.",
		}, []string{"result"}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "belfry_webhook_attempt_seconds",
			Help:    "How long endpoints take to answer.",
			Buckets: []float64{.005, .025, .1, .25, .5, 1, 2.5, 5, 10},
		}),
		inflight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "belfry_webhook_attempts_under_way",
			Help: "Requests that wait for an answer.",
		}),
		deadLetters: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "belfry_webhook_dead_letters_total",
			Help: "Events that were not delivered in time and are kept to be replayed, by reason.",
		}, []string{"reason"}),
	}
	for _, reason := range []queue.Reason{queue.Exhausted, queue.Down, queue.Overflow, queue.Removed} {
		m.deadLetters.WithLabelValues(string(reason))
	}
	for _, c := range causes {
		m.attempts.WithLabelValues(label(c))
	}
	return m
}

func label(c egress.Cause) string {
	if c == causeNone {
		return "ok"
	}
	return string(c)
}

func (m *metrics) attempted(o outcome) {
	m.attempts.WithLabelValues(label(o.cause)).Inc()
	m.duration.Observe(o.took.Seconds())
}

// register makes them visible, with what is counted when it is asked for.
func (m *metrics) register(reg prometheus.Registerer, totals func() Totals) {
	if reg == nil {
		return
	}
	gauge := func(name, help string, value func(Totals) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return value(totals()) })
	}
	reg.MustRegister(m.delivered, m.attempts, m.duration, m.inflight, m.deadLetters,
		gauge("belfry_webhook_queued_bytes", "Bytes in the queue, about.",
			func(t Totals) float64 { return float64(t.QueuedBytes) }),
		gauge("belfry_webhook_queued_records", "Records in the queue that are in memory too.",
			func(t Totals) float64 { return float64(t.Records) }),
		gauge("belfry_webhook_endpoints_busy", "Endpoints for which there is something in the queue.",
			func(t Totals) float64 { return float64(t.Busy) }),
		gauge("belfry_webhook_endpoints_down", "Endpoints that do not answer and are tried with one request at a time.",
			func(t Totals) float64 { return float64(t.Down) }),
	)
}

// Totals are sums over all endpoints.
type Totals struct {
	QueuedBytes         int64 // about
	MemoryBytes         int64 // of them, in memory
	Records, Busy, Down int
}
