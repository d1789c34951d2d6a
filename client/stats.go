package client

import "time"

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

// Stats returns the counters of the client. They are sent to nobody.
func (c *Client) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stats
	if cn, err := c.connLocked(); err == nil {
		s.Connected = time.Since(cn.since)
	}
	s.EventsDelivered, s.EventsDropped = c.delivered.Load(), c.dropped.Load()
	s.Pending = int(c.pending.Load())
	return s
}

// A bucket limits client events: rate a second, and as many at once. A rate of
// zero is no limit.
type bucket struct {
	rate   float64
	tokens float64
	last   time.Time
}

// take takes a token, if there is one.
func (b *bucket) take(now time.Time) bool {
	if b.rate == 0 {
		return true
	}
	burst := max(b.rate, 1)
	if b.last.IsZero() {
		b.tokens = burst
	} else {
		b.tokens = min(burst, b.tokens+now.Sub(b.last).Seconds()*b.rate)
	}
	b.last = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// checkRate takes a token for a client event.
func (c *Client) checkRate() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.bucket.take(time.Now()) {
		return ErrRateLimited
	}
	return nil
}
