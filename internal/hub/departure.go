package hub

import (
	"time"

	"github.com/belfryhq/belfry/internal/frame"
	"github.com/belfryhq/belfry/internal/keyed"
	"github.com/belfryhq/belfry/protocol"
)

// A session may be subscribed to thousands of channels, and each is left
// under a lock and with news for others. When its client goes it counts no
// more at once, and gets nothing. But it is taken out of its channels little
// by little, so that the other clients of its loop do not wait for that.

const (
	// departureTime is how long a loop goes on with it in one turn.
	departureTime = 2 * time.Millisecond
	// departureSlice is how many channels are left in one turn at most, and
	// departureLook how many before the clock is looked at again.
	departureSlice = 1 << 10
	departureLook  = 16
)

// departures are the sessions of one loop that have ended and are still
// subscribed to something. The loop alone uses them.
type departures struct {
	sessions []*Session // the first is being taken out
	posted   bool
}

// depart takes a session that has ended out of its channels, soon.
func (h *Hub) depart(s *Session) {
	d := &h.departures[s.loop]
	d.sessions = append(d.sessions, s)
	h.departOn(d, s.loop)
}

func (h *Hub) departOn(d *departures, loop int) {
	if !d.posted && len(d.sessions) > 0 {
		d.posted = true
		h.cfg.Loops.Post(loop, h.departSome, departureSlice)
	}
}

// departSome is one turn's part of it.
func (h *Hub) departSome(loop int) {
	d := &h.departures[loop]
	d.posted = false
	end := time.Now().Add(departureTime)
	for left := departureSlice; left > 0 && len(d.sessions) > 0; {
		s := d.sessions[0]
		left -= s.leaveSome(min(left, departureLook))
		if s.subs.Len() == 0 {
			s.subs = keyed.Set[*subscription]{}
			d.sessions[0] = nil
			d.sessions = d.sessions[1:]
		}
		if !time.Now().Before(end) {
			break
		}
	}
	if len(d.sessions) == 0 {
		d.sessions = nil
	}
	h.departOn(d, loop)
}

// leaveSome ends up to so many subscriptions of a session that has ended, and
// returns how many.
func (s *Session) leaveSome(most int) (n int) {
	for sub := range s.subs.Drain() {
		s.tenant.leave(sub)
		if n++; n == most {
			break
		}
	}
	s.tenant.hub.metrics.subscriptions.Sub(float64(n))
	return n
}

// nowhere is the socket of a session that has ended.
type nowhere struct{}

func (nowhere) Send(*frame.Frame)     {}
func (nowhere) Close(*protocol.Error) {}

// End takes the session out of everything it is in; if that is many channels,
// soon. It is called once the client is gone or sent away; calling it again does
// nothing.
func (s *Session) End(how Ending) {
	if s.ended {
		return
	}
	s.ended = true
	s.traceEnded(how)
	s.socket, s.held = nowhere{}, nil
	if s.subs.Len() <= keyed.Few {
		s.leaveSome(keyed.Few)
	} else {
		s.tenant.hub.depart(s)
	}
	s.signOut()
	if s.authorizeBy.IsZero() {
		s.tenant.connections.Add(-1)
	} else {
		s.tenant.waiting.Add(-1)
	}
	s.tenant.exit(s)
	s.tenant.hub.visitors.Forget(s.visitor)
	s.tenant.hub.connections.Add(-1)
	s.tenant.hub.metrics.connections.Dec()
}
