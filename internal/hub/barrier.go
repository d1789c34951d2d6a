package hub

import (
	"context"
	"sync/atomic"

	"github.com/belfryhq/belfry/internal/frame"
	"github.com/belfryhq/belfry/protocol"
)

// A client that is told that its subscription has succeeded may at once make
// its backend trigger an event on another node, or ask it who is there. So
// it is told when the peers know what its subscription has changed, which
// takes them a fraction of a millisecond. All else that the client is to get
// waits behind it. The same goes for what comes after it has left a channel.

// A barrier numbers the moments at which peers were told of something that is
// held here, and knows up to which of them they have heard it.
type barrier struct {
	marks, heard atomic.Uint64
}

// mark returns the number of this moment. The peers have been told.
func (b *barrier) mark() uint64 { return b.marks.Add(1) }

// sync calls done when all peers have heard what they were told up to now, or
// can not be waited for.
func (p *peers) sync(done func()) {
	upTo := p.barrier.marks.Load()
	var left atomic.Int64
	left.Store(1)
	confirmed := func() {
		if left.Add(-1) > 0 {
			return
		}
		for heard := p.barrier.heard.Load(); upTo > heard; heard = p.barrier.heard.Load() {
			if p.barrier.heard.CompareAndSwap(heard, upTo) {
				break
			}
		}
		done()
	}
	live := p.live.Load()
	for i := range p.links {
		if l := p.links[i].Load(); l != nil && live&(1<<i) != 0 {
			left.Add(1)
			(*l).Sync(confirmed)
		}
	}
	confirmed()
}

// await returns when all peers have heard what they were told up to now, or can
// not be waited for, or ctx ends.
func (p *peers) await(ctx context.Context) {
	if p.alone() {
		return
	}
	heard := make(chan struct{})
	p.sync(func() { close(heard) })
	select {
	case <-heard:
	case <-ctx.Done():
	}
}

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
	p := &s.tenant.hub.peers
	if shared <= p.barrier.heard.Load() || p.alone() {
		return
	}
	if s.held == nil {
		s.held = new(held)
	}
	h := s.held
	h.waits++
	loops, loop := s.tenant.hub.cfg.Loops, s.loop
	p.sync(func() {
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
