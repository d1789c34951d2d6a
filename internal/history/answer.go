package history

import (
	"slices"
	"time"

	"github.com/belfryhq/belfry/internal/cluster/node"
)

// A Range is what a node has of one publisher: all events on the channel with a
// number above Floor, up to Last.
type Range struct {
	Publisher   node.ID
	Floor, Last uint64
}

// Of returns what is kept of a publisher's events behind a number, the oldest
// first, and which range that is: the zero Range if nothing is known.
func (l *Log) Of(publisher node.ID, after uint64, now time.Time) (events []Event, r Range) {
	p := l.of(publisher)
	if p == nil {
		return nil, Range{}
	}
	r = Range{publisher, max(p.floor, after), p.last}
	before := r.Floor
	for e := l.first; e != nil; e = e.later {
		if e.publisher != p || e.number <= r.Floor {
			continue
		}
		event := l.event(e, now)
		event.Before = before
		before = e.number
		events = append(events, event)
	}
	return events, r
}

// event is what an entry has, but for the number of the event before.
func (l *Log) event(e *Entry, now time.Time) Event {
	event := Event{Mark: e.Mark(), Frame: e.Frame, At: now.Add(-l.shelf.budget.age(e, now))}
	if e.except != nil {
		event.Except = *e.except
	}
	return event
}

func (b *Budget) age(e *Entry, now time.Time) time.Duration {
	return time.Duration(b.tenths(now)-min(e.at, b.tenths(now))) * (time.Second / 10)
}

// Merge adds what another node has of one publisher: all its events in that range,
// the oldest first. It returns those that should have come to this node when they
// were published, and whether it has to be said that some are lost.
func (l *Log) Merge(r Range, events []Event, limits Limits) (fresh []Event, arrival Arrival) {
	p := l.of(r.Publisher)
	if p == nil {
		if p = l.know(r.Publisher, r.Floor); l.promised && r.Last > 0 {
			arrival = Gap
		}
		p.stale = true
	}
	due := !p.stale
	if r.Last < p.floor || r.Floor > p.last {
		// Two ranges with a hole between them. The later one counts.
		if r.Last <= p.last {
			return nil, Known
		}
		if due {
			arrival = Gap
		}
		p.floor, p.last = r.Floor, r.Floor
	}
	low, high := p.floor, p.last
	p.floor = min(low, r.Floor)
	l.backfill(p, low, events)
	if behind := slices.IndexFunc(events, func(e Event) bool { return e.Number > high }); behind >= 0 && due {
		fresh = events[behind:]
		for _, e := range fresh {
			l.insert(l.final, l.entry(p, e))
		}
	} else if behind >= 0 {
		l.backfill(p, r.Last, events[behind:])
	}
	p.last = max(high, r.Last)
	p.stale = false
	l.trim(limits)
	return fresh, arrival
}

// backfill inserts those events that are not newer than a number and are not there
// yet. They stand in their publisher's order, and otherwise by time.
func (l *Log) backfill(p *publisher, upTo uint64, events []Event) {
	var after *Entry // the last one that stands before
	next := l.first  // the first one of the publisher that stands behind
	for _, e := range events {
		if e.Number > upTo {
			return
		}
		for ; next != nil && (next.publisher != p || next.number < e.Number); next = next.later {
			if next.publisher == p {
				after = next
			}
		}
		if next != nil && next.number == e.Number {
			continue
		}
		after = l.skipOlder(after, next, l.shelf.budget.tenths(e.At))
		entry := l.entry(p, e)
		l.insert(after, entry)
		after = entry
	}
}

// skipOlder goes on from an entry, over those that were published before a time, but
// not over one.
func (l *Log) skipOlder(from, one *Entry, at uint32) *Entry {
	next := l.first
	if from != nil {
		next = from.later
	}
	for ; next != nil && next != one && next.at <= at; next = next.later {
		from = next
	}
	return from
}
