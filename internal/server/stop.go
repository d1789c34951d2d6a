package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A stop is how one part ends.
type stop struct {
	name string
	do   func(context.Context) error
}

// onStop registers how a part ends. The last that was registered ends first.
func (p *process) onStop(name string, do func(context.Context) error) {
	p.stops = append(p.stops, stop{name, do})
}

const (
	// stopTimeout bounds all of a stop but the draining before it. The engine,
	// which ends last, has as long once more.
	stopTimeout = 15 * time.Second
	// partTimeout bounds the end of one part in a cluster, where it may wait
	// for nodes that are gone, and hopelessTimeout if they surely are.
	partTimeout     = 6 * time.Second
	hopelessTimeout = time.Second
)

// stop ends all parts, the last first. It goes on past failures.
func (p *process) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	var errs []error
	for i := len(p.stops) - 1; i >= 0; i-- {
		if err := p.stopPart(ctx, p.stops[i]); err != nil {
			errs = append(errs, fmt.Errorf("server: stop %s: %w", p.stops[i].name, err))
		}
	}
	p.stops = nil
	return errors.Join(errs...)
}

func (p *process) stopPart(ctx context.Context, part stop) error {
	if !p.cfg.Clustered() {
		return part.do(ctx)
	}
	timeout := partTimeout
	if p.writable() != nil {
		timeout = hopelessTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err := part.do(ctx)
	if err != nil && (ctx.Err() != nil || unanswered(err) || p.writable() != nil) {
		// The last nodes of a cluster have nobody who takes what they leave.
		// It is in the log and in the queues, and is found there again.
		p.log.Warn("too few nodes are left to end in order", "part", part.name, "err", err)
		return nil
	}
	return err
}

// unanswered reports whether an error is that nobody was there to answer.
func unanswered(err error) bool {
	for _, silence := range []error{
		nats.ErrTimeout, nats.ErrNoResponders, nats.ErrNoStreamResponse, jetstream.ErrNoStreamResponse, context.DeadlineExceeded,
	} {
		if errors.Is(err, silence) {
			return true
		}
	}
	var refusal *jetstream.APIError
	return errors.As(err, &refusal) && refusal.Code == http.StatusServiceUnavailable
}
