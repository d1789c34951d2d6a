package mesh

import (
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfryhq/belfry/internal/cluster/broker"
	"github.com/belfryhq/belfry/internal/cluster/node"
)

func TestNumbersTellWhatIsLost(t *testing.T) {
	there := node.NewID()
	// One that can be sent again, and one before which nothing can.
	packet := func(epoch, number uint64) []byte { return batchOf(there, epoch, number, epoch*100+number) }
	last := func(epoch, number uint64) []byte { return batchFrom(there, number, epoch, number, epoch*100+number) }
	tests := map[string]struct {
		packets    [][]byte
		got        []uint64
		gaps, lost int // how often, and how many packets
		missed     uint64
	}{
		"none":                       {[][]byte{packet(1, 1), packet(1, 2)}, []uint64{101, 102}, 0, 0, 0},
		"the first":                  {[][]byte{last(1, 2), packet(1, 3)}, []uint64{102, 103}, 1, 1, 0},
		"the first comes again":      {[][]byte{packet(1, 2), packet(1, 1), packet(1, 2)}, []uint64{101, 102}, 0, 0, 1},
		"two in between":             {[][]byte{packet(1, 1), last(1, 4)}, []uint64{101, 104}, 1, 2, 0},
		"two in between come again":  {[][]byte{packet(1, 1), packet(1, 4), packet(1, 2), packet(1, 3), packet(1, 4)}, []uint64{101, 102, 103, 104}, 0, 0, 2},
		"twice":                      {[][]byte{packet(1, 1), last(1, 3), last(1, 5)}, []uint64{101, 103, 105}, 2, 2, 0},
		"a packet came twice":        {[][]byte{packet(1, 1), packet(1, 1), packet(1, 2)}, []uint64{101, 102}, 0, 0, 0},
		"a late one":                 {[][]byte{packet(1, 1), last(1, 3), packet(1, 2), packet(1, 4)}, []uint64{101, 103, 104}, 1, 1, 0},
		"we were given up":           {[][]byte{packet(1, 1), packet(2, 1), packet(2, 2)}, []uint64{101, 201, 202}, 1, 0, 0},
		"one of before that":         {[][]byte{packet(1, 1), packet(2, 1), packet(1, 2), packet(2, 2)}, []uint64{101, 201, 202}, 1, 0, 0},
		"we gave the peer up":        {[][]byte{last(3, 70), packet(3, 71)}, []uint64{370, 371}, 1, 69, 0},
		"both, and what it said":     {[][]byte{packet(1, 1), last(2, 3)}, []uint64{101, 203}, 1, 2, 0},
		"one that is sent never":     {[][]byte{packet(1, 1), packet(1, 3)}, []uint64{101}, 0, 0, 2},
		"one of which nothing comes": {[][]byte{pulseOf(there, 1, 1, 1)}, nil, 0, 0, 1},
		"a pulse that says it all":   {[][]byte{packet(1, 1), pulseOf(there, 2, 1, 1)}, []uint64{101}, 0, 0, 0},
		"a pulse of what is gone":    {[][]byte{packet(1, 1), pulseOf(there, 4, 1, 3)}, []uint64{101}, 1, 2, 0},
	}
	for name, test := range tests {
		m, w := newUnstarted(t, Config{})
		m.handleAll(beatOf(there))
		m.handleAll(test.packets...)
		p := m.Peers()[0]
		if !slices.Equal(w.got, test.got) || w.lost != test.gaps || int(p.Gaps) != test.gaps || int(p.LostPackets) != test.lost {
			t.Errorf("%s: got %v, %d calls of Lost, status %d gaps and %d packets; want %v, %d and %d", name, w.got, w.lost, p.Gaps, p.LostPackets, test.got, test.gaps, test.lost)
		}
		if got := m.links[there].in.missed; got != test.missed {
			t.Errorf("%s: asked for %d again, want %d", name, got, test.missed)
		}
	}
}

// pulseOf is a pulse after a batch of a peer that sends nothing again that is
// below base.
func pulseOf(from node.ID, base, epoch, number uint64) []byte {
	b := make([]byte, headerLen, pulseLen)
	(&header{epoch: epoch, number: number, base: base}).put(b, typePulse, from)
	return (&pulse{1, 0, 0}).append(b)
}

// TestUnknownPeersSayWhoTheyAreFirst: what comes before a beat is not
// understood, and asked for afterwards.
func TestUnknownPeersSayWhoTheyAreFirst(t *testing.T) {
	m, w := newUnstarted(t, Config{})
	there := node.NewID()
	first, second := batchOf(there, 1, 1, 1), batchOf(there, 1, 2, 2)
	m.handleAll(first, beatOf(there), second)
	if len(w.joined) != 1 || w.lost != 0 || len(w.got) != 0 {
		t.Errorf("joined %d, lost %d, got %v; want 1, 0 and nothing yet", len(w.joined), w.lost, w.got)
	}
	if got := m.links[there].in.missed; got != 1 {
		t.Errorf("asked for %d again, want 1", got)
	}
	m.handleAll(first, second)
	if w.lost != 0 || !slices.Equal(w.got, []uint64{1, 2}) {
		t.Errorf("lost %d, got %v; want none, and 1, 2", w.lost, w.got)
	}
}

// TestWhatWasGivenUpDoesNotComeTwice: a peer that has not noticed that it was
// given up sends again what was dispatched before.
func TestWhatWasGivenUpDoesNotComeTwice(t *testing.T) {
	m, w := newUnstarted(t, Config{})
	there := node.NewID()
	m.handleAll(beatOf(there), batchOf(there, 1, 1, 1), batchOf(there, 1, 2, 2))
	for range m.leaseTicks + m.graceTicks {
		m.age()
	}
	if len(w.left) != 1 {
		t.Fatal("the peer is not given up")
	}
	m.handleAll(beatOf(there), batchOf(there, 1, 1, 1), batchOf(there, 1, 2, 2), batchOf(there, 1, 3, 3))
	if w.lost != 1 || !slices.Equal(w.got, []uint64{1, 2, 3}) {
		t.Errorf("lost %d, got %v; want one loss, because all that it held was forgotten, and 1, 2, 3", w.lost, w.got)
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

// TestPacketsWithoutRoomComeAgain: a receiver that does not keep up drops
// packets, and does not take memory; what it has dropped it asks for.
func TestPacketsWithoutRoomComeAgain(t *testing.T) {
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
	if got := m.links[there].in.missed; w.lost != 0 || !slices.Equal(w.got, []uint64{1}) || got != 2 {
		t.Errorf("got %v, %d losses, and asked for %d; want 1, none, and 2", w.got, w.lost, got)
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
	l[0].Send(&broker.Message{Kind: broker.Resync})
	l[1].Send(&broker.Message{Kind: broker.Resync})
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
	want := 2 * float64(smallBatch+batchOverhead)
	if got["belfry_cluster_peers"] != 2 || got["belfry_cluster_pending_bytes"] != want {
		t.Errorf("gauges are %v, want 2 peers and %v bytes", got, want)
	}
	if _, err := New(Config{ID: node.NewID(), Name: "a", Registerer: reg}, new(nowhere)); err == nil {
		t.Error("a registry takes the metrics of two nodes")
	}
}

// TestNodesWithAnotherSettingAreNamedInTheLog: those that all must have alike.
func TestNodesWithAnotherSettingAreNamedInTheLog(t *testing.T) {
	var text strings.Builder
	m, _ := newUnstarted(t, Config{
		Info: map[string]string{"lease": "5s", "version": "1"}, Alike: []string{"lease"},
		Log: slog.New(slog.NewTextHandler(&text, nil)),
	})
	for name, lease := range map[string]string{"same": "5s", "other": "10s"} {
		m.handleAll(appendBeat(nil, &beat{id: node.NewID(), name: name, info: map[string]string{"lease": lease, "version": "2"}}))
	}
	want := "node=other setting=lease there=10s here=5s"
	if log := text.String(); !strings.Contains(log, want) || strings.Count(log, "level=ERROR") != 1 {
		t.Errorf("the log is\n%swant one error, with %q", log, want)
	}
}
