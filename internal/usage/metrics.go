package usage

import "github.com/prometheus/client_golang/prometheus"

// metrics are how the keeping of usage goes. They have nothing of the usage
// itself, which would be a series for every app.
type metrics struct {
	writes, failures, lost prometheus.Counter
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		writes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "belfry_usage_writes_total", Help: "Values of usage that were written to the engine.",
		}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "belfry_usage_write_failures_total", Help: "Times at which usage could not be written and was kept for the next.",
		}),
		lost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "belfry_usage_lost_total", Help: "Values of usage that were given up.",
		}),
	}
	if r != nil {
		r.MustRegister(m.writes, m.failures, m.lost)
	}
	return m
}
