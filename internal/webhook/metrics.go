package webhook

import (
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

// metrics count what happens to events until the queue has them.
type metrics struct {
	events   *prometheus.CounterVec
	created  map[apps.WebhookEvents]prometheus.Counter // of events, by type
	queued   prometheus.Counter
	refused  prometheus.Counter
	held     prometheus.Gauge
	appsHeld prometheus.Gauge
	losses   *prometheus.CounterVec
	replayed prometheus.Counter
}

func newMetrics() *metrics {
	m := &metrics{
		created: make(map[apps.WebhookEvents]prometheus.Counter),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "belfry_webhook_events_total",
			Help: "Events for endpoints, counted once for each endpoint.",
		}, []string{"event"}),
		queued: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "belfry_webhook_queued_total",
			Help: "Events that the engine has taken; no crash loses them.",
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
		losses: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "belfry_webhook_lost_total",
			Help: "Events that are neither delivered nor kept, by reason.",
		}, []string{"reason"}),
		replayed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "belfry_webhook_replayed_total",
			Help: "Events that were given up and queued again by an operator.",
		}),
	}
	for _, name := range apps.EveryEvent.Names() {
		m.created[apps.WebhookEvent(name)] = m.events.WithLabelValues(name)
	}
	for _, reason := range []loss{lostTooLarge, lostAtStop, lostUnreadable} {
		m.losses.WithLabelValues(string(reason))
	}
	return m
}

func (m *metrics) lost(why loss, events int) {
	m.losses.WithLabelValues(string(why)).Add(float64(events))
}

// register makes them visible, with what is counted when it is asked for.
func (m *metrics) register(reg prometheus.Registerer, pending, oldest func() float64) {
	if reg == nil {
		return
	}
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
	}
	reg.MustRegister(m.events, m.queued, m.refused, m.held, m.appsHeld, m.losses, m.replayed,
		gauge("belfry_webhook_unqueued_events", "Events that the engine has not taken yet; a crash would lose them.", pending),
		gauge("belfry_webhook_oldest_seconds", "Age of the oldest event that is neither delivered nor given up, wherever it waits.", oldest))
}
