package mesh

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfryhq/belfry/internal/cluster/broker"
	"github.com/belfryhq/belfry/internal/cluster/node"
)

// deafWire carries nothing.
type deafWire struct{ Wire }

func (deafWire) MaxPacket() int { return 1 << 20 }

// A node of another version is refused with one line in the log, however often it is
// heard, and is named while it is there.
func TestNodeOfAnotherVersionIsNamedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		m, err := New(Config{ID: node.NewID(), Name: "here", Log: slog.New(slog.NewTextHandler(&log, nil))}, deafWire{})
		if err != nil {
			t.Fatal(err)
		}
		other := Foreign{ID: node.NewID(), Version: version + 1}
		packet := appendBeat(nil, &beat{id: other.ID, name: "there"})
		packet[1]++
		var message broker.Message
		for range 100 {
			m.handle(packet, &message)
			time.Sleep(100 * time.Millisecond)
		}
		if got := strings.Count(log.String(), "\n"); got != 1 || !strings.Contains(log.String(), string(other.ID)) {
			t.Errorf("the log has %d lines, want one that names the node:\n%s", got, &log)
		}
		if got := m.Foreign(); len(got) != 1 || got[0] != other {
			t.Errorf("nodes of other versions are %v, want %v", got, other)
		}
		if len(m.links) != 0 {
			t.Error("it was heard")
		}
		time.Sleep(DefaultLease + DefaultGrace + time.Second)
		if got := m.Foreign(); len(got) != 0 {
			t.Errorf("nodes of other versions are %v, and none has been heard for long", got)
		}
		for range 1000 {
			packet = appendBeat(nil, &beat{id: node.NewID(), name: "there"})
			packet[1] = 77
			m.handle(packet, &message)
		}
		if got := len(m.Foreign()); got != maxForeign {
			t.Errorf("%d nodes of other versions are kept, want %d", got, maxForeign)
		}
	})
}
