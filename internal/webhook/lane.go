package webhook

import (
	"cmp"
	"slices"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/protocol"
)

// An item is an event that waits to be delivered.
type item struct {
	event  *event
	of     *stored
	index  int  // in its record
	single bool // was refused together with others
}

// inOrder compares items by when they came into the queue.
func inOrder(a, b item) int {
	return cmp.Or(a.of.number.compare(b.of.number), cmp.Compare(a.index, b.index))
}

// alone reports whether the event shares a request with no other.
func (it *item) alone() bool { return it.single || it.event.opaque() }

// A lane is the events of one channel that wait, in order. While it is busy,
// some of them are in a request that is not over.
type lane struct {
	channel    string
	encrypted  bool
	items      []item
	busy       bool
	in         *lanes // that it is among; nil unless it is ready
	prev, next *lane  // there
}

func newLane(channel string) *lane {
	return &lane{channel: channel, encrypted: protocol.KindOf(channel).Encrypted()}
}

// insert puts an item where it belongs: at the end, but for what comes from a
// queue that was taken over.
func (l *lane) insert(it item) {
	i := len(l.items)
	for i > 0 && inOrder(it, l.items[i-1]) < 0 {
		i--
	}
	l.items = slices.Insert(l.items, i, it)
}

// A company is what goes together into a request. There are receivers that
// refuse a request as a whole if it has one event of an encrypted channel that
// they can not decrypt.
type company int

const (
	plain    company = iota
	sealed           // of encrypted channels
	solitary         // in a request of its own
	companies
)

// company is that of the first event that waits.
func (l *lane) company() company {
	switch {
	case l.items[0].alone():
		return solitary
	case l.encrypted:
		return sealed
	}
	return plain
}

// room is what may come into a request.
type room struct{ events, bytes int } // bytes: about

// take takes the first events that go together, as many as there is room for.
func (l *lane) take(r *room, first bool) []item {
	n := 0
	for n < len(l.items) && r.events > 0 && (r.bytes > 0 || first) && l.items[n].alone() == l.items[0].alone() {
		r.events--
		r.bytes -= len(l.items[n].event.body)
		n++
		first = false
	}
	taken := l.items[:n:n]
	if l.items = l.items[n:]; len(l.items) == 0 {
		l.items = nil
	}
	return taken
}

// lanes are those of one company that can go, in the order in which they could.
type lanes struct {
	first, last *lane
	events      int // in all of them
}

// push appends a lane that is in none.
func (ls *lanes) push(l *lane) {
	l.in = ls
	if l.prev = ls.last; ls.last != nil {
		ls.last.next = l
	} else {
		ls.first = l
	}
	ls.last = l
	ls.events += len(l.items)
}

// remove takes a lane out.
func (ls *lanes) remove(l *lane) {
	if l.prev != nil {
		l.prev.next = l.next
	} else {
		ls.first = l.next
	}
	if l.next != nil {
		l.next.prev = l.prev
	} else {
		ls.last = l.prev
	}
	l.in, l.prev, l.next = nil, nil, nil
	ls.events -= len(l.items)
}

// take returns events of the first lanes, as many as there is room for, and the
// lanes, which are busy from here on.
func (ls *lanes) take(r room) (items []item, busy []*lane) {
	for ls.first != nil && r.events > 0 && (r.bytes > 0 || len(items) == 0) {
		l := ls.first
		ls.remove(l)
		items = append(items, l.take(&r, len(items) == 0)...)
		l.busy = true
		busy = append(busy, l)
	}
	slices.SortFunc(items, inOrder)
	return items, busy
}

// enter puts an event into the lane of its channel.
func (e *endpoint) enter(it item) {
	if at := e.deadline(it); at.Before(e.sweepAt) {
		e.sweepAt = at
	}
	l := e.lanes[it.event.channel]
	if l == nil {
		l = newLane(it.event.channel)
		e.lanes[l.channel] = l
	}
	if l.insert(it); l.in == nil {
		e.free(l)
		return
	}
	l.in.events++
	e.place(l)
}

// place puts a lane that is ready where its first event belongs.
func (e *endpoint) place(l *lane) {
	if l.in != &e.ready[l.company()] {
		l.in.remove(l)
		e.free(l)
	}
}

// free lets a lane go on, unless it is busy.
func (e *endpoint) free(l *lane) {
	if !l.busy {
		e.ready[l.company()].push(l)
	}
}

// formAt returns when the next request of a company is to be formed, or zero if
// nothing can go.
func (e *endpoint) formAt(c company, hook *apps.Webhook) time.Time {
	ls := &e.ready[c]
	if ls.first == nil {
		return time.Time{}
	}
	at := ls.first.items[0].event.at
	if hook.Batch && c != solitary && ls.events < e.all.sender.cfg.BatchEvents {
		at = at.Add(e.all.sender.cfg.BatchInterval)
	}
	if e.health.open() && e.retries.Len() > 0 && at.Before(e.probeAt) {
		return e.probeAt // until then it is tried by what waits longest
	}
	return at
}

// form makes a request of what can go, if it is time. The companies take turns.
func (e *endpoint) form(now time.Time, hook *apps.Webhook) *request {
	for range companies {
		e.turn = (e.turn + 1) % companies
		if at := e.formAt(e.turn, hook); !at.IsZero() && !now.Before(at) {
			return e.formOf(e.turn, now, hook)
		}
	}
	return nil
}

func (e *endpoint) formOf(c company, now time.Time, hook *apps.Webhook) *request {
	cfg := e.all.sender.cfg
	n := 1
	if hook.Batch && c != solitary {
		n = cfg.BatchEvents
	}
	r := &request{term: e.now, company: c, formed: now, until: now.Add(cfg.RetryWindow)}
	r.items, r.lanes = e.ready[c].take(room{n, cfg.BatchBytes})
	r.body = body(now, r.items)
	return r
}
