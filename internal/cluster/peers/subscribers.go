package peers

import "slices"

// Subscribers are what peers hold of a channel. The zero value is nothing. Whoever
// uses them holds the lock of the channel.
type Subscribers struct {
	by     Set
	counts []heldCount // of those that have more or fewer than one subscription
}

// A heldCount is how many subscriptions a peer has, or zero while it only
// keeps the channel for clients that it has sent elsewhere.
type heldCount struct {
	by Set // one bit
	n  uint64
}

// By is who holds the channel.
func (s *Subscribers) By() Set { return s.by }

// Linger notes that bits hold the channel, with one subscription each if they are
// new.
func (s *Subscribers) Linger(by Set) { s.by |= by }

// Set notes that peers hold the channel, each with n subscriptions. It
// reports whether that is new.
func (s *Subscribers) Set(by Set, n uint64) (changed bool) {
	changed = s.by&by != by
	s.by |= by
	for ; by != 0; by &= by - 1 {
		changed = s.setCount(by.lowest(), n) || changed
	}
	return changed
}

func (s *Subscribers) setCount(by Set, n uint64) (changed bool) {
	i := slices.IndexFunc(s.counts, func(c heldCount) bool { return c.by == by })
	switch {
	case i >= 0 && n == 1:
		s.counts = slices.Delete(s.counts, i, i+1)
	case i >= 0:
		changed = s.counts[i].n != n
		s.counts[i].n = n
		return changed
	case n != 1:
		s.counts = append(s.counts, heldCount{by, n})
	default:
		return false
	}
	return true
}

// Clear notes that peers hold the channel no more, and reports whether they
// did.
func (s *Subscribers) Clear(by Set) (changed bool) {
	if s.by&by == 0 {
		return false
	}
	s.by &^= by
	s.counts = slices.DeleteFunc(s.counts, func(c heldCount) bool { return c.by&by != 0 })
	if len(s.counts) == 0 {
		s.counts = nil
	}
	return true
}

// Count is how many subscriptions the peers in live have.
func (s *Subscribers) Count(live Set) int {
	n := (s.by & live).Len()
	for _, c := range s.counts {
		if c.by&live != 0 {
			n += int(c.n) - 1
		}
	}
	return n
}
