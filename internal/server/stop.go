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

// A stop is how one component ends.
type stop struct {
	name string
	do   func(context.Context) error
}

// onStop registers how a component ends. The last that was registered ends first.
func (p *process) onStop(name string, do func(context.Context) error) {
	p.stops = append(p.stops, stop{name, do})
}

const (
	// stopTimeout bounds all of a stop but the draining before it. The engine,
	// which ends last, has as long once more.
	stopTimeout = 15 * time.Second
	// componentTimeout bounds the end of one component in a cluster, where it may wait
	// for nodes that are gone, and hopelessTimeout if they surely are.
	componentTimeout = 6 * time.Second
	hopelessTimeout  = time.Second
)

// stop ends all components, the last first. It goes on past failures.
func (p *process) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	var errs []error
	for i := len(p.stops) - 1; i >= 0; i-- {
		if err := p.stopComponent(ctx, p.stops[i]); err != nil {
			errs = append(errs, fmt.Errorf("server: stop %s: %w", p.stops[i].name, err))
		}
	}
	p.stops = nil
	return errors.Join(errs...)
}

func (p *process) stopComponent(ctx context.Context, component stop) error {
	if !p.cfg.Clustered() {
		return component.do(ctx)
	}
	timeout := componentTimeout
	if p.writable() != nil {
		timeout = hopelessTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	err := component.do(ctx)
	if err != nil && (ctx.Err() != nil || unanswered(err) || p.writable() != nil) {
		// The last nodes of a cluster have nobody who takes what they leave.
		// It is in the log and in the queues, and is found there again.
		p.log.Warn("too few nodes are left to end in order", "component", component.name, "err", err)
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
