package bench

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// A gate keeps a closed load from running away from its receivers: publishers
// wait at it while more than limit deliveries are on their way.
type gate struct {
	limit    int64
	patience time.Duration

	expected atomic.Int64 // deliveries of what was published
	arrived  atomic.Int64
	forgiven atomic.Int64 // given up: see wait
	waiting  atomic.Int32
	mu       sync.Mutex
	opened   chan struct{} // closed and replaced when publishers may look again; guarded by mu
}

// patience is how long nothing may arrive before the gate gives up what is on
// its way.
const patience = 500 * time.Millisecond

func newGate(limit int64) *gate {
	return &gate{limit: limit, patience: patience, opened: make(chan struct{})}
}

// pending is how many deliveries are on their way.
func (g *gate) pending() int64 {
	return g.expected.Load() - g.forgiven.Load() - g.arrived.Load()
}

// arrive notes n deliveries and lets publishers go on.
func (g *gate) arrive(n int64) {
	g.arrived.Add(n)
	if g.waiting.Load() == 0 || g.pending() > g.limit {
		return
	}
	g.mu.Lock()
	close(g.opened)
	g.opened = make(chan struct{})
	g.mu.Unlock()
}

// wait returns when the gate is open, and reports whether ctx goes on. What
// was lost never arrives; so if nothing at all does for a while, what is on
// its way is forgiven and the gate opens.
func (g *gate) wait(ctx context.Context) bool {
	for g.pending() > g.limit {
		g.mu.Lock()
		opened := g.opened
		g.mu.Unlock()
		g.waiting.Add(1)
		before := g.arrived.Load()
		if g.pending() > g.limit {
			timer := time.NewTimer(g.patience)
			select {
			case <-opened:
			case <-ctx.Done():
			case <-timer.C:
				g.forgive(before)
			}
			timer.Stop()
		}
		g.waiting.Add(-1)
		if ctx.Err() != nil {
			return false
		}
	}
	return true
}

// forgive gives up what is on its way, unless something has arrived since
// there were before.
func (g *gate) forgive(before int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if pending := g.pending(); g.arrived.Load() == before && pending > 0 {
		g.forgiven.Add(pending)
	}
}

// outstanding is how many deliveries have not arrived, forgiven or not.
func (g *gate) outstanding() int64 { return g.expected.Load() - g.arrived.Load() }
