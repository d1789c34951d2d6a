package ws

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfryhq/belfry/protocol"
)

// metrics are how connections ended. No label value comes from a client.
type metrics struct {
	closed *prometheus.CounterVec
	lost   *prometheus.CounterVec
}

// A loss is how a connection ended without a Close frame.
type loss string

const (
	lossEOF     loss = "eof"     // the peer ended TCP
	lossReset   loss = "reset"   // the network or the peer broke it
	lossStuck   loss = "stuck"   // the peer took nothing for too long
	lossStopped loss = "stopped" // the node stopped
)

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		closed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "belfry_websocket_closed_total", Help: "Connections closed with a Close frame, by the code we sent; 1000 when the client began.",
		}, []string{"code"}),
		lost: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "belfry_websocket_lost_total", Help: "Connections that ended without a Close frame, by reason.",
		}, []string{"reason"}),
	}
	if r != nil {
		r.MustRegister(m.closed, m.lost)
	}
	return m
}

func (m *metrics) close(code protocol.CloseCode) {
	m.closed.WithLabelValues(strconv.Itoa(int(code))).Inc()
}

func (m *metrics) lose(why loss) { m.lost.WithLabelValues(string(why)).Inc() }
