package delivery

import (
	"sync"
	"time"
)

// breakAfter is how many failures in a row make an endpoint count as down.
const breakAfter = 5

// health is what is known of an endpoint: a circuit breaker, and what to tell
// an operator. The endpoint's goroutine alone changes it, with the lock held,
// and reads it without. Others read copies.
type health struct {
	mu sync.Mutex
	condition
}

// A condition is how an endpoint was at some moment.
type condition struct {
	failures    int // in a row
	lastSuccess time.Time
	lastFailure time.Time
	lastStatus  int
	lastError   string
}

// open reports whether the endpoint counts as down.
func (c *condition) open() bool { return c.failures >= breakAfter }

// condition returns a copy.
func (h *health) now() condition {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.condition
}

// succeeded reports whether the endpoint was down before.
func (h *health) succeeded(now time.Time, o outcome) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	was := h.open()
	h.failures = 0
	h.lastSuccess, h.lastStatus, h.lastError = now, o.status, ""
	return was
}

// failed reports whether the endpoint is down from here on. A failure that does
// not count is only remembered.
func (h *health) failed(now time.Time, o outcome, counts bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lastFailure, h.lastStatus, h.lastError = now, o.status, o.err.Error()
	if !counts {
		return false
	}
	h.failures++
	return h.failures == breakAfter
}
