package belfrytest

import (
	"context"
	"testing"
	"time"

	"github.com/belfryhq/belfry/client"
)

// Patience is how long the functions of this package wait for what has to
// come, before they end the test.
const Patience = 20 * time.Second

// shutdown closes a client and has everything of it end.
func shutdown(t testing.TB, c *client.Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	if err := c.Shutdown(ctx); err != nil {
		t.Errorf("belfrytest: the client does not end: %v", err)
	}
}

// Connect connects a client, or ends the test.
func Connect(t testing.TB, c *client.Client) {
	t.Helper()
	if err := c.Connect(); err != nil {
		t.Fatalf("belfrytest: connect: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	if err := c.AwaitConnected(ctx); err != nil {
		t.Fatalf("belfrytest: not connected: %v (%v)", err, c.Err())
	}
}

// AwaitSubscribed waits until channels are subscribed, or ends the test.
func AwaitSubscribed(t testing.TB, channels ...*client.Channel) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Patience)
	defer cancel()
	for _, ch := range channels {
		if err := ch.AwaitSubscribed(ctx); err != nil {
			t.Fatalf("belfrytest: %s is not subscribed: %v", ch.Name(), err)
		}
	}
}

// A Collector keeps what arrives until the test asks for it, in order.
type Collector[T any] struct {
	what string
	got  chan T
}

// kept is how many things a Collector keeps; a test that does not ask for
// them is told.
const kept = 4096

func (c *Collector[T]) put(t testing.TB, v T) {
	select {
	case c.got <- v:
	default:
		t.Errorf("belfrytest: nobody asks for the %s: %d wait", c.what, kept)
	}
}

// Next waits for the next one, or ends the test.
func (c *Collector[T]) Next(t testing.TB) T {
	t.Helper()
	timer := time.NewTimer(Patience)
	defer timer.Stop()
	select {
	case v := <-c.got:
		return v
	case <-timer.C:
		t.Fatalf("belfrytest: no %s within %s", c.what, Patience)
		panic("not reached")
	}
}

// Len returns how many have arrived and were not asked for.
func (c *Collector[T]) Len() int { return len(c.got) }

// Collect keeps the events of those names, or all if there is none, that
// arrive from now on.
func Collect(t testing.TB, b client.Binder, names ...string) *Collector[client.Event] {
	c := &Collector[client.Event]{what: "event", got: make(chan client.Event, kept)}
	h := func(_ context.Context, e client.Event) { c.put(t, e) }
	if len(names) == 0 {
		b.BindAll(h)
	}
	for _, name := range names {
		b.Bind(name, h)
	}
	return c
}

// CollectSystem keeps the system events of a kind, such as client.StateChange,
// that happen from now on.
func CollectSystem[T client.SystemEvent](t testing.TB, b client.Binder) *Collector[T] {
	c := &Collector[T]{what: "system event", got: make(chan T, kept)}
	client.On(b, func(_ context.Context, e T) { c.put(t, e) })
	return c
}
