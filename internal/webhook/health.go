package webhook

import "time"

// breakAfter is how many failures in a row make an endpoint count as down.
const breakAfter = 5

// health is what is known of an endpoint: a circuit breaker, and what to tell
// an operator. It is changed by the endpoint's goroutine with the endpoint's
// lock held, and read by others with it.
type health struct {
	failures    int // in a row
	lastSuccess time.Time
	lastFailure time.Time
	lastStatus  int
	lastError   string
}

// open reports whether the endpoint counts as down.
func (h *health) open() bool { return h.failures >= breakAfter }

// succeeded reports whether the endpoint was down before.
func (h *health) succeeded(now time.Time, o outcome) bool {
	was := h.open()
	h.failures = 0
	h.lastSuccess, h.lastStatus, h.lastError = now, o.status, ""
	return was
}

// failed reports whether the endpoint is down from here on. A failure that does
// not count is only remembered.
func (h *health) failed(now time.Time, o outcome, counts bool) bool {
	h.lastFailure, h.lastStatus, h.lastError = now, o.status, o.err.Error()
	if !counts {
		return false
	}
	h.failures++
	return h.failures == breakAfter
}
