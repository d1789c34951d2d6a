package hub

import (
	"cmp"
	"strconv"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfryhq/belfry/internal/cluster/peers"
	"github.com/belfryhq/belfry/internal/history"
	"github.com/belfryhq/belfry/protocol"
)

// metrics are what the hub counts. No label value comes from a client.
type metrics struct {
	connections          prometheus.Gauge
	opened               *prometheus.CounterVec
	messages             prometheus.Counter
	subscriptionRefusals *prometheus.CounterVec
	subscriptions        prometheus.Gauge
	backendEvents        prometheus.Counter
	clientEvents         prometheus.Counter
	clientEventsRefused  prometheus.Counter
	deliveries           prometheus.Counter
	complaints           prometheus.Counter
	refused              *prometheus.CounterVec
	peerEventsDropped    prometheus.CounterFunc
	resumes              *prometheus.CounterVec
	replayed             prometheus.Counter
	evicted              prometheus.Counter

	// What operators are also told in the status of the cluster.
	dropped atomic.Uint64
}

// PeerCounts are about the peers, since the start of the node.
type PeerCounts struct {
	Resyncs       uint64 // how often a peer has finished a resync
	EventsDropped uint64 // events of peers that were not delivered
}

// PeerCounts returns what was counted up to now.
func (h *Hub) PeerCounts() PeerCounts {
	return PeerCounts{Resyncs: h.peers.Resyncs.Load(), EventsDropped: h.metrics.dropped.Load()}
}

func newMetrics(r prometheus.Registerer) *metrics {
	events := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "belfry_events_total", Help: "Events accepted for delivery, by who triggered them.",
	}, []string{"source"})
	m := &metrics{
		connections: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "belfry_connections", Help: "Established client connections.",
		}),
		opened: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "belfry_connections_opened_total", Help: "Client connections that were established, by transport.",
		}, []string{"transport"}),
		messages: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "belfry_client_messages_total", Help: "Messages that clients have sent, whatever became of them. WebSocket pings are none.",
		}),
		subscriptionRefusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "belfry_subscriptions_refused_total", Help: "Subscriptions that clients asked for and were refused, by reason.",
		}, []string{"reason"}),
		subscriptions: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "belfry_subscriptions", Help: "Subscriptions of all connections to all channels.",
		}),
		backendEvents: events.WithLabelValues("backend"),
		clientEvents:  events.WithLabelValues("client"),
		clientEventsRefused: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "belfry_client_events_refused_total", Help: "Client events that were answered with an error.",
		}),
		deliveries: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "belfry_deliveries_total", Help: "Frames handed to connections for channels and users.",
		}),
		complaints: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "belfry_client_errors_total", Help: "Client messages that were answered with an error that closes nothing.",
		}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "belfry_connections_refused_total", Help: "Connections refused, by close code.",
		}, []string{"code"}),
	}
	m.resumes = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "belfry_history_resumes_total", Help: "Subscriptions that asked for missed events, by verdict: recovered, or why not.",
	}, []string{"verdict"})
	m.replayed = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "belfry_history_replayed_events_total", Help: "Events that were sent again to subscribers who asked for them.",
	})
	m.evicted = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "belfry_history_evicted_events_total", Help: "Kept events that made room for newer ones before they had expired.",
	})
	m.peerEventsDropped = prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "belfry_cluster_events_dropped_total", Help: "Events of peers that were not delivered because this node had too much to do.",
	}, func() float64 { return float64(m.dropped.Load()) })
	for _, code := range []protocol.CloseCode{protocol.CloseOverQuota, protocol.CloseOverCapacity} { // alerts are about them
		m.refused.WithLabelValues(strconv.Itoa(int(code)))
	}
	if r != nil {
		r.MustRegister(m.peerEventsDropped, m.connections, m.opened, m.messages, m.subscriptionRefusals, m.subscriptions, events, m.clientEventsRefused, m.deliveries, m.complaints, m.refused, m.resumes, m.replayed, m.evicted)
	}
	return m
}

// registerPeers registers what is counted of the peers.
func registerPeers(r prometheus.Registerer, others *peers.Others) {
	if r == nil {
		return
	}
	r.MustRegister(
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "belfry_cluster_resyncs_total", Help: "How often a peer has said everything that it holds: when it joined, and after messages of it were lost.",
		}, func() float64 { return float64(others.Resyncs.Load()) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "belfry_cluster_peers_refused_total", Help: "Peers that were ignored because there are too many.",
		}, func() float64 { return float64(others.Refused.Load()) }),
	)
}

func (m *metrics) refuse(code protocol.CloseCode) {
	m.refused.WithLabelValues(strconv.Itoa(int(code))).Inc()
}

// A subscriptionRefusal is why a subscription was refused, as metrics say it.
type subscriptionRefusal string

const (
	refusedUnauthorized subscriptionRefusal = "unauthorized" // no token, or a wrong one
	refusedName         subscriptionRefusal = "name"         // no channel can have it
	refusedLimit        subscriptionRefusal = "limit"        // of the app's limits
	refusedExisting     subscriptionRefusal = "existing"     // there is one already
	refusedMalformed    subscriptionRefusal = "malformed"    // it names no channel
)

func (m *metrics) refuseSubscription(why subscriptionRefusal) {
	m.subscriptionRefusals.WithLabelValues(string(why)).Inc()
}

// reason is that of a refusal that listeners of the channel are told.
func (r *refusal) reason() subscriptionRefusal {
	switch r.listener {
	case protocol.SubscriptionUnauthorized:
		return refusedUnauthorized
	case protocol.SubscriptionInvalidChannel, protocol.SubscriptionNameTooLong:
		return refusedName
	}
	return refusedLimit
}

// open counts a connection. No transport means that whoever connected named none.
func (m *metrics) open(transport string) {
	m.connections.Inc()
	m.opened.WithLabelValues(cmp.Or(transport, "unknown")).Inc()
}

// resume counts a verdict, and the events before it.
func (m *metrics) resume(reason history.Reason, replayed int) {
	verdict := string(reason)
	if reason == history.Complete {
		verdict = "recovered"
	}
	m.resumes.WithLabelValues(verdict).Inc()
	m.replayed.Add(float64(replayed))
}

// resumed counts the end of a resumption.
func (m *metrics) resumed(r *history.Replay, reason history.Reason) {
	if !r.Asked() {
		m.replayed.Add(float64(r.Sent())) // nothing was missed
		return
	}
	m.resume(reason, r.Sent())
}
