package mesh

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.uber.org/goleak"

	"github.com/belfryhq/belfry/internal/cluster/broker"
	"github.com/belfryhq/belfry/internal/cluster/node"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// nowhere is a wire that remembers what was sent, and a receiver that counts
// its calls.
type nowhere struct {
	sent   []sentPacket
	joined []broker.Link
	left   []broker.Link
	lost   int
	got    []uint64 // the Count of each message
}

type sentPacket struct {
	to     node.ID
	packet []byte
}

func (w *nowhere) Up() bool       { return true }
func (w *nowhere) MaxPacket() int { return 1 << 20 }
func (w *nowhere) Send(to node.ID, packet []byte) error {
	w.sent = append(w.sent, sentPacket{to, append([]byte{}, packet...)})
	return nil
}

func (w *nowhere) Joined(l broker.Link)                     { w.joined = append(w.joined, l) }
func (w *nowhere) Left(l broker.Link)                       { w.left = append(w.left, l) }
func (w *nowhere) Lost(broker.Link)                         { w.lost++ }
func (w *nowhere) Receive(_ broker.Link, m *broker.Message) { w.got = append(w.got, m.Count) }

// newUnstarted returns a mesh without goroutines, on which tests call what its
// goroutines would.
func newUnstarted(t testing.TB, cfg Config) (*Mesh, *nowhere) {
	t.Helper()
	w := new(nowhere)
	cfg.ID, cfg.Name = node.NewID(), "here"
	m, err := New(cfg, w)
	if err != nil {
		t.Fatal(err)
	}
	m.receiver = w
	return m, w
}

// handle gives packets to the dispatcher.
func (m *Mesh) handleAll(packets ...[]byte) {
	for _, p := range packets {
		m.handle(p, new(broker.Message))
	}
}

// batchOf is a packet with messages that have these numbers, of a peer that can
// send again everything that it has sent.
func batchOf(from node.ID, epoch, number uint64, counts ...uint64) []byte {
	return batchFrom(from, 1, epoch, number, counts...)
}

// batchFrom is one of a peer that sends nothing again that is below base.
func batchFrom(from node.ID, base, epoch, number uint64, counts ...uint64) []byte {
	b := make([]byte, headerLen)
	for _, n := range counts {
		at := len(b)
		m := broker.Message{Kind: broker.Subscribers, Count: n}
		b = m.Append(append(b, 0, 0, 0, 0))
		b[at+3] = byte(len(b) - at - lengthLen)
	}
	h := header{epoch: epoch, number: number, base: base}
	h.put(b, typeBatch, from)
	return b
}

// valueOf reads a counter.
func valueOf(t testing.TB, c prometheus.Counter) float64 {
	t.Helper()
	var m dto.Metric
	if err := c.Write(&m); err != nil {
		t.Fatal(err)
	}
	return m.GetCounter().GetValue()
}

func beatOf(id node.ID) []byte { return appendBeat(nil, &beat{id: id, name: "there"}) }
