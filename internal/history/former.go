package history

import "github.com/belfryhq/belfry/internal/cluster/node"

// A Record is what is kept outside of this node of one event that it has published.
// Without a frame it only says that all events of this node on the channel, up to the
// number, are published: it is a mark.
type Record struct {
	Channel string
	Event   // the publisher is this node
}

// A Former is what is kept, outside of it, of what a node has published for an app.
type Former struct {
	Publisher node.ID
	Channels  map[string]Past
	// Whole says that all is kept that the publisher has published with numbers
	// above Base, up to Highest. So it has published nothing there on channels that
	// are not in Channels.
	Whole         bool
	Base, Highest uint64
}

// A Past is what is kept of a publisher's events on one channel: all in a range, the
// oldest first.
type Past struct {
	Floor, Last uint64
	Events      []Event
}

// Add adds what a record says, which comes behind those that were added before.
func (p *Past) Add(r Record) {
	switch {
	case r.Number <= p.Last:
		return // it stands there twice
	case r.Frame == nil:
		*p = Past{Floor: r.Number, Last: r.Number}
		return
	case r.Before != p.Last:
		p.Floor, p.Events = r.Before, nil
	}
	p.Last = r.Number
	p.Events = append(p.Events, r.Event)
}

// Assume notes that a publisher of which nothing is known has published nothing on the
// channel in a range.
func (l *Log) Assume(r Range) {
	if l.of(r.Publisher) == nil {
		l.know(r.Publisher, r.Floor).last = max(r.Floor, r.Last)
	}
}
