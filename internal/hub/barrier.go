package hub

import (
	"github.com/belfryhq/belfry/internal/frame"
	"github.com/belfryhq/belfry/protocol"
)

// A client that is told that its subscription has succeeded may at once make
// its backend trigger an event on another node, or ask it who is there. So
// it is told when the peers know what its subscription has changed, which
// takes them a fraction of a millisecond. All else that the client is to get
// waits behind it. The same goes for what comes after it has left a channel.

// held is what waits to go out to a client.
type held struct {
	waits  int // confirmations that are to come
	frames []*frame.Frame
	cost   int // of the frames
}

// maxHeld is how many frames are held back, and maxHeldCost how much they may
// take. More than that are not news of something that has just begun.
const (
	maxHeld     = 256
	maxHeldCost = 256 << 10
)

// await holds back what is sent to the client from here on until peers have
// heard what they were told at that moment.
func (s *Session) await(shared uint64) {
	others := s.tenant.hub.peers
	if others.Know(shared) {
		return
	}
	if s.held == nil {
		s.held = new(held)
	}
	h := s.held
	h.waits++
	loops, loop := s.tenant.hub.cfg.Loops, s.loop
	others.Sync(func() {
		loops.Post(loop, func(int) {
			if h.waits--; h.waits == 0 && s.held == h {
				s.letGo()
			}
		}, 1)
	})
}

// send puts f behind all frames sent before.
func (s *Session) send(f *frame.Frame) {
	if s.held == nil {
		s.socket.Send(f)
		return
	}
	s.held.frames = append(s.held.frames, f)
	s.held.cost += f.Cost()
	if len(s.held.frames) > maxHeld || s.held.cost > maxHeldCost {
		s.letGo()
	}
}

// letGo sends what was held back.
func (s *Session) letGo() {
	if s.held == nil {
		return
	}
	frames := s.held.frames
	s.held = nil
	if s.ended {
		return
	}
	for _, f := range frames {
		s.socket.Send(f)
	}
}

// close tells the client why and ends the session.
func (s *Session) close(why *protocol.Error) {
	s.letGo()
	s.socket.Close(why)
}
