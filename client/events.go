package client

import (
	"context"
	"iter"
)

// Events returns the events of those names, or all if there is none, that
// arrive from the first iteration on. They wait in a queue of their own, with
// the default limits, on which the loop runs. It ends when ctx does, with
// Unsubscribe, with UnbindAll, and with Close; leaving it early leaves nothing
// behind.
func Events(ctx context.Context, b Binder, names ...string) iter.Seq[Event] {
	return func(yield func(Event) bool) {
		s := b.bound()
		q := s.d.newQueue(QueueConfig{}.withDefaults("events"))
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

// A pull is the end of a queue from which a loop takes events.
type pull struct {
	q        *Queue
	bindings []*Binding
	event    Event
	got      bool
}

func newPull(q *Queue) *pull {
	q.pulled = make(chan struct{}, 1)
	return &pull{q: q}
}

func (p *pull) add(b *Binding) { p.bindings = append(p.bindings, b) }

// handler is what is bound: it runs within next.
func (p *pull) handler(_ context.Context, e Event) { p.event, p.got = e, true }

// next returns the next event, once there is one. It is not ok when ctx ends
// or everything was unbound.
func (p *pull) next(ctx context.Context) (Event, bool) {
	for len(p.bindings) > 0 && ctx.Err() == nil {
		if e, ok := p.q.take(); ok {
			p.got = false
			p.q.handle(&e)
			if p.got {
				return p.event, true
			}
			continue
		}
		select {
		case <-p.q.pulled:
		case <-ctx.Done():
		case <-p.bindings[0].over():
			p.bindings = p.bindings[1:]
		}
	}
	return Event{}, false
}

// end unbinds everything.
func (p *pull) end() {
	for _, b := range p.bindings {
		b.Unbind()
	}
	p.q.clear()
}
