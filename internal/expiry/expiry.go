// Package expiry keeps things for a while. All of a [Queue] are kept equally
// long, so they end in the order in which they began, and none needs a timer.
package expiry

import (
	"time"

	"github.com/belfryhq/belfry/internal/wakeup"
)

// A Queue has keys that end, in the order in which they began. The zero value
// is empty. It is not safe for concurrent use: whoever has one guards it.
type Queue[K comparable] struct {
	of    map[K]*entry[K]
	order []*entry[K] // with those that were canceled
	head  int         // of order
}

type entry[K comparable] struct {
	key      K
	until    time.Time
	canceled bool
}

// Begin keeps a key until a time. If that is before the time of another key, it
// still ends after that one. A key that is kept already begins anew. First is whether it is now the only one,
// so that somebody has to watch the time.
func (q *Queue[K]) Begin(k K, until time.Time) (first bool) {
	q.Cancel(k)
	q.skip()
	if q.of == nil {
		q.of = make(map[K]*entry[K])
	}
	e := &entry[K]{key: k, until: until}
	q.of[k] = e
	q.order = append(q.order, e)
	return len(q.order)-q.head == 1
}

// Has reports whether a key is kept.
func (q *Queue[K]) Has(k K) bool { return q.of[k] != nil }

// Len is how many keys are kept.
func (q *Queue[K]) Len() int { return len(q.of) }

// Cancel keeps a key no longer, and reports whether it was kept.
func (q *Queue[K]) Cancel(k K) bool {
	e := q.of[k]
	if e == nil {
		return false
	}
	delete(q.of, k)
	e.canceled = true
	return true
}

// Next returns when the next key ends, or zero if there is none.
func (q *Queue[K]) Next() time.Time {
	q.skip()
	if q.head == len(q.order) {
		return time.Time{}
	}
	return q.order[q.head].until
}

// Due takes a key whose time has come.
func (q *Queue[K]) Due(now time.Time) (K, bool) {
	if next := q.Next(); next.IsZero() || next.After(now) {
		var none K
		return none, false
	}
	return q.Take()
}

// Take takes the key that has been kept longest, whether its time has come or
// not.
func (q *Queue[K]) Take() (k K, ok bool) {
	q.skip()
	if q.head == len(q.order) {
		return k, false
	}
	e := q.order[q.head]
	q.order[q.head] = nil
	q.head++
	delete(q.of, e.key)
	return e.key, true
}

// skip takes those that were canceled off the front, and gives memory back.
func (q *Queue[K]) skip() {
	const many = 1024
	for q.head < len(q.order) && q.order[q.head].canceled {
		q.order[q.head] = nil
		q.head++
	}
	if q.head == len(q.order) {
		q.order, q.head = nil, 0
	} else if q.head > many && q.head > len(q.order)/2 {
		q.order = append([]*entry[K](nil), q.order[q.head:]...)
		q.head = 0
	}
}

// lookEvery bounds how often Watch looks.
const lookEvery = 10 * time.Millisecond

// Watch calls expire when the time of a key has come, until quit is closed.
// Expire takes what is due and returns when there will be more, as
// [Queue.Next] does. First is to be set when Begin has returned true. Watch
// costs nothing while no key is kept.
func Watch(quit <-chan struct{}, first wakeup.Signal, expire func(now time.Time) time.Time) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-quit:
			return
		case <-first:
		case <-timer.C:
		}
		next := expire(time.Now())
		if next.IsZero() {
			timer.Stop()
			continue
		}
		timer.Reset(max(time.Until(next), lookEvery))
	}
}
