package fallback

import (
	"os"
	"time"

	"github.com/belfryhq/belfry/protocol"
)

const (
	// gap is how long a client may take for its next receive request: after
	// an answered poll, and while it rotates a stream.
	gap = 10 * time.Second
	// nameWait is how long a SockJS client has to name its app.
	nameWait = 10 * time.Second
	// holdWait is how long a stream that the client should rotate is held. A
	// client that has not done it by then does not know the rule.
	holdWait = 30 * time.Second
	// drainWait is how much longer than others a client stays that is between
	// two requests when it is to be sent away.
	drainWait = 2 * time.Second

	// Heartbeats are counted in beats. On a stream, every second one asks for
	// an answer, and a client that was silent for deadBeats is given up.
	probeBeats = 2
	deadBeats  = 5
)

// A clock holds what time brings to a session. Zero times mean nothing.
type clock struct {
	heard     time.Time // when any request came last
	wrote     time.Time // when anything went out last
	probed    time.Time // when an answer was asked for last
	receiveBy time.Time // when a receive request must be there; while there is none
	nameBy    time.Time // when the app must be named
	holdUntil time.Time // when a held stream is let go
	drainAt   time.Time // when the client is sent away
}

// heard notes a sign of life.
func (s *session) heard() { s.clock.heard, s.clock.probed = s.now(), time.Time{} }

// schedule sets the socket's deadline to the first thing that time will bring.
func (s *session) schedule() {
	if s.ended {
		return
	}
	s.socket.ExpireAtFirst(s.beatAt(), s.deadAt(), s.absentAt(), s.sendAwayAt(), s.clock.nameBy, s.order.due(), s.authorizeBy())
}

// beatAt is when the next heartbeat, or the end of a hold, is due.
func (s *session) beatAt() time.Time {
	switch r := s.receiver; {
	case r == nil || s.closing != nil && !r.held:
		return time.Time{}
	case r.held:
		return s.clock.holdUntil
	case r.format.stream && s.clock.probeAt(s.server.beat).Before(s.clock.wrote.Add(s.server.beat)):
		return s.clock.probeAt(s.server.beat)
	}
	return s.clock.wrote.Add(s.server.beat)
}

// probeAt is when the client is next asked for a sign of life.
func (c *clock) probeAt(beat time.Duration) time.Time {
	last := c.heard
	if c.probed.After(last) {
		last = c.probed
	}
	return last.Add(probeBeats * beat)
}

// deadAt is when a client that answers heartbeats, and does not any more, is
// given up. Polls are answers by themselves, and of SockJS clients some answer
// and some do not.
func (s *session) deadAt() time.Time {
	r := s.receiver
	if r == nil || r.held || s.closing != nil || !r.format.stream || s.id.sockJS() && !s.answers {
		return time.Time{}
	}
	return s.clock.heard.Add(deadBeats * s.server.beat)
}

func (s *session) absentAt() time.Time {
	if s.receiver != nil {
		return time.Time{}
	}
	return s.clock.receiveBy
}

// sendAwayAt is when a node that stops sends this client away. One that is
// between two requests gets a moment to hear of it.
func (s *session) sendAwayAt() time.Time {
	if s.clock.drainAt.IsZero() || s.closing != nil {
		return time.Time{}
	}
	if s.reachable() {
		return s.clock.drainAt
	}
	return s.clock.drainAt.Add(drainWait)
}

// reachable reports whether a line could go out now.
func (s *session) reachable() bool { return s.receiver != nil && !s.receiver.held }

func (s *session) authorizeBy() time.Time {
	if s.hub == nil || s.closing != nil {
		return time.Time{}
	}
	return s.hub.AuthorizeBy()
}

// Expired implements loop.Handler.
func (s *session) Expired() {
	now := s.now()
	due := func(t time.Time) bool { return !t.IsZero() && !now.Before(t) }
	switch {
	case s.ended:
		return
	case due(s.absentAt()):
		s.lose(os.ErrDeadlineExceeded)
		return
	case due(s.sendAwayAt()):
		s.Close(protocol.ErrReconnect)
	case due(s.clock.nameBy):
		s.clock.nameBy = time.Time{}
		s.Close(protocol.ErrPathNotFound)
	case due(s.deadAt()):
		s.Close(protocol.ErrPongTimeout)
	}
	if due(s.authorizeBy()) {
		s.hub.CheckAuthorized(now)
	}
	if due(s.order.due()) {
		s.order.expire(now)
		s.deliver()
	}
	if due(s.beatAt()) {
		s.strike(now)
	}
	s.schedule()
}

// strike breaks the silence, or lets a held stream go.
func (s *session) strike(now time.Time) {
	r := s.receiver
	if r.held {
		r.held, r.free = false, true
		s.socket.Wake()
		return
	}
	s.clock.wrote = now // or will have, when the client has read what it was sent before
	switch probe := r.format.stream && !now.Before(s.clock.probeAt(s.server.beat)); {
	case probe, s.id.sockJS():
		s.pulse, s.clock.probed = beatLine, now
	case r.format.stream:
		s.pulse = emptyLine
	default:
		s.pulse = beatLine
	}
	s.socket.Wake()
}
