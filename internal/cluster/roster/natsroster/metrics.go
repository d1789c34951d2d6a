package natsroster

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfryhq/belfry/internal/cluster/roster"
)

type metrics struct {
	decisions *prometheus.CounterVec
	append    prometheus.Histogram
	refused   prometheus.Counter
	rereads   prometheus.Counter
	snapshots prometheus.Counter

	all atomic.Uint64 // decisions of every kind
}

func newMetrics(reg prometheus.Registerer, r *Roster) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "belfry_roster_" + name, Help: help})
	}
	m := &metrics{
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "belfry_roster_decisions_total",
			Help: "Channels decided to be occupied or vacated, and members added or removed, that this node was to tell.",
		}, []string{"kind"}),
		append: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "belfry_roster_append_seconds",
			Help:    "How long the cluster's log takes to store a batch, with the times that it was tried again.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .1, .25, 1, 5, 30},
		}),
		refused:   counter("append_refusals_total", "Batches that the cluster's log did not take at once; they are tried again."),
		rereads:   counter("rereads_total", "How often reading the cluster's log was begun again."),
		snapshots: counter("snapshots_total", "Snapshots of the log that this node has stored, to cut it off behind them."),
	}
	if reg != nil {
		reg.MustRegister(m.decisions, m.append, m.refused, m.rereads, m.snapshots)
		r.register(reg)
	}
	return m
}

// register makes metrics of what is counted under the lock.
func (r *Roster) register(reg prometheus.Registerer) {
	look := func(of func(*participant) int) func() float64 {
		return func() float64 {
			r.mu.Lock()
			defer r.mu.Unlock()
			return float64(of(r.participant))
		}
	}
	counter := func(name, help string, of func(*participant) int) {
		reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "belfry_roster_" + name, Help: help}, look(of)))
	}
	gauge := func(name, help string, of func(*participant) int) {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "belfry_roster_" + name, Help: help}, look(of)))
	}
	counter("debounced_total", "Channels and members that were gone everywhere for so short that it was no news.", func(p *participant) int { return p.counts.debounced })
	counter("drops_total", "Nodes that have ended, and what they held was taken away.", func(p *participant) int { return p.counts.drops })
	counter("evictions_total", "How often the others have given this node up.", func(p *participant) int { return p.counts.evicted })
	counter("resyncs_total", "How often the log was lost and this node has written again what holds on it.", func(p *participant) int { return p.counts.resynced })
	counter("forgotten_total", "Decisions that were not told and would have been lost with their node, because there were too many.", func(p *participant) int { return p.counts.forgotten })
	counter("void_total", "Batches in the log that say nothing, because their node was given up, or that can not be read.", func(p *participant) int { return p.counts.voided })
	counter("unnoticed_total", "Channels and members that came and went while the log took nothing.", func(p *participant) int { return p.own.missed })
	gauge("log_position", "What was read of the log.", func(p *participant) int { return int(p.ledger.seq) })
	gauge("subjects", "Channels and members that the cluster takes for present.", func(p *participant) int { return len(p.ledger.subjects) })
	gauge("pending", "Of them, those that are gone for less than the grace.", func(p *participant) int { return len(p.ledger.pending) })
	gauge("unwritten", "Channels and members of this node with a change that the log does not have.", func(p *participant) int { return len(p.own.queued) })
	gauge("log_lag", "Batches in the log that this node has not read, when it last read one.", func(*participant) int { return int(r.more) })
}

func (m *metrics) decided(d roster.Decision) {
	m.all.Add(1)
	m.decisions.WithLabelValues(roster.Kind(d.Member, d.Gone)).Inc()
}
