// Package keyed holds things by their keys, where most have a few of them and some
// have very many. A [Set] is a list as long as it is short, and a map from then on.
//
// A Set has no lock. Whoever owns it calls it from one goroutine.
package keyed

import (
	"iter"
	"slices"
)

// Few is how many are searched one by one.
const Few = 8

// A Thing knows its key, which does not change.
type Thing interface {
	comparable
	Key() string
}

// A Set holds things, each under a key of its own. The zero Set is empty.
type Set[T Thing] struct {
	few  []T
	many map[string]T // nil until there are more than a few
}

// Len is how many there are.
func (s *Set[T]) Len() int {
	if s.many != nil {
		return len(s.many)
	}
	return len(s.few)
}

// Get returns the thing under a key, or the zero T.
func (s *Set[T]) Get(key string) (found T) {
	if s.many != nil {
		return s.many[key]
	}
	for _, t := range s.few {
		if t.Key() == key {
			return t
		}
	}
	return found
}

// Add adds a thing whose key is not there yet.
func (s *Set[T]) Add(t T) {
	if s.many == nil && len(s.few) == Few {
		s.many = make(map[string]T, 2*Few)
		for _, t := range s.few {
			s.many[t.Key()] = t
		}
		s.few = nil
	}
	if s.many != nil {
		s.many[t.Key()] = t
		return
	}
	s.few = append(s.few, t)
}

// Remove takes away a thing that is there.
func (s *Set[T]) Remove(t T) {
	if s.many != nil {
		delete(s.many, t.Key())
		return
	}
	i := slices.Index(s.few, t)
	s.few = slices.Delete(s.few, i, i+1)
}

// All yields the things, in no order.
func (s *Set[T]) All() iter.Seq[T] {
	return func(yield func(T) bool) {
		for _, t := range s.few {
			if !yield(t) {
				return
			}
		}
		for _, t := range s.many {
			if !yield(t) {
				return
			}
		}
	}
}

// Drain yields the things, and takes away each that it yields.
func (s *Set[T]) Drain() iter.Seq[T] {
	return func(yield func(T) bool) {
		for len(s.few) > 0 {
			t := s.few[0]
			s.few = s.few[1:]
			if !yield(t) {
				return
			}
		}
		for key, t := range s.many {
			delete(s.many, key)
			if !yield(t) {
				return
			}
		}
	}
}
