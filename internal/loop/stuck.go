package loop

import (
	"os"
	"time"
)

// stuckCheck is how often connections that take nothing are looked at.
const stuckCheck = time.Second

// A taker is a link that waits for its peer to take what was written.
type taker interface {
	// taken is a number that changes when the peer has taken anything, however
	// little.
	taken() int64
	// lost ends the socket.
	lost(error)
}

// stuck sees to it that no connection waits for its peer without an end. A
// peer that takes a byte now and then is slow, and may be; one that takes none
// for the write timeout is given up. Its loop alone uses it.
type stuck struct {
	loop   *Loop
	takers map[taker]patience
	due    deadline // when to look at them
}

// A patience is what was seen of a peer last.
type patience struct {
	looked bool // whether it was looked at yet
	taken  int64
	since  time.Time
}

func (s *stuck) start(l *Loop) {
	s.loop, s.takers = l, make(map[taker]patience)
	s.due.owner = s
}

// watch begins to look at t.
func (s *stuck) watch(t taker) {
	s.takers[t] = patience{} // most have gone when the time has come to look
	if len(s.takers) == 1 {
		s.loop.wheel.set(&s.due, s.loop.now.Add(stuckCheck))
	}
}

// forget ends that.
func (s *stuck) forget(t taker) { delete(s.takers, t) }

// expired gives up the peers that have taken nothing for too long.
func (s *stuck) expired() {
	now := s.loop.now
	for t, seen := range s.takers {
		switch taken := t.taken(); {
		case !seen.looked || taken != seen.taken:
			s.takers[t] = patience{true, taken, now}
		case now.Sub(seen.since) >= s.loop.group.cfg.WriteTimeout:
			delete(s.takers, t)
			t.lost(os.ErrDeadlineExceeded)
		}
	}
	if len(s.takers) > 0 {
		s.loop.wheel.set(&s.due, now.Add(stuckCheck))
	}
}
