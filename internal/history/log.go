package history

import (
	"slices"
	"time"

	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/frame"
	"github.com/belfryhq/belfry/protocol"
)

// maxPublishers is how many publishers a log knows. One that is gone is remembered
// for as long as there is room, because positions may name it.
const maxPublishers = 64

// A Log is what one node keeps of one channel.
type Log struct {
	shelf        *Shelf
	publishers   []*publisher // this node first
	first, final *Entry
	count, bytes int
	promised     bool // somebody was told that nothing is missing
}

// A publisher is what a log knows of the events of one node. Of those with a
// number above floor, up to last, it has all that were on the channel.
type publisher struct {
	log         *Log
	id          node.ID
	floor, last uint64
	stale       bool // events may have come since last that were not sent here
}

// An Event is one that was published.
type Event struct {
	Mark
	Before uint64 // number of the publisher's event before this one on the channel
	Frame  *frame.Frame
	Except protocol.SocketID // may be zero
	At     time.Time         // when it was published, as far as this node knows
}

// An Arrival is how an event fits to what a log has.
type Arrival int

const (
	// Next follows what was there.
	Next Arrival = iota
	// Known was there already.
	Known
	// Gap follows something that is not there.
	Gap
)

// own is this node as a publisher.
func (l *Log) own() *publisher { return l.publishers[0] }

func (l *Log) of(id node.ID) *publisher {
	for _, p := range l.publishers {
		if p.id == id {
			return p
		}
	}
	return nil
}

// know returns the record of a publisher, which is made from floor on if need be.
func (l *Log) know(id node.ID, floor uint64) *publisher {
	if p := l.of(id); p != nil {
		return p
	}
	if len(l.publishers) == maxPublishers {
		l.forgetPublisher()
	}
	p := &publisher{log: l, id: id, floor: floor, last: floor}
	l.publishers = append(l.publishers, p)
	return p
}

// forgetPublisher makes room: the one goes that was learned of first, and with it
// its events and all before them.
func (l *Log) forgetPublisher() {
	gone := l.publishers[1]
	for slices.ContainsFunc(l.entries(), func(e *Entry) bool { return e.publisher == gone }) {
		l.shelf.pop(l)
	}
	l.publishers = slices.Delete(l.publishers, 1, 2)
}

func (l *Log) entries() (list []*Entry) {
	for e := l.first; e != nil; e = e.later {
		list = append(list, e)
	}
	return list
}

// Publish numbers an event of this node. It is kept with [Log.Keep].
func (l *Log) Publish() (number, before uint64) {
	l.shelf.number++
	return l.shelf.number, l.own().last
}

// Skip notes that this node has published an event that has no number. Who has not got
// everything before it has missed something.
func (l *Log) Skip() {
	l.shelf.number++
	own := l.own()
	own.floor, own.last = l.shelf.number, l.shelf.number
}

// Keep adds an event that has just been published, here or elsewhere, unless it is
// known. What has expired by then on the shelf goes first.
func (l *Log) Keep(e Event, limits Limits) Arrival {
	l.shelf.Expire(e.At, limits.TTL)
	arrival := Next
	p := l.of(e.Publisher)
	switch {
	case p == nil:
		if p = l.know(e.Publisher, e.Before); l.promised && e.Before > 0 {
			arrival = Gap
		}
	case e.Number <= p.last:
		return Known
	case e.Before > p.last:
		if !p.stale {
			arrival = Gap
		}
		p.floor = e.Before
	}
	p.stale = false
	p.last = e.Number
	l.insert(l.final, l.entry(p, e))
	l.trim(limits)
	return arrival
}

func (l *Log) entry(p *publisher, e Event) *Entry {
	entry := l.shelf.blank()
	*entry = Entry{Frame: e.Frame, publisher: p, number: e.Number, at: l.shelf.budget.tenths(e.At)}
	if !e.Except.IsZero() {
		except := e.Except // so that the event need not outlive the call
		entry.except = &except
	}
	return entry
}

// insert puts an entry behind another one, or at the beginning.
func (l *Log) insert(after, e *Entry) {
	link := &l.first
	if after != nil {
		link = &after.later
	}
	e.later, *link = *link, e
	if after == l.final {
		l.final = e
	}
	l.count++
	l.bytes += e.Frame.Cost()
	l.shelf.add(e)
}

// trim drops the oldest events while there are too many.
func (l *Log) trim(limits Limits) {
	for l.first != nil && (l.count > limits.Events || l.bytes > limits.Bytes) {
		l.shelf.evicted++
		l.shelf.pop(l)
	}
}

// Promise notes that somebody was told to get all events from here on. So events that
// are not here are lost from now on: those of publishers that are known, and those
// before the first one of publishers that are not.
func (l *Log) Promise() {
	l.promised = true
	for _, p := range l.publishers {
		p.stale = false
	}
}

// Stale notes that other nodes do not send their events here any more.
func (l *Log) Stale() {
	l.promised = false
	for _, p := range l.publishers[1:] {
		p.stale = true
	}
}

// Empty reports whether no event is kept.
func (l *Log) Empty() bool { return l.first == nil }

// Position is that of somebody who has all that is known here.
func (l *Log) Position() Position {
	p := make(Position, 0, len(l.publishers))
	for _, pub := range l.publishers {
		p = append(p, Mark{pub.id, pub.last})
	}
	return p
}

// Last is the number of the last event that this node has published.
func (l *Log) Last() uint64 { return l.own().last }

// Publishers are those of whom something is known.
func (l *Log) Publishers() []node.ID {
	ids := make([]node.ID, 0, len(l.publishers))
	for _, p := range l.publishers {
		ids = append(ids, p.id)
	}
	return ids
}

// Within is the part of a position that is known here: who has all events behind it
// has no hole between them and those that are here.
func (l *Log) Within(p Position) Position {
	within := make(Position, 0, len(p))
	for _, m := range p {
		if known := l.of(m.Publisher); known != nil {
			m.Number = min(m.Number, known.last)
		}
		within = append(within, m)
	}
	return within
}

// Ahead reports whether a position names something that this log does not know of.
func (l *Log) Ahead(of Position) bool {
	return slices.ContainsFunc(of, func(m Mark) bool {
		p := l.of(m.Publisher)
		return p == nil || m.Number > p.last
	})
}

// Since returns all events behind a position, the oldest first, but for those that one
// of the sockets must not get.
func (l *Log) Since(from Position, sockets []protocol.SocketID) ([]*Entry, Reason) {
	if l.Ahead(from) {
		return nil, Unknown
	}
	for _, p := range l.publishers {
		if n, _ := from.Of(p.id); n < p.floor {
			return nil, Expired
		}
	}
	var missed []*Entry
	for e := l.first; e != nil; e = e.later {
		if n, _ := from.Of(e.publisher.id); e.number > n && !e.excludes(sockets) {
			missed = append(missed, e)
		}
	}
	return missed, Complete
}

// Latest returns the last n events, the oldest first, but for those that the sockets
// must not get, and the position behind which they are.
func (l *Log) Latest(n int, sockets []protocol.SocketID) (last []*Entry, before Position) {
	for e := l.first; e != nil; e = e.later {
		if e.number > e.publisher.floor && !e.excludes(sockets) {
			last = append(last, e)
		}
	}
	last = last[max(len(last)-n, 0):]
	for _, p := range l.publishers {
		mark := Mark{p.id, p.last}
		if i := slices.IndexFunc(last, func(e *Entry) bool { return e.publisher == p }); i >= 0 {
			mark.Number = last[i].number - 1
		}
		before = append(before, mark)
	}
	return last, before
}

// withNew is a position with the publishers that it does not name, each before the
// first event that is kept of it.
func (l *Log) withNew(p Position) Position {
	p = slices.Clone(p)
	for _, known := range l.publishers {
		if _, named := p.Of(known.id); !named {
			p = append(p, Mark{known.id, known.floor})
		}
	}
	return p
}

func (e *Entry) excludes(sockets []protocol.SocketID) bool {
	return e.except != nil && slices.Contains(sockets, *e.except)
}
