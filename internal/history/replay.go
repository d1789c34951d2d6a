package history

import "github.com/belfryhq/belfry/protocol"

// A Replay is what a subscriber has asked for of a channel's past: what is behind a
// position, or the last events. It knows how much of that is sent.
type Replay struct {
	asked   bool // a position was named
	from    Position
	refused Reason // known from the beginning
	rewind  int
	begun   bool                // of the last events, some are sent: those behind from are still to be
	sockets []protocol.SocketID // those of this client
	sent    int
}

// Resume is a replay of what is behind a position, which comes from a client. Events
// that one of the sockets must not get are left out.
func Resume(position string, sockets []protocol.SocketID) Replay {
	r := Replay{asked: true, sockets: sockets}
	var ok bool
	if r.from, ok = ParsePosition(position); !ok {
		r.refused = Malformed
	}
	return r
}

// Rewind is a replay of the last n events.
func Rewind(n int, sockets []protocol.SocketID) Replay { return Replay{rewind: n, sockets: sockets} }

// Asked reports whether a position was named.
func (r *Replay) Asked() bool { return r.asked }

// Refused reports whether nothing can be sent, whatever is kept.
func (r *Replay) Refused() bool { return r.refused != Complete }

// Refuse makes sure that nothing is sent any more, for a reason.
func (r *Replay) Refuse(why Reason) { r.refused = why }

// From is the position behind which events are to be sent.
func (r *Replay) From() Position { return r.from }

// Sent is how many events were sent.
func (r *Replay) Sent() int { return r.sent }

// Missed returns what is still to be sent. If it is not Complete, that is nothing.
func (r *Replay) Missed(l *Log) ([]*Entry, Reason) {
	switch {
	case r.refused != Complete:
		return nil, r.refused
	case r.asked:
		return l.Since(r.from, r.sockets)
	case r.begun:
		return l.Since(l.withNew(r.from), r.sockets)
	}
	var missed []*Entry
	missed, r.from = l.Latest(r.rewind, r.sockets)
	return missed, Complete
}

// Take notes that the first of the events are sent, as many as there is room for, and
// returns how many.
func (r *Replay) Take(missed []*Entry, room int) int {
	n := 0
	for _, e := range missed {
		if n > 0 && e.Frame.Cost() > room {
			break
		}
		room -= e.Frame.Cost()
		n++
		r.from = r.from.With(e.Mark())
	}
	r.sent += n
	r.begun = true
	return n
}

// Verdict is what the subscriber is told at the end.
func (r *Replay) Verdict(l *Log, reason Reason) protocol.Verdict {
	return protocol.Verdict{
		Asked: r.asked, Recovered: reason == Complete, Reason: string(reason),
		Replayed: r.sent, Position: l.Position().String(),
	}
}
