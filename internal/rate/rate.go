// Package rate limits how often something may happen. A [Limiter] is one
// number, takes no lock, and costs nothing while nobody asks it.
package rate

import (
	"sync/atomic"
	"time"
)

// A Limiter is a bucket of tokens. The zero value is full. It is safe for
// concurrent use.
type Limiter struct {
	// full is when the bucket will be full again; see nanos.
	full atomic.Int64
}

// started is when the process did.
var started = time.Now()

// nanos is a time in nanoseconds since 1970, by a clock that goes on from the
// start of the process whoever sets that of the machine. By the other one, a
// bucket would stay empty for as long as it was set back.
func nanos(t time.Time) int64 { return started.UnixNano() + int64(t.Sub(started)) }

// A Limit is how fast a bucket fills, and how much it holds: what comes within
// Window.
type Limit struct {
	Tokens int // in each Window; must be above zero
	Window time.Duration
}

// PerSecond is a limit of n in each second, all of which may come at once.
func PerSecond(n int) Limit { return Limit{n, time.Second} }

// PerMinute is a limit of n in each minute, all of which may come at once.
func PerMinute(n int) Limit { return Limit{n, time.Minute} }

// Take takes n tokens if there is at least one, and owes what is missing: so
// something that is larger than the bucket can happen too, just less often. If
// there is none it returns how long that will be so.
func (l *Limiter) Take(now time.Time, n int, limit Limit) (wait time.Duration, ok bool) {
	t := nanos(now)
	each := max(limit.Window/time.Duration(limit.Tokens), 1)
	for {
		was := l.full.Load()
		full := max(was, t)
		if wait := time.Duration(full-t) + each - limit.Window; wait > 0 {
			return wait, false
		}
		if l.full.CompareAndSwap(was, full+int64(n)*int64(each)) {
			return 0, true
		}
	}
}

// Wait returns how long it will be until there is a token. It takes none.
func (l *Limiter) Wait(now time.Time, limit Limit) time.Duration {
	t := nanos(now)
	each := max(limit.Window/time.Duration(limit.Tokens), 1)
	return max(time.Duration(max(l.full.Load(), t)-t)+each-limit.Window, 0)
}

// Owe takes n tokens whether they are there or not. What is missing is owed,
// up to ten times what the bucket holds.
func (l *Limiter) Owe(now time.Time, n int, limit Limit) {
	t := nanos(now)
	each := max(limit.Window/time.Duration(limit.Tokens), 1)
	more := int64(min(n, 10*limit.Tokens)) * int64(each)
	for {
		was := l.full.Load()
		full := min(max(was, t)+more, max(was, t+10*int64(limit.Window)))
		if l.full.CompareAndSwap(was, full) {
			return
		}
	}
}

// Full reports whether the bucket is full, so that it need not be kept.
func (l *Limiter) Full(now time.Time) bool { return l.full.Load() <= nanos(now) }
