package mesh

import (
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfryhq/belfry/internal/broker"
	"github.com/belfryhq/belfry/internal/node"
)

func TestNumbersTellWhatIsLost(t *testing.T) {
	there := node.NewID()
	packet := func(epoch, number uint64) []byte { return batchOf(there, epoch, number, epoch*100+number) }
	tests := map[string]struct {
		packets    [][]byte
		got        []uint64
		gaps, lost int // how often, and how many packets
	}{
		"none":                   {[][]byte{packet(1, 1), packet(1, 2)}, []uint64{101, 102}, 0, 0},
		"the first":              {[][]byte{packet(1, 2), packet(1, 3)}, []uint64{102, 103}, 1, 1},
		"two in between":         {[][]byte{packet(1, 1), packet(1, 4)}, []uint64{101, 104}, 1, 2},
		"twice":                  {[][]byte{packet(1, 1), packet(1, 3), packet(1, 5)}, []uint64{101, 103, 105}, 2, 2},
		"a packet came twice":    {[][]byte{packet(1, 1), packet(1, 1), packet(1, 2)}, []uint64{101, 102}, 0, 0},
		"a late one":             {[][]byte{packet(1, 1), packet(1, 3), packet(1, 2), packet(1, 4)}, []uint64{101, 103, 104}, 1, 1},
		"we were given up":       {[][]byte{packet(1, 1), packet(2, 1), packet(2, 2)}, []uint64{101, 201, 202}, 1, 0},
		"one of before that":     {[][]byte{packet(1, 1), packet(2, 1), packet(1, 2), packet(2, 2)}, []uint64{101, 201, 202}, 1, 0},
		"we gave the peer up":    {[][]byte{packet(3, 70), packet(3, 71)}, []uint64{370, 371}, 1, 69},
		"both, and what it said": {[][]byte{packet(1, 1), packet(2, 3)}, []uint64{101, 203}, 1, 2},
	}
	for name, test := range tests {
		m, w := newUnstarted(t, Config{})
		m.handleAll(beatOf(there))
		m.handleAll(test.packets...)
		p := m.Peers()[0]
		if !slices.Equal(w.got, test.got) || w.lost != test.gaps || int(p.Gaps) != test.gaps || int(p.LostPackets) != test.lost {
			t.Errorf("%s: got %v, %d calls of Lost, status %d gaps and %d packets; want %v, %d and %d", name, w.got, w.lost, p.Gaps, p.LostPackets, test.got, test.gaps, test.lost)
		}
	}
}

// TestUnknownPeersSayWhoTheyAreFirst: what comes before a beat is not
// understood, and counts as lost afterwards.
func TestUnknownPeersSayWhoTheyAreFirst(t *testing.T) {
	m, w := newUnstarted(t, Config{})
	there := node.NewID()
	m.handleAll(batchOf(there, 1, 1, 1), beatOf(there), batchOf(there, 1, 2, 2))
	if len(w.joined) != 1 || w.lost != 1 || !slices.Equal(w.got, []uint64{2}) {
		t.Errorf("joined %d, lost %d, got %v; want 1, 1, [2]", len(w.joined), w.lost, w.got)
	}
}

func TestLeaversDoNotJoin(t *testing.T) {
	m, w := newUnstarted(t, Config{})
	b := beatOf(node.NewID())
	markLeaving(b, true)
	m.handleAll(b)
	if len(w.joined) != 0 {
		t.Error("a node joined with the words that it leaves")
	}
}

// TestPacketsWithoutRoomAreALoss: a receiver that does not keep up loses
// packets, not memory, and hears of it.
func TestPacketsWithoutRoomAreALoss(t *testing.T) {
	m, w := newUnstarted(t, Config{})
	there := node.NewID()
	m.Deliver(beatOf(there))
	m.Deliver(batchOf(there, 1, 1, 1))
	ballast := make([]byte, 1<<20) // the same one again and again
	number := uint64(2)
	for range 2 * maxInbox / len(ballast) {
		b := batchOf(there, 1, number, number)
		m.Deliver(append(ballast[:0], b...)[:len(ballast)])
		number++
	}
	over := valueOf(t, m.counts.overflows)
	if over < maxInbox/float64(len(ballast)) || over >= float64(number) {
		t.Fatalf("%v of %d packets were dropped, want about half", over, number)
	}
	packets, _ := m.inbox.take()
	for _, p := range packets[:2] {
		m.handleAll(p)
	}
	for _, p := range packets {
		m.inbox.done(p)
	}
	if m.inbox.bytes != 0 {
		t.Fatalf("an empty inbox has %d bytes", m.inbox.bytes)
	}
	m.Deliver(batchOf(there, 1, number, number))
	packets, _ = m.inbox.take()
	m.handleAll(packets...)
	if w.lost != 1 || !slices.Equal(w.got, []uint64{1, number}) {
		t.Errorf("got %v and %d losses, want 1, %d and one loss", w.got, w.lost, number)
	}
}

// TestSuspensionIsNoticed: when this process did not run, it was not the
// others that were silent.
func TestSuspensionIsNoticed(t *testing.T) {
	var told []time.Duration
	m, w := newUnstarted(t, Config{Suspended: func(d time.Duration) { told = append(told, d) }})
	m.handleAll(beatOf(node.NewID()))
	m.ticked(time.Now().Add(-m.interval))
	if len(told) > 0 {
		t.Fatalf("told of a suspension of %v after an ordinary tick", told)
	}
	m.ticked(time.Now().Add(-30 * time.Second))
	if len(told) != 1 || told[0] < 30*time.Second {
		t.Errorf("told of %v, want one suspension of 30s", told)
	}
	if _, ticked := m.inbox.take(); !ticked {
		t.Fatal("the dispatcher was not told that time has passed")
	}
	m.age()
	if len(w.left) > 0 || m.Peers()[0].Suspect {
		t.Error("a peer is suspect because this process did not run")
	}
}

func TestMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	m, _ := newUnstarted(t, Config{Registerer: reg})
	for range 2 { // incarnations of one name
		m.handleAll(beatOf(node.NewID()))
	}
	l := *m.list.Load()
	l[0].Send(&broker.Message{Kind: broker.Restate})
	l[1].Send(&broker.Message{Kind: broker.Restate})
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		if g := f.GetMetric()[0].GetGauge(); g != nil && len(f.GetMetric()) == 1 {
			got[f.GetName()] = g.GetValue()
		}
	}
	if got["belfry_cluster_peers"] != 2 || got["belfry_cluster_pending_bytes"] != 2*(lengthLen+2) {
		t.Errorf("gauges are %v, want 2 peers and %d bytes", got, 2*(lengthLen+2))
	}
	if _, err := New(Config{ID: node.NewID(), Name: "a", Registerer: reg}, new(nowhere)); err == nil {
		t.Error("a registry takes the metrics of two nodes")
	}
}
