package client

import (
	"sync/atomic"
	"time"
)

// Stats are counters since New, except where a field says otherwise.
type Stats struct {
	Connected time.Duration // age of the connection; 0 if there is none
	RTT       time.Duration // of the last ping that was answered

	Attempts, Connects, Disconnects        uint64 // of connections
	FramesIn, FramesOut, BytesIn, BytesOut uint64
	EventsDelivered, EventsDropped         uint64 // calls of functions; events for which a queue had no room
	EventsWithoutChannel, BadFrames        uint64
	AuthRequests, AuthFailures             uint64 // to authorizers, of which each of a batch counts once
	Pending                                int    // events that wait in all queues now
}

// counters are what Stats are made of. Every component of a client counts in them.
type counters struct {
	rtt     atomic.Int64 // a time.Duration
	pending atomic.Int64 // events that wait in all queues

	attempts, connects, disconnects        atomic.Uint64
	framesIn, framesOut, bytesIn, bytesOut atomic.Uint64
	delivered, dropped                     atomic.Uint64
	withoutChannel, badFrames              atomic.Uint64
	authRequests, authFailures             atomic.Uint64
}

// stats is what was counted so far.
func (n *counters) stats() Stats {
	return Stats{
		RTT:                  time.Duration(n.rtt.Load()),
		Attempts:             n.attempts.Load(),
		Connects:             n.connects.Load(),
		Disconnects:          n.disconnects.Load(),
		FramesIn:             n.framesIn.Load(),
		FramesOut:            n.framesOut.Load(),
		BytesIn:              n.bytesIn.Load(),
		BytesOut:             n.bytesOut.Load(),
		EventsDelivered:      n.delivered.Load(),
		EventsDropped:        n.dropped.Load(),
		EventsWithoutChannel: n.withoutChannel.Load(),
		BadFrames:            n.badFrames.Load(),
		AuthRequests:         n.authRequests.Load(),
		AuthFailures:         n.authFailures.Load(),
		Pending:              int(n.pending.Load()),
	}
}
