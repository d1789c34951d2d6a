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
	reg.MustRegister(&lostStreams{e})
	if e.Clustered() {
		e.registerCluster(reg)
	}
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

// registerCluster makes visible what this node knows of the members.
func (e *Engine) registerCluster(reg prometheus.Registerer) {
	gauge := func(name, help string, value func() int) {
		reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, func() float64 { return float64(value()) }))
	}
	gauge("belfry_engine_members", "Nodes of which more than half have to be there, with this one.", e.members)
	gauge("belfry_engine_members_online", "Those of them that this node can hear, with this one.", e.online)
	gauge("belfry_engine_quorum", "1 while the members have a leader, 0 while nothing can be decided.", func() int {
		if e.alone.Load() {
			return 0
		}
		return 1
	})
}

// lostStreams are how often each stream was lost. Their names are our own.
type lostStreams struct{ engine *Engine }

var lostStreamsDesc = prometheus.NewDesc("belfry_engine_streams_lost_total",
	"How often a stream of the engine was found to be gone with everything in it.", []string{"stream"}, nil)

func (l *lostStreams) Describe(to chan<- *prometheus.Desc) { to <- lostStreamsDesc }

func (l *lostStreams) Collect(to chan<- prometheus.Metric) {
	l.engine.mu.Lock()
	defer l.engine.mu.Unlock()
	for name, k := range l.engine.kept {
		to <- prometheus.MustNewConstMetric(lostStreamsDesc, prometheus.CounterValue, float64(k.times), name)
	}
}
