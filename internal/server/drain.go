package server

import (
	"context"
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

// stateOfDrain is whether the node is about to end, and how many connections it
// still has.
func (s *Server) stateOfDrain() (draining bool, connections int) {
	return s.leaving.Load(), s.hub.Connections()
}

// patience is how long drain takes at most.
func (s *Server) patience() time.Duration {
	return s.cfg.Cluster.DrainDelay + time.Duration(s.drainOver.Load()) + drainGrace
}

// drain sends all clients elsewhere, when load balancers have had the time to
// notice. Backends are served meanwhile: what they trigger reaches the clients
// that are still here.
func (s *Server) drain() {
	if delay := s.cfg.Cluster.DrainDelay; delay > 0 {
		s.log.Info("not ready any more; clients stay a moment longer", "for", delay)
		time.Sleep(delay)
	}
	s.hub.Drain()
	s.roster.Drain()
	window := s.window()
	bounded, cancel := context.WithTimeout(context.Background(), window+drainGrace)
	defer cancel()
	s.log.Info("draining", "connections", s.loops.Sockets(), "over", window)
	s.sendAway(window)
	if s.cluster != nil {
		s.cluster.relay.Drain(bounded, window)
	}
	s.awaitGoodbyes(bounded)
}

// window is over how long the clients that are here are sent away.
func (s *Server) window() time.Duration {
	return min(time.Duration(s.drainOver.Load()), time.Duration(s.loops.Sockets())*drainEach)
}

// sendAway makes all clients connect anew, at times spread at random over the
// window, because each comes back in the instant in which it is sent away.
func (s *Server) sendAway(window time.Duration) {
	start := time.Now()
	s.loops.Each(func(socket *loop.Socket) {
		socket.Handler().Drain(start.Add(rand.N(window + 1)))
	})
}

// awaitGoodbyes waits until all sockets are gone. A session ends when its
// client is sent away, and the socket when the client has said goodbye: before
// that, what was sent may get lost.
func (s *Server) awaitGoodbyes(ctx context.Context) {
	poll := time.NewTicker(drainPoll)
	defer poll.Stop()
	for s.loops.Sockets() > 0 {
		select {
		case <-poll.C:
		case <-ctx.Done():
			s.log.Warn("clients did not leave in time", "connections", s.loops.Sockets())
			return
		}
	}
}
