package fallback

import (
	"iter"
	"slices"
	"time"
)

const (
	// orderWait is how long a request waits for those that the client sent
	// before it, after it came itself or one of them did.
	orderWait = 100 * time.Millisecond
	// maxOrderWait is how long it waits at most.
	maxOrderWait = time.Second
	// maxEarly is how many requests wait at once, and maxEarlyCost how much
	// memory they may take.
	maxEarly     = 512
	maxEarlyCost = 512 << 10
	// messageCost is about what a message takes beside its bytes, and
	// requestCost a request beside its messages.
	messageCost = 40
	requestCost = 64
)

// An order puts requests back into the order in which the client made them,
// as far as that can be known. Each message is a request of its own, and
// they overtake each other. Clients number all their requests, those of
// other sessions too, so that a gap may never be filled.
type order struct {
	next  uint64    // the lowest number that was not seen; 0: none was
	early []request // of higher numbers, sorted
	late  time.Time // when a request came that others had overtaken
	cost  int       // of the requests in early
	ready [][]byte  // messages that are in order
	owed  int       // cost of ready
}

// A request is what is known of one that came too early.
type request struct {
	number   uint64
	messages [][]byte // nil for a receive request
	came     time.Time
}

// add notes a request. Without a number it is in order.
func (o *order) add(number uint64, messages [][]byte, now time.Time) {
	switch {
	case number != 0 && o.next == 0:
		o.next = number + 1
		o.put(messages)
	case number > o.next:
		i, found := slices.BinarySearchFunc(o.early, number, func(r request, n uint64) int {
			if r.number < n {
				return -1
			}
			return int(min(r.number-n, 1))
		})
		if found {
			return // sent twice on its way
		}
		if i < len(o.early) {
			o.late = now
		}
		o.early = slices.Insert(o.early, i, request{number, messages, now})
		o.cost += requestCost + cost(messages)
		if len(o.early) > maxEarly || o.cost > maxEarlyCost {
			o.release(len(o.early))
		}
	case number == o.next && number != 0:
		o.next++
		o.late = now
		o.put(messages)
		o.release(0)
	default:
		o.put(messages)
	}
}

// put makes messages ready.
func (o *order) put(messages [][]byte) {
	o.ready = append(o.ready, messages...)
	o.owed += cost(messages)
}

// release makes the first n early requests ready, and those that follow them
// without a gap.
func (o *order) release(n int) {
	for n < len(o.early) && (n > 0 && o.early[n].number == o.early[n-1].number+1 || n == 0 && o.early[0].number == o.next) {
		n++
	}
	if n == 0 {
		return
	}
	for _, r := range o.early[:n] {
		o.put(r.messages)
		o.cost -= requestCost + cost(r.messages)
	}
	o.next = o.early[n-1].number + 1
	o.early = slices.Delete(o.early, 0, n)
	if len(o.early) == 0 {
		o.early = nil
	}
}

// due is when [order.expire] has to be called, or zero.
func (o *order) due() time.Time {
	var first time.Time
	for _, r := range o.early {
		if t := o.dueOf(r); first.IsZero() || t.Before(first) {
			first = t
		}
	}
	return first
}

// dueOf is when r has waited long enough. While others still come late, more
// may.
func (o *order) dueOf(r request) time.Time {
	due := r.came
	if o.late.After(due) {
		due = o.late
	}
	due = due.Add(orderWait)
	if most := r.came.Add(maxOrderWait); most.Before(due) {
		return most
	}
	return due
}

// expire gives up waiting for what should have come before the requests that
// have waited long enough.
func (o *order) expire(now time.Time) {
	for n := len(o.early); n > 0; n-- {
		if !now.Before(o.dueOf(o.early[n-1])) {
			o.release(n)
			return
		}
	}
}

// take yields the messages that are ready, in order, each once.
func (o *order) take() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for len(o.ready) > 0 {
			m := o.ready[0]
			o.ready[0] = nil
			o.ready = o.ready[1:]
			o.owed -= messageCost + len(m)
			if !yield(m) {
				return
			}
		}
		o.ready = nil
	}
}

// cost is about how much memory messages take.
func cost(messages [][]byte) int {
	n := 0
	for _, m := range messages {
		n += messageCost + len(m)
	}
	return n
}
