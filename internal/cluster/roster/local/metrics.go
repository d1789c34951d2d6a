package local

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfryhq/belfry/internal/cluster/roster"
)

type metrics struct {
	decisions *prometheus.CounterVec
	debounced prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, waiting func() float64) *metrics {
	m := &metrics{
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "belfry_roster_decisions_total",
			Help: "Channels decided to be occupied or vacated, and members added or removed.",
		}, []string{"kind"}),
		debounced: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "belfry_roster_debounced_total",
			Help: "Channels and members that were gone for so short that it was no news.",
		}),
	}
	if reg != nil {
		reg.MustRegister(m.decisions, m.debounced, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "belfry_roster_pending",
			Help: "Channels that are empty, and members that are absent, for less than the grace.",
		}, waiting))
	}
	return m
}

func (m *metrics) decided(s roster.Subject, gone bool) {
	m.decisions.WithLabelValues(roster.Kind(s.Member, gone)).Inc()
}
