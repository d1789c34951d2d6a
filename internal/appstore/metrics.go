package appstore

import "github.com/prometheus/client_golang/prometheus"

// metrics are how many apps there are, and what went wrong with them.
type metrics struct {
	changes    prometheus.Counter
	unreadable prometheus.Counter
}

func newMetrics(s *Store, r prometheus.Registerer) *metrics {
	m := &metrics{
		changes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "belfry_app_changes_total", Help: "Apps made at run time that came, changed or went while the node was running.",
		}),
		unreadable: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "belfry_app_unreadable_total", Help: "Apps in the store that could not be read when they changed.",
		}),
	}
	if r == nil {
		return m
	}
	count := func(source string, n func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "belfry_apps", Help: "Apps, by where they stand.", ConstLabels: prometheus.Labels{"source": source},
		}, n)
	}
	r.MustRegister(m.changes, m.unreadable,
		count("configuration", func() float64 { n, _ := s.Len(); return float64(n) }),
		count("store", func() float64 { _, n := s.Len(); return float64(n) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "belfry_app_conflicts", Help: "Ids and keys that an app made at run time does not have because another app has them.",
		}, s.countConflicts),
	)
	return m
}

func (s *Store) countConflicts() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return float64(len(s.conflicts))
}
