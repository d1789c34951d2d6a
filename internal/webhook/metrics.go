package webhook

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfryhq/belfry/internal/apps"
)

// A loss is why an event will never be delivered nor found again.
type loss string

const (
	lostTooLarge   loss = "too_large"  // for the queue
	lostAtStop     loss = "at_stop"    // the engine did not take it before the end
	lostUnreadable loss = "unreadable" // the engine returned something else than was stored
)

// metrics count what happens to events.
type metrics struct {
	events    *prometheus.CounterVec
	created   map[string]prometheus.Counter // by name
	queued    prometheus.Counter
	takeovers prometheus.Counter
	unwanted  prometheus.Counter
	refused   prometheus.Counter
	held      prometheus.Gauge
	appsHeld  prometheus.Gauge
	delivered prometheus.Counter
	attempts  *prometheus.CounterVec
	duration  prometheus.Histogram
	inflight  prometheus.Gauge
	burials   *prometheus.CounterVec
	losses    *prometheus.CounterVec
	replayed  prometheus.Counter
}

func newMetrics() *metrics {
	m := &metrics{
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "belfry_webhook_events_total",
			Help: "Events for endpoints, counted once for each endpoint.",
		}, []string{"event"}),
		queued: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "belfry_webhook_queued_total",
			Help: "Events that the engine has taken; no crash loses them.",
		}),
		takeovers: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "belfry_webhook_takeovers_total",
			Help: "Queues of other nodes that this one has taken over.",
		}),
		unwanted: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "belfry_webhook_unwanted_decisions_total",
			Help: "Decisions that no endpoint wanted in time: it was removed, or this node did not know it.",
		}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "belfry_webhook_queue_refusals_total",
			Help: "Records that the engine did not take at once; they are tried again.",
		}),
		held: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "belfry_webhook_held",
			Help: "1 while the node takes no new work because the engine does not take events.",
		}),
		appsHeld: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "belfry_webhook_apps_held",
			Help: "Apps whose clients are not read because too many of their events wait for the engine.",
		}),
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
		burials: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "belfry_webhook_given_up_total",
			Help: "Events that were not delivered in time and are kept to be replayed, by reason.",
		}, []string{"reason"}),
		losses: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "belfry_webhook_lost_total",
			Help: "Events that are neither delivered nor kept, by reason.",
		}, []string{"reason"}),
		replayed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "belfry_webhook_replayed_total",
			Help: "Events that were given up and queued again by an operator.",
		}),
	}
	m.created = make(map[string]prometheus.Counter)
	for _, name := range apps.EveryEvent.Names() {
		m.created[name] = m.events.WithLabelValues(name)
	}
	for _, reason := range []buryReason{buryExhausted, buryDown, buryOverflow, buryRemoved} {
		m.burials.WithLabelValues(string(reason))
	}
	for _, reason := range []loss{lostTooLarge, lostAtStop, lostUnreadable} {
		m.losses.WithLabelValues(string(reason))
	}
	for _, c := range []cause{causeNone, causeStatus, causeRedirect, causeTimeout, causeForbidden, causeDNS, causeTLS, causeRefused, causeConnection} {
		m.attempts.WithLabelValues(c.label())
	}
	return m
}

func (c cause) label() string {
	if c == causeNone {
		return "ok"
	}
	return string(c)
}

func (m *metrics) lost(why loss, events int) {
	m.losses.WithLabelValues(string(why)).Add(float64(events))
}

func (m *metrics) buried(why buryReason, events int) {
	m.burials.WithLabelValues(string(why)).Add(float64(events))
}

func (m *metrics) attempted(o outcome) {
	m.attempts.WithLabelValues(o.cause.label()).Inc()
	m.duration.Observe(o.took.Seconds())
}

// register makes them visible, with what is counted when it is asked for.
func (m *metrics) register(reg prometheus.Registerer, s *Sender) {
	if reg == nil {
		return
	}
	gauge := func(name, help string, value func(totals) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return value(s.totals()) })
	}
	reg.MustRegister(m.events, m.queued, m.takeovers, m.unwanted, m.refused, m.held, m.appsHeld, m.delivered, m.attempts, m.duration, m.inflight, m.burials, m.losses, m.replayed,
		gauge("belfry_webhook_unqueued_events", "Events that the engine has not taken yet; a crash would lose them.",
			func(t totals) float64 { return float64(t.pending) }),
		gauge("belfry_webhook_untold_decisions", "Decisions about channels and members that are this node's to tell and that the engine does not have.",
			func(t totals) float64 { return float64(t.untold) }),
		gauge("belfry_webhook_queued_bytes", "Bytes in the queue, about.",
			func(t totals) float64 { return float64(t.queued) }),
		gauge("belfry_webhook_queued_records", "Records in the queue that are in memory too.",
			func(t totals) float64 { return float64(t.records) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "belfry_webhook_oldest_seconds",
			Help: "Age of the oldest event that is neither delivered nor given up, wherever it waits.",
		}, func() float64 { return s.oldest().Seconds() }),
		gauge("belfry_webhook_endpoints_busy", "Endpoints for which there is something in the queue.",
			func(t totals) float64 { return float64(t.busy) }),
		gauge("belfry_webhook_endpoints_down", "Endpoints that do not answer and are tried with one request at a time.",
			func(t totals) float64 { return float64(t.down) }),
	)
}

// totals are sums over all endpoints.
type totals struct {
	pending, untold, records, busy, down int
	queued                               int64
}

func (s *Sender) totals() totals {
	var t totals
	t.pending, t.untold = s.recorder.pending(), s.ledger.untold()
	for _, e := range s.endpoints.list() {
		e.mu.Lock()
		t.queued += e.queued
		for _, from := range e.sources {
			t.records += len(from.outstanding)
		}
		if e.running {
			t.busy++
		}
		if e.health.open() {
			t.down++
		}
		e.mu.Unlock()
	}
	return t
}

// oldest is the age of the oldest event that is neither delivered nor given up,
// wherever it waits.
func (s *Sender) oldest() time.Duration {
	var o oldest
	s.limbo.seeOldest(&o)
	s.recorder.seeOldest(&o, nil)
	for _, e := range s.endpoints.list() {
		e.seeOldest(&o)
	}
	return o.age(time.Now())
}

// pending is how many events the queue has not acknowledged.
func (r *recorder) pending() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.events
}
