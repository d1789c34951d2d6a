package engine

import "github.com/prometheus/client_golang/prometheus"

// register makes the state of the engine visible.
func (e *Engine) register(reg prometheus.Registerer) {
	if reg == nil {
		return
	}
	reg.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "belfry_engine_up",
			Help: "1 while the engine can be used, 0 while it can not be reached or its disk is full.",
		}, func() float64 {
			if e.Err() != nil {
				return 0
			}
			return 1
		}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "belfry_engine_disk_full",
			Help: "1 while less than the reserve is free where the engine keeps its data.",
		}, func() float64 {
			if e.full.Load() {
				return 1
			}
			return 0
		}),
	)
	if e.onDisk() {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "belfry_engine_disk_free_bytes",
			Help: "Bytes that are free where the engine keeps its data.",
		}, func() float64 {
			free, err := freeSpace(e.dir())
			if err != nil {
				return -1
			}
			return float64(free)
		}))
	}
}
