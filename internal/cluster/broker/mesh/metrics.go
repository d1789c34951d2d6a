package mesh

import (
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfryhq/belfry/internal/cluster/node"
)

// A dropReason is why a message was not sent.
type dropReason string

const (
	dropFull     dropReason = "full"      // too much waits for the peer
	dropTooLarge dropReason = "too_large" // for a packet
	dropGone     dropReason = "gone"      // the peer, or this node, has left
)

// counts are the metrics that only grow.
type counts struct {
	sent, packetsSent, bytesSent prometheus.Counter
	resent                       prometheus.Counter
	received, packetsReceived    prometheus.Counter
	dropped                      *prometheus.CounterVec
	gaps, refused                prometheus.Counter
	overflows, suspensions       prometheus.Counter
}

func newCounts() *counts {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "belfry_cluster_" + name, Help: help})
	}
	c := &counts{
		sent:            counter("messages_sent_total", "Messages sent to other nodes; one for each node."),
		packetsSent:     counter("packets_sent_total", "Packets in which messages were sent to other nodes."),
		bytesSent:       counter("sent_bytes_total", "Bytes of packets sent to other nodes."),
		resent:          counter("packets_resent_total", "Packets that were sent to another node again, because it had not got them."),
		received:        counter("messages_received_total", "Messages of other nodes."),
		packetsReceived: counter("packets_received_total", "Packets in which messages of other nodes came."),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "belfry_cluster_messages_dropped_total",
			Help: "Messages to another node that were lost, by reason.",
		}, []string{"reason"}),
		gaps:        counter("gaps_total", "How often messages of another node were found to be lost, and what it holds was asked for again."),
		refused:     counter("refused_packets_total", "Packets that no node of this version sends."),
		overflows:   counter("overflows_total", "Packets of other nodes that were dropped because this one did not keep up."),
		suspensions: counter("suspensions_total", "How often this process did not run for longer than the lease."),
	}
	for _, r := range []dropReason{dropFull, dropTooLarge, dropGone} {
		c.dropped.WithLabelValues(string(r))
	}
	return c
}

func (c *counts) drop(why dropReason, messages int) {
	c.dropped.WithLabelValues(string(why)).Add(float64(messages))
}

// register makes the state of the mesh visible.
func (m *Mesh) register(reg prometheus.Registerer) error {
	if reg == nil {
		return nil
	}
	c := m.counts
	for _, metric := range []prometheus.Collector{
		c.sent, c.packetsSent, c.bytesSent, c.resent, c.received, c.packetsReceived, c.dropped,
		c.gaps, c.refused, c.overflows, c.suspensions, &gauges{m},
	} {
		if err := reg.Register(metric); err != nil {
			return fmt.Errorf("mesh: %w", err)
		}
	}
	return nil
}

// gauges are what is true of the peers at the moment. Their names are labels:
// there are few, and incarnations of one name count as one.
type gauges struct{ mesh *Mesh }

var (
	peersDesc     = prometheus.NewDesc("belfry_cluster_peers", "Other nodes that are there.", nil, nil)
	suspectsDesc  = prometheus.NewDesc("belfry_cluster_suspects", "Other nodes that are there but silent for longer than the lease.", nil, nil)
	pendingDesc   = prometheus.NewDesc("belfry_cluster_pending_bytes", "Bytes that another node has not taken yet.", []string{"peer"}, nil)
	roundTripDesc = prometheus.NewDesc("belfry_cluster_round_trip_seconds", "Time to another node and back, what waits there included.", []string{"peer"}, nil)
)

func (g *gauges) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{peersDesc, suspectsDesc, pendingDesc, roundTripDesc} {
		to <- d
	}
}

func (g *gauges) Collect(to chan<- prometheus.Metric) {
	suspects, peers := 0, g.mesh.Peers()
	pending, roundTrip := map[string]float64{}, map[string]float64{}
	for _, p := range peers {
		if p.Suspect {
			suspects++
		}
		pending[p.Name] += float64(p.PendingBytes)
		roundTrip[p.Name] = max(roundTrip[p.Name], p.RoundTrip.Seconds())
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(peersDesc, float64(len(peers)))
	gauge(suspectsDesc, float64(suspects))
	for name := range pending {
		gauge(pendingDesc, pending[name], name)
		gauge(roundTripDesc, roundTrip[name], name)
	}
}

// A PeerStatus is what is known of a peer, for operators.
type PeerStatus struct {
	ID   node.ID
	Name string
	Info map[string]string // not to be changed

	Since     time.Time     // when it joined
	LastHeard time.Duration // how long ago
	Suspect   bool          // silent for longer than the lease
	Leaving   bool

	PendingBytes    int64 // that it has not taken yet
	SentPackets     uint64
	ReceivedPackets uint64
	Gaps            uint64        // how often packets of the peer were lost
	LostPackets     uint64        // how many, as far as is known
	DroppedMessages uint64        // that could not be sent to it
	RoundTrip       time.Duration // there and back, what waits there included; zero: unknown
}

// Peers returns the state of those that are there, the oldest first.
func (m *Mesh) Peers() []PeerStatus {
	links := *m.list.Load()
	peers := make([]PeerStatus, 0, len(links))
	for _, l := range links {
		peers = append(peers, l.status())
	}
	return peers
}

func (l *link) status() PeerStatus {
	l.mu.Lock()
	defer l.mu.Unlock()
	return PeerStatus{
		ID: l.id, Name: l.name, Info: l.in.info, Since: l.since,
		LastHeard:       time.Since(l.in.heard),
		Suspect:         l.in.silent >= l.mesh.leaseTicks,
		Leaving:         l.in.leaving,
		PendingBytes:    int64(l.out.held),
		SentPackets:     l.out.packets,
		ReceivedPackets: l.in.packets,
		Gaps:            l.in.gaps,
		LostPackets:     l.in.lost,
		DroppedMessages: l.out.lost,
		RoundTrip:       l.in.roundTrip,
	}
}

// complaints are what is said in the log at most once a minute each.
type complaints struct {
	dropped, wire, lost, refused, overflow, crowd complaint
}

type complaint struct {
	mu      sync.Mutex
	next    time.Time
	skipped int
}

const complainEvery = time.Minute

// complain logs a warning, unless it did so a short while ago.
func (m *Mesh) complain(c *complaint, text string, args ...any) {
	now := time.Now()
	c.mu.Lock()
	if now.Before(c.next) {
		c.skipped++
		c.mu.Unlock()
		return
	}
	skipped := c.skipped
	c.next, c.skipped = now.Add(complainEvery), 0
	c.mu.Unlock()
	m.log.Warn(text, append(args, "before", skipped)...)
}
