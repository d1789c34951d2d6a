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
	shaken *prometheus.CounterVec
}

// A shake is a kind of TLS handshake.
type shake int

const (
	full    shake = iota
	resumed       // with a ticket of an earlier one
)

// shakes are the label values of metrics.
var shakes = [...]string{"full", "resumed"}

// NewMetrics registers them.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{reg: reg, closed: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "belfry_pending_connections_closed_total",
		Help: "Connections without a complete request that were closed to make room, by what there was too little of.",
	}, []string{"listeners", "reason"}), shaken: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "belfry_tls_handshakes_total",
		Help: "TLS handshakes, full ones and resumed ones, which cost less.",
	}, []string{"listeners", "kind"})}
	reg.MustRegister(m.closed, m.shaken)
	return m
}

// register returns the counters of a set.
func (m *Metrics) register(p *Pending) (closed [len(reasons)]prometheus.Counter, shaken [len(shakes)]prometheus.Counter) {
	if m == nil {
		m = NewMetrics(prometheus.NewRegistry())
	}
	for i, text := range reasons {
		closed[i] = m.closed.WithLabelValues(p.cfg.Name, text)
	}
	for i, text := range shakes {
		shaken[i] = m.shaken.WithLabelValues(p.cfg.Name, text)
	}
	m.reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name:        "belfry_pending_connections",
		Help:        "Connections that have not sent a complete request, idle ones among them.",
		ConstLabels: prometheus.Labels{"listeners": p.cfg.Name},
	}, func() float64 { return float64(p.Len()) }))
	return closed, shaken
}
