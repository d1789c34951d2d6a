package history

import "time"

// A Query says which page of a log is to be read.
type Query struct {
	// After is where the page before this one has ended. Without Going on, the first
	// page is read, which has the oldest events, or the latest if Backwards is set.
	After   Position
	GoingOn bool
	// Backwards reads from later events to earlier ones.
	Backwards bool
	Limit     int // of events; positive
}

// A Page is some of the events of a log. Whoever reads on from its position, in the
// same direction, gets all others that are kept, once.
type Page struct {
	Events   []Event // in the direction of the query
	Position Position
	More     bool // there are events behind the page
}

// Page reads a page, unless the position is none that was reached, or events behind
// it are not kept any more.
func (l *Log) Page(q Query, now time.Time) (Page, Reason) {
	if q.GoingOn && l.Ahead(q.After) {
		return Page{}, Unknown
	}
	if q.Backwards {
		return l.earlier(q, now), Complete
	}
	at := q.After
	if !q.GoingOn {
		at = l.withNew(nil)
	}
	behind, reason := l.Since(at, nil)
	if reason != Complete {
		return Page{}, reason
	}
	page := Page{Position: l.withNew(at), More: len(behind) > q.Limit}
	for _, e := range behind[:min(len(behind), q.Limit)] {
		page.Events = append(page.Events, l.event(e, now))
		page.Position = page.Position.With(e.Mark())
	}
	return page, Complete
}

// earlier reads a page of what is before a position.
func (l *Log) earlier(q Query, now time.Time) Page {
	page := Page{Position: l.Position()}
	if q.GoingOn {
		page.Position = append(Position{}, q.After...)
	}
	var before []*Entry
	for e := l.first; e != nil; e = e.later {
		if n, _ := page.Position.Of(e.publisher.id); e.number <= n && e.number > e.publisher.floor {
			before = append(before, e)
		}
	}
	page.More = len(before) > q.Limit
	for i := len(before) - 1; i >= max(len(before)-q.Limit, 0); i-- {
		e := before[i]
		page.Events = append(page.Events, l.event(e, now))
		for m := range page.Position {
			if page.Position[m].Publisher == e.publisher.id {
				page.Position[m].Number = e.number - 1
			}
		}
	}
	return page
}
