package bench

import "slices"

// A sequence knows which numbers of one stream have arrived at one receiver.
// Numbers begin at 1. It is exact, and small as long as little is missing.
type sequence struct {
	reached uint64 // all up to this one have arrived
	high    uint64 // the highest that has arrived
	ahead   []span // what has arrived beyond reached, ascending, with gaps between
}

// A span is the numbers from first to last.
type span struct{ first, last uint64 }

// An arrival is what a number is to the stream that it is a part of.
type arrival int

const (
	inOrder  arrival = iota // above all before it
	late                    // one above it arrived before: the order is broken
	repeated                // it was there already
)

// add notes that n has arrived.
func (s *sequence) add(n uint64) arrival {
	if n == s.reached+1 && len(s.ahead) == 0 {
		s.reached, s.high = n, n
		return inOrder
	}
	if s.has(n) {
		return repeated
	}
	s.insert(n)
	if n < s.high {
		return late
	}
	s.high = n
	return inOrder
}

// insert puts n, which is not there yet, among those ahead.
func (s *sequence) insert(n uint64) {
	i, _ := slices.BinarySearchFunc(s.ahead, n, func(p span, n uint64) int {
		if p.first < n {
			return -1
		}
		return 1
	})
	switch {
	case i > 0 && s.ahead[i-1].last+1 == n:
		i--
		s.ahead[i].last = n
	case i < len(s.ahead) && s.ahead[i].first == n+1:
		s.ahead[i].first = n
	default:
		s.ahead = slices.Insert(s.ahead, i, span{n, n})
	}
	if i+1 < len(s.ahead) && s.ahead[i].last+1 == s.ahead[i+1].first {
		s.ahead[i].last = s.ahead[i+1].last
		s.ahead = slices.Delete(s.ahead, i+1, i+2)
	}
	if s.ahead[0].first == s.reached+1 {
		s.reached = s.ahead[0].last
		s.ahead = slices.Delete(s.ahead, 0, 1)
	}
}

// has reports whether n has arrived.
func (s *sequence) has(n uint64) bool {
	if n <= s.reached {
		return true
	}
	i, found := slices.BinarySearchFunc(s.ahead, n, func(p span, n uint64) int {
		switch {
		case p.last < n:
			return -1
		case p.first > n:
			return 1
		}
		return 0
	})
	return found && i < len(s.ahead)
}

// count is how many different numbers have arrived.
func (s *sequence) count() uint64 {
	n := s.reached
	for _, p := range s.ahead {
		n += p.last - p.first + 1
	}
	return n
}
