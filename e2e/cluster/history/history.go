// Package history judges what a cluster told its clients and its backend.
//
// A [History] hears of everything as it happens: sockets that open and close,
// what they subscribe to, every frame that they get, every event that was
// triggered, every webhook. It knows two kinds of mistakes. [History.Faults]
// are those that no later moment makes good: a socket is told twice that a
// member came, an event comes twice, late or never. [History.Unsettled] is
// what still differs from the truth, which is what the sockets that are there
// want. It also has transitions of which the backend was told twice, unless
// the one in between is still to come. It must become empty once everything
// that was broken is whole again.
//
// It knows nothing of processes, networks and time limits. Moments are of the
// monotonic clock of this process. Everything is safe for concurrent use; a
// socket's lock is taken after the history's.
package history

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Moment is the time since a history began.
type Moment time.Duration

// String returns the moment in seconds.
func (m Moment) String() string { return fmt.Sprintf("%.3fs", time.Duration(m).Seconds()) }

// A History is what has happened so far. Use [New].
type History struct {
	start time.Time

	mu      sync.Mutex
	sockets []*Socket
	streams map[Stream][]Trigger
	losses  []loss
	deaths  []loss // events that only a dead node knew
	hooks   hooks

	recoveries []*Recovery
}

// New returns a history in which nothing has happened. If hooks is true the
// backend is told of channels and members, and [History.Unsettled] includes
// what it was not told yet.
func New(hooks bool) *History {
	h := &History{start: time.Now(), streams: make(map[Stream][]Trigger)}
	h.hooks.expected = hooks
	return h
}

// Now is the present moment.
func (h *History) Now() Moment { return Moment(time.Since(h.start)) }

// A loss is an allowance: what a node published or should have received of
// that time may be lost.
type loss struct {
	node     string
	from, to Moment // to is the last one that there is while the loss goes on
}

// forever is after everything.
const forever = Moment(1<<63 - 1)

// inFlight is how long before a fault an event may have been triggered and
// still be on its way when the fault comes.
const inFlight = Moment(2 * time.Second)

// MayLose allows that events are lost between this node and the others, from
// shortly before now until the returned function is called.
func (h *History) MayLose(node string) (until func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	i := len(h.losses)
	h.losses = append(h.losses, loss{node, h.Now() - inFlight, forever})
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.losses[i].to = h.Now()
	}
}

// excusedLocked reports whether an event that one node published may be lost
// to a socket of another. The caller holds h.mu.
func (h *History) excusedLocked(publisher, receiver string, t Trigger) bool {
	if publisher == receiver {
		return false // no fault is between a node and itself
	}
	return slices.ContainsFunc(h.losses, func(l loss) bool {
		return (l.node == publisher || l.node == receiver) && t.Begun <= l.to && t.Ended >= l.from
	})
}

// Faults returns everything that must not have happened, sorted by where. It
// can be asked at any time, and never becomes less.
func (h *History) Faults() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	faults := slices.Clone(h.hooks.faults)
	for _, s := range h.sockets {
		s.mu.Lock()
		faults = append(faults, s.faults...)
		for _, sub := range s.all {
			faults = append(faults, h.lostLocked(s, sub)...)
		}
		s.mu.Unlock()
	}
	for _, r := range h.recoveries {
		faults = append(faults, r.faultsLocked()...)
	}
	slices.Sort(faults)
	return faults
}

// lostLocked returns the events that a subscription should have got between
// others that it did get. The caller holds h.mu and s.mu.
func (h *History) lostLocked(s *Socket, sub *Subscription) []string {
	var lost []string
	for publisher, got := range sub.events {
		triggers := h.streams[Stream{publisher, sub.Channel}]
		for _, g := range got.gaps {
			for n := g.from; n < g.to; n++ {
				if t := triggerOf(triggers, n); t.OK && !h.excusedLocked(publisher, s.Node, t) {
					lost = append(lost, fmt.Sprintf("%s on %s: event %s/%d is lost (triggered at %v; the one after the gap came at %v)",
						s, sub.Channel, publisher, n, t.Begun, g.at))
				}
			}
		}
	}
	return lost
}

// Unsettled returns what is not as it should be in the end, sorted.
func (h *History) Unsettled() []string {
	truth := h.Truth()
	h.mu.Lock()
	defer h.mu.Unlock()
	differ := h.hooks.unsettled(truth)
	for _, s := range h.sockets {
		s.mu.Lock()
		if !s.closed {
			differ = append(differ, s.differencesLocked(truth)...)
			differ = append(differ, h.tailsLocked(s)...)
		}
		s.mu.Unlock()
	}
	for _, r := range h.recoveries {
		differ = append(differ, r.unsettledLocked()...)
	}
	slices.Sort(differ)
	return differ
}

// tailsLocked returns the last events that a socket has not got yet, of
// streams from which it got some. The caller holds h.mu and s.mu.
func (h *History) tailsLocked(s *Socket) []string {
	var missing []string
	for _, sub := range s.subs {
		if sub.leaving {
			continue
		}
		for publisher, got := range sub.events {
			triggers := h.streams[Stream{publisher, sub.Channel}]
			for n := len(triggers); n > got.last; n-- {
				if t := triggerOf(triggers, n); t.OK && !h.excusedLocked(publisher, s.Node, t) {
					missing = append(missing, fmt.Sprintf("%s on %s: event %s/%d has not come, the last was %d", s, sub.Channel, publisher, n, got.last))
					break
				}
			}
		}
	}
	return missing
}

// A Truth is who wants to be on which channels.
type Truth struct {
	Subscriptions map[string]int             // by channel
	Members       map[string]map[string]bool // by presence channel
}

// Truth returns what is true now: what the sockets that are open have
// subscribed to.
func (h *History) Truth() Truth {
	h.mu.Lock()
	defer h.mu.Unlock()
	truth := Truth{make(map[string]int), make(map[string]map[string]bool)}
	for _, s := range h.sockets {
		s.mu.Lock()
		for _, sub := range s.subs {
			if s.closed || sub.leaving {
				continue
			}
			truth.Subscriptions[sub.Channel]++
			if sub.User != "" {
				if truth.Members[sub.Channel] == nil {
					truth.Members[sub.Channel] = make(map[string]bool)
				}
				truth.Members[sub.Channel][sub.User] = true
			}
		}
		s.mu.Unlock()
	}
	return truth
}

// Users returns the members of a presence channel, sorted.
func (t Truth) Users(channel string) []string { return sorted(t.Members[channel]) }

// Sockets returns the sockets that are open.
func (h *History) Sockets() []*Socket {
	h.mu.Lock()
	defer h.mu.Unlock()
	var open []*Socket
	for _, s := range h.sockets {
		s.mu.Lock()
		if !s.closed {
			open = append(open, s)
		}
		s.mu.Unlock()
	}
	return open
}

// All returns all sockets, in the order in which they were opened.
func (h *History) All() []*Socket {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.sockets)
}

// Transitions returns how often sockets were told that a member came or went.
func (h *History) Transitions() int {
	n := 0
	for _, s := range h.All() {
		s.mu.Lock()
		for _, sub := range s.all {
			n += len(sub.changes)
		}
		s.mu.Unlock()
	}
	return n
}

// sorted returns the elements of a set.
func sorted(set map[string]bool) []string {
	list := make([]string, 0, len(set))
	for e := range set {
		list = append(list, e)
	}
	slices.Sort(list)
	return list
}

// difference says in what one set differs from another: what it has too much
// with +, what it lacks with -. It is empty if they are equal.
func difference(got, want map[string]bool) string {
	var parts []string
	for _, e := range sorted(got) {
		if !want[e] {
			parts = append(parts, "+"+e)
		}
	}
	for _, e := range sorted(want) {
		if !got[e] {
			parts = append(parts, "-"+e)
		}
	}
	return strings.Join(parts, " ")
}
