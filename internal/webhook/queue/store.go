package queue

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/belfryhq/belfry/internal/engine"
)

// Config says where a store is, and how large it may become.
type Config struct {
	Engine         *engine.Engine
	Clustered      bool  // there are claims
	MaxBytes       int64 // of the queue, over all endpoints
	MaxDeadLetters int64 // bytes of dead letters
}

// Open opens the store of an engine, and makes what is not there.
func Open(ctx context.Context, cfg Config) (Store, error) {
	e := cfg.Engine
	js, err := jetstream.New(e.Conn(), jetstream.WithPublishAsyncTimeout(publishTimeout), jetstream.WithPublishAsyncMaxPending(2*MaxInFlight))
	if err != nil {
		return Store{}, fmt.Errorf("webhook: %w", err)
	}
	if e.Storage() == jetstream.MemoryStorage {
		cfg.MaxBytes, cfg.MaxDeadLetters = min(cfg.MaxBytes, 64<<20), min(cfg.MaxDeadLetters, 16<<20)
	}
	records, err := openRecords(ctx, e, js, cfg.MaxBytes)
	if err != nil {
		return Store{}, err
	}
	letters, err := openDeadLetters(ctx, e, js, cfg.MaxDeadLetters)
	if err != nil {
		return Store{}, err
	}
	s := Store{Queue: records, DeadLetters: letters}
	if cfg.Clustered {
		s.Claims, err = openClaims(ctx, e, js)
	}
	return s, err
}
