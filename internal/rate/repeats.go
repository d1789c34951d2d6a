package rate

import (
	"sync"
	"time"
)

const (
	// maxKinds is how many kinds of things are told apart.
	maxKinds = 64
	// others is the kind of what comes when there are too many.
	others = ""
)

// telling is how much of one kind is told.
var telling = PerMinute(10)

// Repeats bounds how often a log tells of one kind of thing that others can
// cause: ten times at once, and then every six seconds. The zero value is
// ready. It is safe for concurrent use, and has a lock, which is a leaf.
type Repeats struct {
	mu    sync.Mutex
	kinds map[string]*repeat
}

type repeat struct {
	limiter Limiter
	left    int
}

// Tell reports whether one of a kind is to be told, and how many of it were
// not since the last that was.
func (r *Repeats) Tell(now time.Time, kind string) (left int, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.kindLocked(now, kind)
	if _, ok := k.limiter.Take(now, 1, telling); !ok {
		k.left++
		return 0, false
	}
	left, k.left = k.left, 0
	return left, true
}

// kindLocked returns what is known of a kind, under the lock. Kinds that were rare
// lately are forgotten when there are too many.
func (r *Repeats) kindLocked(now time.Time, kind string) *repeat {
	if k := r.kinds[kind]; k != nil {
		return k
	}
	if len(r.kinds) >= maxKinds {
		for name, k := range r.kinds {
			if k.left == 0 && k.limiter.Full(now) {
				delete(r.kinds, name)
			}
		}
	}
	if len(r.kinds) >= maxKinds {
		kind = others
	}
	if r.kinds == nil {
		r.kinds = make(map[string]*repeat)
	}
	if r.kinds[kind] == nil {
		r.kinds[kind] = new(repeat)
	}
	return r.kinds[kind]
}
