package loop

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestComeRoundNamesALoopThatIsStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGroup(Config{Loops: 2, Portable: true})
		within := func(d time.Duration) error {
			ctx, cancel := context.WithTimeout(t.Context(), d)
			defer cancel()
			return g.ComeRound(ctx)
		}
		if err := within(time.Second); err != nil {
			t.Errorf("idle loops: %v", err)
		}
		g.Post(1, func(int) { time.Sleep(10 * time.Second) }, 1)
		if err := within(5 * time.Second); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "loop 1 ") {
			t.Errorf("with a loop that is stuck: %v, want it named", err)
		}
		if err := within(time.Minute); err != nil {
			t.Errorf("when it goes on: %v", err)
		}
		if err := g.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
