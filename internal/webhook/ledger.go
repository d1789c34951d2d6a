package webhook

import (
	"cmp"
	"slices"
	"sync"

	"github.com/belfryhq/belfry/internal/roster"
)

// A ledger has the decisions that this node was to tell of and that are not
// safe yet. It says up to where they are, with its lock held: a decision that
// comes meanwhile waits, and is not among those that were said to be safe. Its
// lock is taken before the recorder's.
type ledger struct {
	told func(through uint64) // roster.Roster.Told

	mu   sync.Mutex
	log  string
	open []entry // by number
}

// An entry is one decision.
type entry struct {
	number uint64
	left   int // endpoints whose queue does not have it
}

// never is an entry that nobody will see through here, because the node ends:
// others will, as long as it stays open.
const never = 1 << 30

// begin enters a decision. Put returns into how many outboxes it has put it.
func (l *ledger) begin(id roster.DecisionID, put func() int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if id.Log != l.log { // numbers of another log mean nothing in this one
		l.log, l.open = id.Log, nil
	}
	i, found := l.findLocked(id.Number)
	if !found {
		l.open = slices.Insert(l.open, i, entry{number: id.Number})
	}
	l.open[i].left += put()
	l.settleLocked()
}

func (l *ledger) findLocked(number uint64) (int, bool) {
	if n := len(l.open); n == 0 || l.open[n-1].number < number {
		return n, false // as almost always
	}
	return slices.BinarySearchFunc(l.open, number, func(e entry, n uint64) int { return cmp.Compare(e.number, n) })
}

// settled says that a queue has these events, or that one had them before.
func (l *ledger) settled(events []event) {
	if !slices.ContainsFunc(events, func(e event) bool { return e.decided }) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range events {
		if id := events[i].id; events[i].decided && id.origin == l.log {
			if k, found := l.findLocked(id.number); found {
				l.open[k].left--
			}
		}
	}
	l.settleLocked()
}

// settleLocked says how far all is safe. l.mu is held.
func (l *ledger) settleLocked() {
	n := 0
	for n < len(l.open) && l.open[n].left <= 0 {
		n++
	}
	if n == 0 {
		return
	}
	through := l.open[n-1].number
	if l.open = l.open[n:]; len(l.open) == 0 {
		l.open = nil
	}
	l.told(through)
}

// void forgets all: others tell of it.
func (l *ledger) void() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open = nil
}

// untold is how many decisions are not safe.
func (l *ledger) untold() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.open)
}
