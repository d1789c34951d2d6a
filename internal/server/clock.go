package server

import (
	"context"
	"time"
)

const (
	clockInterval = time.Second
	// clockJump is by how much the clock of the machine may be set without a
	// word.
	clockJump = 30 * time.Second
)

// startClock begins to watch the clock until the node ends.
func (p *process) startClock() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.watchClock(ctx)
	}()
	p.onStop("clock", func(context.Context) error {
		cancel()
		<-ended
		return nil
	})
}

// watchClock says in the log when the machine's clock is set. Nothing that
// nodes decide depends on it: they measure with clocks that no one sets. But
// times that others are told do, and so do signatures that have them.
func (p *process) watchClock(ctx context.Context) {
	tick := time.NewTicker(clockInterval)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-tick.C:
			now := time.Now()
			if jump := jumped(last, now); jump != 0 {
				p.log.Warn("the clock of this machine was set; requests of backends are refused whose time is far from it", "by", jump)
			}
			last = now
		case <-ctx.Done():
			return
		}
	}
}

// jumped is by how much the clock was set between two moments, or zero.
func jumped(last, now time.Time) time.Duration {
	wall := now.Round(0).Sub(last.Round(0)) // without the reading that nobody sets
	if by := wall - now.Sub(last); by.Abs() >= clockJump {
		return by.Round(time.Second)
	}
	return 0
}
