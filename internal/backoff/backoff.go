// Package backoff waits, and tries again after longer and longer waits, until
// it works or nobody wants it any more.
//
// It takes no locks, and does not know what is tried.
package backoff

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// Sleep waits for d. It reports whether ctx still goes on; if ctx ends, it
// returns at once.
func Sleep(ctx context.Context, d time.Duration) bool {
	if ctx.Err() != nil {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// A Policy says how long to wait between attempts: first First, then twice as
// long each time, up to Most.
type Policy struct {
	First time.Duration
	Most  time.Duration // zero means First: all waits are equally long
	// Jitter makes each wait a random time between its half and all of it, so
	// that those who failed together do not try again together.
	Jitter bool
	// Attempts is how often [Policy.Retry] tries. Zero means without end.
	Attempts int
}

// Every is the policy whose waits are all equally long.
func Every(d time.Duration) Policy { return Policy{First: d} }

// Wait is how long to wait after so many failures, of which there is at least
// one.
func (p Policy) Wait(failures int) time.Duration {
	const shifts = 20 // a million times First
	d := p.First << min(max(failures-1, 0), shifts)
	if most := cmp.Or(p.Most, p.First); d > most || d < p.First { // or it was too many bits
		d = most
	}
	if half := d / 2; p.Jitter && half > 0 {
		d = half + rand.N(half)
	}
	return d
}

// Retry tries until again is false, the attempts are used up, or ctx ends. It
// returns the error of the last attempt, joined with the cause if ctx ended.
func (p Policy) Retry(ctx context.Context, try func() (again bool, err error)) error {
	for failures := 1; ; failures++ {
		again, err := try()
		if !again || failures == p.Attempts {
			return err
		}
		if !Sleep(ctx, p.Wait(failures)) {
			return errors.Join(context.Cause(ctx), err)
		}
	}
}
