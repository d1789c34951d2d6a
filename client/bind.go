package client

import (
	"context"
	"iter"
	"slices"
	"sync"
)

// A Handler takes the events that it is bound to, one at a time and in order
// of arrival. The context ends when the binding does, or the channel or client
// that it is bound to, so that long work can stop.
type Handler func(ctx context.Context, e Event)

// A Binder is what functions can be bound to: a [*Client], which sees the
// events of every channel, a [*Channel], or a [*User].
type Binder interface {
	// Bind calls h for events of that name. It may be called at any time, also
	// by a bound function, and counts from the next event. On a channel that
	// is unsubscribed, or a client that is closed, it binds nothing.
	Bind(event string, h Handler, opts ...BindOption) *Binding
	// BindAll calls h for every event.
	BindAll(h Handler, opts ...BindOption) *Binding
	// Unbind removes what Bind bound and every field of m matches that is not
	// zero, and returns how many bindings that were.
	Unbind(m Match) (removed int)
	// UnbindAll removes everything that was bound, by On too.
	UnbindAll()

	bound() *binder
}

var (
	_ Binder = (*Client)(nil)
	_ Binder = (*Channel)(nil)
	_ Binder = (*User)(nil)
)

// A Match selects bindings. The zero Match selects all that Bind made.
type Match struct {
	Event string // bound to this name
	Owner any    // bound with this owner
}

// A Binding is one function that is bound. Keeping it is optional.
type Binding struct {
	// Immutable after it was made.
	on      *binder
	queue   *Queue
	name    string // empty: every event
	owner   any
	once    bool
	handler Handler
	system  func(ctx context.Context, e any) // of On; nil otherwise

	mu sync.Mutex
	// Guarded by mu.
	removed bool
	running int
	idle    chan struct{} // closed when running gets 0; nil if nobody waits
	ctx     context.Context
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
func (b *Binding) forget() {
	b.on.c.mu.Lock()
	b.on.removeLocked(b)
	b.on.c.mu.Unlock()
}

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
	b.mu.Lock()
	if b.running == 0 {
		b.mu.Unlock()
		return nil
	}
	if b.idle == nil {
		b.idle = make(chan struct{})
	}
	idle := b.idle
	b.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// begin says that the function is about to be called, unless the binding was
// removed.
func (b *Binding) begin() (context.Context, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.removed {
		return nil, false
	}
	if b.ctx == nil {
		b.ctx, b.cancel = context.WithCancel(b.on.c.context())
	}
	b.running++
	b.removed = b.once
	return b.ctx, true
}

// over is closed when the binding is removed.
func (b *Binding) over() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ctx == nil {
		b.ctx, b.cancel = context.WithCancel(b.on.c.context())
	}
	if b.removed {
		b.cancel()
	}
	return b.ctx.Done()
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

// A binder keeps what is bound to a client, channel or user.
type binder struct {
	c *Client // immutable

	// Guarded by Client.mu. Lists are only ever appended to or replaced, so
	// that what was in one at some moment can be read later without the lock.
	queue *Queue // default of new bindings; nil: that of the client
	every []*Binding
	named map[string][]*Binding
	ended bool
}

func (s *binder) bound() *binder { return s }

// Bind calls h for events of that name.
func (s *binder) Bind(event string, h Handler, opts ...BindOption) *Binding {
	if event == "" {
		event = "\x00" // no event has no name
	}
	return s.add(&Binding{name: event, handler: h}, opts)
}

// BindAll calls h for every event.
func (s *binder) BindAll(h Handler, opts ...BindOption) *Binding {
	return s.add(&Binding{handler: h}, opts)
}

func (s *binder) add(b *Binding, opts []BindOption) *Binding {
	for _, o := range opts {
		o(b)
	}
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	b.on = s
	if b.queue == nil {
		b.queue = s.queue
	}
	if b.queue == nil {
		b.queue = s.c.queue
	}
	switch {
	case s.ended || s.c.closed:
		b.removed = true
	case b.name == "":
		s.every = append(s.every, b)
	default:
		if s.named == nil {
			s.named = make(map[string][]*Binding)
		}
		s.named[b.name] = append(s.named[b.name], b)
	}
	return b
}

// removeLocked takes a binding off its list. Client.mu is held.
func (s *binder) removeLocked(b *Binding) {
	if b.name == "" {
		s.every = without(s.every, b)
		return
	}
	if rest := without(s.named[b.name], b); len(rest) > 0 {
		s.named[b.name] = rest
	} else {
		delete(s.named, b.name)
	}
}

// without returns a list that does not have b, and leaves the old one alone.
func without(list []*Binding, b *Binding) []*Binding {
	i := slices.Index(list, b)
	if i < 0 {
		return list
	}
	return slices.Concat(list[:i], list[i+1:])
}

// Unbind removes what m matches.
func (s *binder) Unbind(m Match) (removed int) {
	s.c.mu.Lock()
	var matching []*Binding
	for name, list := range s.named {
		if m.Event != "" && name != m.Event || name[0] == 0 {
			continue
		}
		for _, b := range list {
			if m.Owner == nil || b.owner == m.Owner {
				matching = append(matching, b)
			}
		}
	}
	for _, b := range matching {
		s.removeLocked(b)
	}
	s.c.mu.Unlock()
	for _, b := range matching {
		b.end()
	}
	return len(matching)
}

// UnbindAll removes everything that is bound.
func (s *binder) UnbindAll() {
	s.c.mu.Lock()
	all := s.clearLocked()
	s.c.mu.Unlock()
	for _, b := range all {
		b.end()
	}
}

// clearLocked takes all bindings off their lists and returns them. Client.mu
// is held.
func (s *binder) clearLocked() []*Binding {
	all := slices.Clone(s.every)
	for _, list := range s.named {
		all = append(all, list...)
	}
	s.every, s.named = nil, nil
	return all
}

// BindJSON binds h to events of that name and decodes their data. What does
// not decode is a Failure with a [*DecodeError].
func BindJSON[T any](b Binder, event string, h func(ctx context.Context, v T, e Event), opts ...BindOption) *Binding {
	c := b.bound().c
	return b.Bind(event, func(ctx context.Context, e Event) {
		var v T
		if err := e.Decode(&v); err != nil {
			c.fail(&DecodeError{Event: e, Err: err})
			return
		}
		h(ctx, v, e)
	}, opts...)
}

// On binds h to a system event, by the type of its argument. On a client it
// gets those of all channels and of the user, and those of connections; on a
// channel or user only its own.
func On[T SystemEvent](b Binder, h func(ctx context.Context, e T), opts ...BindOption) *Binding {
	var zero T
	return b.bound().add(&Binding{
		name:   systemKey(zero),
		system: func(ctx context.Context, e any) { h(ctx, e.(T)) },
	}, opts)
}

// Events returns the events of those names, or all if there is none, that
// arrive from the first iteration on. They wait in a queue of their own, with
// the default limits, on which the loop runs. It ends when ctx does, with
// Unsubscribe, with UnbindAll, and with Close; leaving it early leaves nothing
// behind.
func Events(ctx context.Context, b Binder, names ...string) iter.Seq[Event] {
	return func(yield func(Event) bool) {
		s := b.bound()
		q := s.c.NewQueue(QueueConfig{Name: "events"})
		pulled := newPull(q)
		defer pulled.end()
		if len(names) == 0 {
			pulled.add(b.BindAll(pulled.handler, InQueue(q)))
		}
		for _, name := range names {
			pulled.add(b.Bind(name, pulled.handler, InQueue(q)))
		}
		for {
			e, ok := pulled.next(ctx)
			if !ok || !yield(e) {
				return
			}
		}
	}
}
