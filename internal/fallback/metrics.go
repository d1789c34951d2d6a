package fallback

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfryhq/belfry/internal/loop"
	"github.com/belfryhq/belfry/protocol"
)

// A transport is how a session's frames leave.
type transport string

const (
	transportStreaming transport = "xhr_streaming"
	transportPolling   transport = "xhr_polling"
	transportSockJS    transport = "sockjs"
)

// losses are what a session that ended without a close frame counts as.
var losses = map[loop.Loss]string{
	loop.PeerEnded: "aborted", // the client gave up its request
	loop.Broken:    "gap",
	loop.TimedOut:  "gap", // no request came back for more
	loop.Stopped:   "stopped",
}

// metrics are the sessions, and how they ended. No label value comes from a
// client.
type metrics struct {
	sessions *prometheus.GaugeVec
	closed   *prometheus.CounterVec
	lost     *prometheus.CounterVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		sessions: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "belfry_fallback_sessions", Help: "Sessions of the HTTP transports, by the transport that opened them.",
		}, []string{"transport"}),
		closed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "belfry_fallback_closed_total", Help: "Sessions that ended with a close frame, by its code.",
		}, []string{"transport", "code"}),
		lost: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "belfry_fallback_lost_total", Help: "Sessions that ended without a close frame, by reason.",
		}, []string{"transport", "reason"}),
	}
	if r != nil {
		r.MustRegister(m.sessions, m.closed, m.lost)
	}
	return m
}

func (m *metrics) open(t transport) { m.sessions.WithLabelValues(string(t)).Inc() }

func (m *metrics) end(t transport) { m.sessions.WithLabelValues(string(t)).Dec() }

func (m *metrics) close(t transport, code protocol.CloseCode) {
	m.closed.WithLabelValues(string(t), strconv.Itoa(int(code))).Inc()
}

func (m *metrics) lose(t transport, why loop.Loss) {
	m.lost.WithLabelValues(string(t), losses[why]).Inc()
}
