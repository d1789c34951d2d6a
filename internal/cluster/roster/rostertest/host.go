package rostertest

import (
	"slices"
	"sync"
	"testing"

	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/cluster/roster"
)

// A Host remembers what it was told. It says at once that it is safe, unless
// it is Slow.
type Host struct {
	TB     testing.TB
	Roster roster.Roster
	Slow   bool // nothing is ever safe

	mu           sync.Mutex
	busy         bool
	decisions    []roster.Decision
	predecessors []node.ID
	evictions    []node.ID
	ids          map[node.ID]bool // when something was decided
}

var _ roster.Host = (*Host)(nil)

// enter checks that calls come one at a time.
func (h *Host) enter() func() {
	h.mu.Lock()
	if h.busy {
		h.TB.Error("a host was called twice at a time")
	}
	h.busy = true
	h.mu.Unlock()
	return func() {
		h.mu.Lock()
		h.busy = false
		h.mu.Unlock()
	}
}

// Decide keeps a decision.
func (h *Host) Decide(d roster.Decision) {
	defer h.enter()()
	id := h.Roster.ID()
	h.mu.Lock()
	if h.ids == nil {
		h.ids = make(map[node.ID]bool)
	}
	h.ids[id] = true
	if n := len(h.decisions); n > 0 && h.decisions[n-1].Order >= d.Order {
		h.TB.Errorf("a decision of order %d follows one of %d", d.Order, h.decisions[n-1].Order)
	}
	h.decisions = append(h.decisions, d)
	h.mu.Unlock()
	if !h.Slow {
		h.Roster.Acknowledge(d.Order)
	}
}

// was reports whether the node went by an id when it was told something.
func (h *Host) was(id node.ID) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ids[id]
}

// TakeOver keeps a takeover.
func (h *Host) TakeOver(dead node.ID) {
	defer h.enter()()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.predecessors = append(h.predecessors, dead)
}

// Evicted keeps a new id.
func (h *Host) Evicted(next node.ID) {
	defer h.enter()()
	if got := h.Roster.ID(); got != next {
		h.TB.Errorf("ID() = %q during Evicted(%q)", got, next)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.evictions = append(h.evictions, next)
}

// Decisions returns what was decided so far.
func (h *Host) Decisions() []roster.Decision {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.decisions)
}

// Predecessors returns whose jobs are the node's.
func (h *Host) Predecessors() []node.ID {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.predecessors)
}

// Evictions returns the ids that the node has gone by since it began.
func (h *Host) Evictions() []node.ID {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.evictions)
}
