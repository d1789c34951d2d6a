package durable

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	written, missed, failures, reads prometheus.Counter
}

func newMetrics(s *Store, r prometheus.Registerer) *metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "belfry_history_durable_" + name, Help: help})
	}
	m := &metrics{
		written:  counter("written_bytes_total", "Bytes of durable histories that the engine has taken."),
		missed:   counter("missed_events_total", "Events of durable histories that the engine was not given, because too many waited for it."),
		failures: counter("write_failures_total", "Writes of durable histories that the engine has not taken, and that were tried again."),
		reads:    counter("reads_total", "How often the engine was asked for what nodes had published that are gone."),
	}
	if r != nil {
		r.MustRegister(m.written, m.missed, m.failures, m.reads, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "belfry_history_durable_waiting_bytes", Help: "Bytes of durable histories that wait to be written.",
		}, func() float64 {
			s.mu.Lock()
			defer s.mu.Unlock()
			return float64(s.waiting)
		}))
	}
	return m
}
