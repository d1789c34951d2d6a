package devices

import "github.com/prometheus/client_golang/prometheus"

// metrics are what operators see of devices.
type metrics struct {
	registered *prometheus.CounterVec
	removed    *prometheus.CounterVec
	unreadable prometheus.Counter
}

func newMetrics(s *Store, registerer prometheus.Registerer) *metrics {
	m := &metrics{
		registered: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "belfry_push_registrations_total", Help: "Push devices that were registered on this node, or confirmed, by API and platform.",
		}, []string{"api", "platform"}),
		removed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "belfry_push_devices_removed_total", Help: "Push devices that were removed because their provider said so, by platform.",
		}, []string{"platform"}),
		unreadable: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "belfry_push_devices_unreadable_total", Help: "Entries of the store of push devices that could not be read.",
		}),
	}
	if registerer != nil {
		registerer.MustRegister(m.registered, m.removed, m.unreadable, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "belfry_push_devices", Help: "Push devices of all apps, as this node knows them.",
		}, func() float64 { return float64(s.total()) }), prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "belfry_push_devices_bytes", Help: "Bytes of all push devices in the engine.",
		}, func() float64 { return float64(s.totalBytes()) }))
	}
	return m
}

// each calls f for every index, with its lock held.
func (s *Store) each(f func(*index)) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, x := range s.apps {
		x.mu.RLock()
		f(x)
		x.mu.RUnlock()
	}
}

func (s *Store) total() (n int) {
	s.each(func(x *index) { n += len(x.byID) })
	return n
}

func (s *Store) totalBytes() (n int64) {
	s.each(func(x *index) { n += x.bytes })
	return n
}
