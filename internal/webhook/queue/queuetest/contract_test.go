package queuetest_test

import (
	"context"
	"testing"

	"github.com/belfryhq/belfry/internal/engine"
	"github.com/belfryhq/belfry/internal/webhook/queue"
	"github.com/belfryhq/belfry/internal/webhook/queue/queuetest"
)

// What tests use in place of the engine does what the engine does.
func TestMemoryIsLikeTheEngine(t *testing.T) {
	queuetest.Run(t, func(*testing.T) *queue.Store { return queuetest.New().Store() })
}

func TestEngine(t *testing.T) {
	queuetest.Run(t, func(t *testing.T) *queue.Store {
		e, err := engine.Open(t.Context(), engine.Config{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := e.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
		s, err := queue.Open(t.Context(), queue.Config{Engine: e, Clustered: true, MaxBytes: 1 << 30, MaxDeadLetters: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		return &s
	})
}
