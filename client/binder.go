package client

import (
	"context"
	"reflect"
	"slices"
)

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

// A Match selects bindings. The zero Match selects all that Bind made.
type Match struct {
	Event string // bound to this name
	Owner any    // bound with this owner
}

// A binder keeps what is bound to a client, channel or user.
type binder struct {
	d     *delivery // immutable
	queue *Queue    // immutable; default of new bindings

	// Guarded by delivery.mu. Lists are only ever appended to or replaced, so
	// that what was in one at some moment can be read later without the lock.
	every []*Binding
	named map[string][]*Binding
	typed map[reflect.Type][]*Binding // of On, by the type of the system event
	ended bool
}

func (s *binder) bound() *binder { return s }

// Bind calls h for events of that name.
func (s *binder) Bind(event string, h Handler, opts ...BindOption) *Binding {
	return s.add(&Binding{name: event, handler: h}, opts)
}

// BindAll calls h for every event.
func (s *binder) BindAll(h Handler, opts ...BindOption) *Binding {
	return s.add(&Binding{every: true, handler: h}, opts)
}

func (s *binder) add(b *Binding, opts []BindOption) *Binding {
	for _, o := range opts {
		o(b)
	}
	b.on = s
	if b.queue == nil {
		b.queue = s.queue
	}
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	switch {
	case s.ended:
		b.removed = true
	case b.every:
		s.every = append(s.every, b)
	case b.typ != nil:
		s.typed = with(s.typed, b.typ, b)
	default:
		s.named = with(s.named, b.name, b)
	}
	return b
}

// with adds a binding to one of the lists, which may be none yet.
func with[K comparable](lists map[K][]*Binding, key K, b *Binding) map[K][]*Binding {
	if lists == nil {
		lists = make(map[K][]*Binding)
	}
	lists[key] = append(lists[key], b)
	return lists
}

// remove takes a binding off its list.
func (s *binder) remove(b *Binding) {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	s.removeLocked(b)
}

// removeLocked is remove with the lock of the delivery held.
func (s *binder) removeLocked(b *Binding) {
	switch {
	case b.every:
		s.every = without(s.every, b)
	case b.typ != nil:
		drop(s.typed, b.typ, b)
	default:
		drop(s.named, b.name, b)
	}
}

// drop takes a binding off one of the lists, and the list if it was the last.
func drop[K comparable](lists map[K][]*Binding, key K, b *Binding) {
	if rest := without(lists[key], b); len(rest) > 0 {
		lists[key] = rest
	} else {
		delete(lists, key)
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
	matching := s.take(m)
	for _, b := range matching {
		b.end()
	}
	return len(matching)
}

// take takes what m matches off its lists and returns it.
func (s *binder) take(m Match) (matching []*Binding) {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	for name, list := range s.named {
		if m.Event != "" && name != m.Event || name == "" { // no event has no name
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
	return matching
}

// UnbindAll removes everything that is bound.
func (s *binder) UnbindAll() { s.clear(false) }

// clear removes everything that is bound, and keeps anything else from being
// bound if that was the end.
func (s *binder) clear(end bool) {
	s.d.mu.Lock()
	all := slices.Clone(s.every)
	for _, list := range s.named {
		all = append(all, list...)
	}
	for _, list := range s.typed {
		all = append(all, list...)
	}
	s.every, s.named, s.typed, s.ended = nil, nil, nil, s.ended || end
	s.d.mu.Unlock()
	for _, b := range all {
		b.end()
	}
}

// selectLocked fills three lists with what is bound to an entry. The lock of
// the delivery is held.
func (s *binder) selectLocked(e *entry, lists [][]*Binding) {
	if e.event.Name != "" {
		lists[0], lists[1] = s.every, s.named[e.event.Name]
	}
	if e.system != nil {
		lists[2] = s.typed[reflect.TypeOf(e.system)]
	}
}

// BindJSON binds h to events of that name and decodes their data. What does
// not decode is a Failure with a [*DecodeError].
func BindJSON[T any](b Binder, event string, h func(ctx context.Context, v T, e Event), opts ...BindOption) *Binding {
	d := b.bound().d
	return b.Bind(event, func(ctx context.Context, e Event) {
		var v T
		if err := e.Decode(&v); err != nil {
			d.fail(&DecodeError{Event: e, Err: err})
			return
		}
		h(ctx, v, e)
	}, opts...)
}
