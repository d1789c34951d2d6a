package delivery

import (
	"slices"

	"github.com/belfryhq/belfry/protocol"
)

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
		r.bytes -= len(l.items[n].event.Body)
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

// A lineup is the lanes of an endpoint that have events, and which of them can
// go. The zero value has none.
type lineup struct {
	lanes map[string]*lane // by channel
	ready [companies]lanes // that are not busy
	turn  company          // of which the last new request was
}

// enter puts an event into the lane of its channel.
func (lu *lineup) enter(it item) {
	if lu.lanes == nil {
		lu.lanes = make(map[string]*lane)
	}
	l := lu.lanes[it.event.Channel]
	if l == nil {
		l = newLane(it.event.Channel)
		lu.lanes[l.channel] = l
	}
	if l.insert(it); l.in == nil {
		lu.free(l)
		return
	}
	l.in.events++
	lu.place(l)
}

// place puts a lane that is ready where its first event belongs.
func (lu *lineup) place(l *lane) {
	if l.in != &lu.ready[l.company()] {
		l.in.remove(l)
		lu.free(l)
	}
}

// free lets a lane go on, unless it is busy.
func (lu *lineup) free(l *lane) {
	if !l.busy {
		lu.ready[l.company()].push(l)
	}
}

// release lets lanes go on that were busy, or forgets them if they are empty.
func (lu *lineup) release(busy []*lane) {
	for _, l := range busy {
		l.busy = false
		if len(l.items) > 0 {
			lu.free(l)
		} else {
			delete(lu.lanes, l.channel)
		}
	}
}

// restore puts items back to the front of the lanes that they were taken from.
func (lu *lineup) restore(items []item, busy []*lane) {
	fronts := make(map[string][]item, len(busy))
	for _, it := range items {
		fronts[it.event.Channel] = append(fronts[it.event.Channel], it)
	}
	for _, l := range busy {
		l.items = append(fronts[l.channel], l.items...)
		l.busy = false
		lu.free(l)
	}
}

// drop takes the first n events off a lane.
func (lu *lineup) drop(l *lane, n int) {
	in := l.in
	if in != nil && n == len(l.items) {
		in.remove(l)
		delete(lu.lanes, l.channel)
		in = nil
	}
	if l.items = l.items[n:]; in == nil {
		return
	}
	in.events -= n
	lu.place(l)
}
