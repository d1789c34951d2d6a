package ws

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfryhq/belfry/internal/loop"
	"github.com/belfryhq/belfry/protocol"
)

// metrics are how connections ended. No label value comes from a client.
type metrics struct {
	closed *prometheus.CounterVec
	lost   *prometheus.CounterVec
}

// losses are what a connection that ended without a Close frame counts as.
var losses = map[loop.Loss]string{
	loop.PeerEnded: "eof",
	loop.Broken:    "reset",
	loop.TimedOut:  "stuck", // the peer took nothing for too long
	loop.Stopped:   "stopped",
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		closed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "belfry_websocket_closed_total", Help: "Connections closed with a Close frame, by the code we sent; 1000 when the client began.",
		}, []string{"code"}),
		lost: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "belfry_websocket_lost_total", Help: "Connections that ended without a Close frame, by reason.",
		}, []string{"reason"}),
	}
	m.closed.WithLabelValues(strconv.Itoa(int(protocol.CloseOverCapacity))) // an alert is about it
	if r != nil {
		r.MustRegister(m.closed, m.lost)
	}
	return m
}

func (m *metrics) close(code protocol.CloseCode) {
	m.closed.WithLabelValues(strconv.Itoa(int(code))).Inc()
}

func (m *metrics) lose(why loop.Loss) { m.lost.WithLabelValues(losses[why]).Inc() }
