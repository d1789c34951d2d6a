package client

import (
	"context"
	"reflect"
	"sync"
)

// A Handler takes the events that it is bound to, one at a time and in order
// of arrival. The context ends when the binding does, or the channel or client
// that it is bound to, so that long work can stop.
type Handler func(ctx context.Context, e Event)

// A Binding is one function that is bound. Keeping it is optional.
type Binding struct {
	// Immutable after it was made.
	on      *binder
	queue   *Queue
	every   bool         // bound to every event
	name    string       // bound to the events of this name
	typ     reflect.Type // of On: bound to this type of system event
	owner   any
	once    bool
	handler Handler
	system  func(ctx context.Context, e any) // of On; nil otherwise

	mu sync.Mutex
	// Guarded by mu.
	removed bool
	running int
	idle    chan struct{}   // closed when running gets 0; nil if nobody waits
	ctx     context.Context // of every call, and therefore kept; nil before the first
	cancel  context.CancelFunc
}

// A BindOption changes a binding.
type BindOption func(*Binding)

// InQueue has q call the function instead of the default queue.
func InQueue(q *Queue) BindOption { return func(b *Binding) { b.queue = q } }

// WithOwner marks the binding with a comparable value, for [Match].
func WithOwner(v any) BindOption { return func(b *Binding) { b.owner = v } }

// Once removes the binding before its first call.
func Once() BindOption { return func(b *Binding) { b.once = true } }

// Unbind removes the binding. Once it returns, the function is not called
// again; a call that has begun may still run. It may be called more than once.
func (b *Binding) Unbind() {
	b.forget()
	b.end()
}

// forget takes the binding off its list. A call that runs keeps its context.
func (b *Binding) forget() { b.on.remove(b) }

// end keeps the function from being called again.
func (b *Binding) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.removed = true
	if b.cancel != nil {
		b.cancel()
	}
}

// Active reports whether the function can still be called.
func (b *Binding) Active() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.removed
}

// Wait blocks while the function is running, or until ctx ends. It must not be
// called by that function.
func (b *Binding) Wait(ctx context.Context) error {
	select {
	case <-b.stopped():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stopped is closed when the function is not running.
func (b *Binding) stopped() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	idle := b.idle
	if idle == nil {
		idle = make(chan struct{})
	}
	if b.running == 0 {
		close(idle)
		return idle
	}
	b.idle = idle
	return idle
}

// begin says that the function is about to be called, unless the binding was
// removed.
func (b *Binding) begin() (context.Context, bool) {
	base := b.on.d.context()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.removed {
		return nil, false
	}
	b.running++
	b.removed = b.once
	return b.contextLocked(base), true
}

// contextLocked is what the function gets.
func (b *Binding) contextLocked(base context.Context) context.Context {
	if b.ctx == nil {
		b.ctx, b.cancel = context.WithCancel(base)
	}
	return b.ctx
}

// over is closed when the binding is removed.
func (b *Binding) over() <-chan struct{} {
	base := b.on.d.context()
	b.mu.Lock()
	defer b.mu.Unlock()
	ctx := b.contextLocked(base)
	if b.removed {
		b.cancel()
	}
	return ctx.Done()
}

// done says that a call has ended.
func (b *Binding) done() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.running--
	if b.running > 0 {
		return
	}
	if b.removed && b.cancel != nil {
		b.cancel()
	}
	if b.idle != nil {
		close(b.idle)
		b.idle = nil
	}
}
