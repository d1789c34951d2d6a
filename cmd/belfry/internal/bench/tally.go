package bench

import "sync"

// A tally knows what was sent: how many numbers of every stream of every
// channel, and which of them the service did not accept.
type tally struct {
	streams int
	sent    []uint64 // by channel and stream; each touched by the one that sends it, read when all have ended

	mu      sync.Mutex
	refused map[int][]uint64 // numbers, by the same index; guarded by mu
}

func newTally(p *plan) *tally {
	return &tally{streams: p.streams, sent: make([]uint64, len(p.names)*p.streams), refused: make(map[int][]uint64)}
}

// next gives out the next number of a stream. Only the one sender of the
// stream may call it.
func (l *tally) next(channel, stream int) uint64 {
	i := channel*l.streams + stream
	l.sent[i]++
	return l.sent[i]
}

// refuse notes that the service did not say that it accepted a number.
func (l *tally) refuse(channel, stream int, number uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := channel*l.streams + stream
	l.refused[i] = append(l.refused[i], number)
}

// A balance is what a receiver got of what it should have got.
type balance struct {
	expected    uint64 // numbers that the service accepted
	lost        uint64 // of those expected, not received
	unconfirmed uint64 // received though not accepted
}

func (b *balance) add(other balance) {
	b.expected += other.expected
	b.lost += other.lost
	b.unconfirmed += other.unconfirmed
}

// settle compares what arrived with what was sent. All senders have ended.
func (l *tally) settle(channel, stream int, arrived *sequence) balance {
	i := channel*l.streams + stream
	refused := l.refused[i]
	b := balance{expected: l.sent[i] - uint64(len(refused))}
	for _, n := range refused {
		if arrived.has(n) {
			b.unconfirmed++
		}
	}
	if accepted := arrived.count() - b.unconfirmed; accepted < b.expected {
		b.lost = b.expected - accepted
	}
	return b
}
