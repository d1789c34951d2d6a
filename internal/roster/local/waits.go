package local

import (
	"time"

	"github.com/belfryhq/belfry/internal/roster"
)

// waits are subjects that are gone and may come back before it is decided. All
// wait equally long, so they end in the order in which they began: members
// before their channel.
type waits struct {
	delay time.Duration
	of    map[roster.Subject]*wait
	order []*wait // with those that were canceled
	head  int     // of order
}

// A wait is one subject that waits.
type wait struct {
	subject  roster.Subject
	until    time.Time
	canceled bool
}

// begin makes s wait, unless it does already. It reports whether s is the
// first, so that the clock has to be set.
func (ws *waits) begin(s roster.Subject, now time.Time) (first bool) {
	if ws.of[s] != nil {
		return false
	}
	ws.skip()
	if ws.of == nil {
		ws.of = make(map[roster.Subject]*wait)
	}
	w := &wait{subject: s, until: now.Add(ws.delay)}
	ws.of[s] = w
	ws.order = append(ws.order, w)
	return len(ws.order)-ws.head == 1
}

// cancel makes s wait no longer, and reports whether it did.
func (ws *waits) cancel(s roster.Subject) bool {
	w := ws.of[s]
	if w == nil {
		return false
	}
	delete(ws.of, s)
	w.canceled = true
	return true
}

// next returns when the next wait ends, or zero.
func (ws *waits) next() time.Time {
	ws.skip()
	if ws.head == len(ws.order) {
		return time.Time{}
	}
	return ws.order[ws.head].until
}

// due takes a subject whose wait has ended.
func (ws *waits) due(now time.Time) (roster.Subject, bool) {
	if next := ws.next(); next.IsZero() || next.After(now) {
		return roster.Subject{}, false
	}
	return ws.take()
}

// take takes the subject that has waited longest.
func (ws *waits) take() (roster.Subject, bool) {
	ws.skip()
	if ws.head == len(ws.order) {
		return roster.Subject{}, false
	}
	w := ws.order[ws.head]
	ws.order[ws.head] = nil
	ws.head++
	delete(ws.of, w.subject)
	return w.subject, true
}

// skip takes those that were canceled off the front, and gives memory back.
func (ws *waits) skip() {
	for ws.head < len(ws.order) && ws.order[ws.head].canceled {
		ws.order[ws.head] = nil
		ws.head++
	}
	if ws.head == len(ws.order) {
		ws.order, ws.head = nil, 0
	} else if ws.head > 1024 && ws.head > len(ws.order)/2 {
		ws.order = append([]*wait(nil), ws.order[ws.head:]...)
		ws.head = 0
	}
}
