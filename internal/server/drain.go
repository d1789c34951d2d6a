package server

import (
	"math/rand/v2"
	"time"

	"github.com/belfryhq/belfry/internal/loop"
)

const (
	// drainEach is how much of the drain each client takes, so that a node
	// with few clients stops at once.
	drainEach = 10 * time.Millisecond
	// drainGrace is how long the last clients have to say goodbye.
	drainGrace = 3 * time.Second
	drainPoll  = 20 * time.Millisecond
)

// drain sends all clients elsewhere, at times spread at random, because each
// comes back in the instant in which it is sent away. Backends are served
// meanwhile: what they trigger reaches the clients that are still here.
func (s *Server) drain() {
	s.hub.Drain()
	s.roster.Drain()
	n := s.loops.Sockets()
	window := min(time.Duration(s.drainOver.Load()), time.Duration(n)*drainEach)
	s.log.Info("draining", "connections", n, "over", window)
	start := time.Now()
	s.loops.Each(func(socket *loop.Socket) {
		socket.Handler().Drain(start.Add(rand.N(window + 1)))
	})
	deadline := time.NewTimer(window + drainGrace)
	defer deadline.Stop()
	poll := time.NewTicker(drainPoll)
	defer poll.Stop()
	// A session ends when its client is sent away, and the socket when the
	// client has said goodbye: before that, what was sent may get lost.
	for s.loops.Sockets() > 0 {
		select {
		case <-poll.C:
		case <-deadline.C:
			s.log.Warn("clients did not leave in time", "connections", s.loops.Sockets())
			return
		}
	}
}
