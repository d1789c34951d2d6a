package mesh

import (
	"sync"

	"github.com/belfryhq/belfry/internal/wakeup"
)

// An inbox holds packets between whoever received them and the dispatcher.
type inbox struct {
	bell wakeup.Signal

	mu      sync.Mutex
	packets [][]byte
	spare   [][]byte // empty; used when the dispatcher takes packets
	bytes   int      // in packets, and in those that are being dispatched
	ticked  bool
}

func (i *inbox) init() { i.bell = wakeup.New() }

// tick tells the dispatcher that time has passed. What it was told before and
// had no time to notice is the same tick: what comes late is not silence.
func (i *inbox) tick() {
	i.mu.Lock()
	i.ticked = true
	i.mu.Unlock()
	i.bell.Set()
}

// put appends a packet, and reports whether there was room.
func (i *inbox) put(packet []byte) bool {
	i.mu.Lock()
	if i.bytes+len(packet) > maxInbox {
		i.mu.Unlock()
		return false
	}
	first := len(i.packets) == 0
	i.packets = append(i.packets, packet)
	i.bytes += len(packet)
	i.mu.Unlock()
	if first {
		i.bell.Set()
	}
	return true
}

// take returns all packets, and whether time has passed since.
func (i *inbox) take() (packets [][]byte, ticked bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	packets, ticked = i.packets, i.ticked
	i.packets, i.spare, i.ticked = i.spare, nil, false
	return packets, ticked
}

// done says that a packet was dispatched.
func (i *inbox) done(packet []byte) {
	i.mu.Lock()
	i.bytes -= len(packet)
	i.mu.Unlock()
}

// reuse gives a slice back that take returned.
func (i *inbox) reuse(packets [][]byte) {
	if cap(packets) > 4096 {
		return
	}
	clear(packets)
	i.mu.Lock()
	i.spare = packets[:0]
	i.mu.Unlock()
}
