package backend

import "context"

// A Pending is a call that is on its way.
type Pending[T any] struct {
	done  chan struct{}
	value T
	err   error
}

// start runs call in a goroutine of its own.
func start[T any](call func() (T, error)) *Pending[T] {
	p := &Pending[T]{done: make(chan struct{})}
	go func() {
		defer close(p.done)
		p.value, p.err = call()
	}()
	return p
}

// Done is closed when the call has ended.
func (p *Pending[T]) Done() <-chan struct{} { return p.done }

// Wait returns what the call returned once it has ended, or the error of ctx
// if that ends before. Waiting less does not cancel the call. Any number of
// goroutines may wait, any number of times.
func (p *Pending[T]) Wait(ctx context.Context) (T, error) {
	select {
	case <-p.done:
		return p.value, p.err
	default:
	}
	select {
	case <-p.done:
		return p.value, p.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// TriggerAsync is TriggerMulti in a goroutine of its own, which ends with the
// call: at the latest with ctx or the client's timeout. Data must not be
// changed until then.
func (c *Client) TriggerAsync(ctx context.Context, channels []string, event string, data any, opts ...TriggerOption) *Pending[*TriggerResult] {
	return start(func() (*TriggerResult, error) { return c.TriggerMulti(ctx, channels, event, data, opts...) })
}

// TriggerBatchAsync is TriggerBatch in a goroutine of its own, which ends with
// the call.
func (c *Client) TriggerBatchAsync(ctx context.Context, events []Event) *Pending[*BatchResult] {
	return start(func() (*BatchResult, error) { return c.TriggerBatch(ctx, events) })
}
