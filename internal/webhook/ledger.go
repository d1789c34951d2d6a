package webhook

import (
	"cmp"
	"slices"
	"sync"
)

// A ledger has the decisions that this node was to tell of and that are not
// safe yet. It says up to where they are, with its lock held: a decision that
// comes meanwhile waits, and is not among those that were said to be safe. Its
// lock is taken before the recorder's.
type ledger struct {
	told func(through uint64) // roster.Roster.Acknowledge

	mu   sync.Mutex
	open []entry // by order
}

// An entry is one decision.
type entry struct {
	order uint64 // in which the roster has told it
	left  int    // endpoints whose queue does not have it; 1 in limbo
}

// never is an entry that nobody will see through here, because the node ends:
// others will, as long as it stays open.
const never = 1 << 30

// begin enters the next decision. Put returns into how many outboxes it has
// put it; it is called with l.mu held.
func (l *ledger) begin(order uint64, put func() int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	left := put()
	l.open = append(l.open, entry{order, left})
	l.settleLocked()
}

// heldLocked says into how many outboxes a decision was put that was in limbo.
// l.mu is held, and who has called calls settleLocked.
func (l *ledger) heldLocked(order uint64, left int) {
	if at, found := slices.BinarySearchFunc(l.open, order, entry.compare); found {
		l.open[at].left = left
	}
}

// settled says that a queue has these events, or that one had them before.
func (l *ledger) settled(events []event) {
	if !slices.ContainsFunc(events, func(e event) bool { return e.decided() }) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range events {
		if at, found := slices.BinarySearchFunc(l.open, events[i].order, entry.compare); found {
			l.open[at].left--
		}
	}
	l.settleLocked()
}

func (e entry) compare(order uint64) int { return cmp.Compare(e.order, order) }

// settleLocked says how far all is safe. l.mu is held.
func (l *ledger) settleLocked() {
	n := 0
	for n < len(l.open) && l.open[n].left <= 0 {
		n++
	}
	if n == 0 {
		return
	}
	through := l.open[n-1].order
	if l.open = l.open[n:]; len(l.open) == 0 {
		l.open = nil
	}
	l.told(through)
}

// voidLocked forgets all: others tell of it. l.mu is held.
func (l *ledger) voidLocked() { l.open = nil }

// untold is how many decisions are not safe.
func (l *ledger) untold() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.open)
}
