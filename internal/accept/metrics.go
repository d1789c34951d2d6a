package accept

import "github.com/prometheus/client_golang/prometheus"

// A reason is why a pending connection was closed.
type reason int

const (
	tooMany reason = iota
	tooManyOfAddress
	tooMuchHeader
	noDescriptors
)

// reasons are the label values of metrics.
var reasons = [...]string{"limit", "address", "header", "descriptors"}

// Metrics are those of all sets of a process.
type Metrics struct {
	reg    prometheus.Registerer
	closed *prometheus.CounterVec
}

// NewMetrics registers them.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{reg, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "belfry_pending_connections_closed_total",
		Help: "Connections without a complete request that were closed to make room, by what there was too little of.",
	}, []string{"listeners", "reason"})}
	reg.MustRegister(m.closed)
	return m
}

// register returns the counters of a set.
func (m *Metrics) register(p *Pending) (closed [len(reasons)]prometheus.Counter) {
	if m == nil {
		m = NewMetrics(prometheus.NewRegistry())
	}
	for i, text := range reasons {
		closed[i] = m.closed.WithLabelValues(p.cfg.Name, text)
	}
	m.reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name:        "belfry_pending_connections",
		Help:        "Connections that have not sent a complete request, idle ones among them.",
		ConstLabels: prometheus.Labels{"listeners": p.cfg.Name},
	}, func() float64 { return float64(p.Len()) }))
	return closed
}
