package bench

import (
	"context"
	"time"

	"github.com/belfryhq/belfry/internal/backoff"
)

// A clock counts nanoseconds from the start of a run, on the monotonic clock.
// Publishers and receivers of a run share it, so their times can be compared.
type clock struct{ base time.Time }

func newClock() clock { return clock{time.Now()} }

func (c clock) now() int64 { return int64(time.Since(c.base)) }

// sleep waits until the clock shows at, and reports whether ctx still goes on.
func (c clock) sleep(ctx context.Context, at int64) bool {
	pause := time.Duration(at - c.now())
	if pause <= 0 {
		return ctx.Err() == nil
	}
	return backoff.Sleep(ctx, pause)
}
