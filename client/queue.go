package client

import (
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// An entry is an event with everything that is bound to it at its arrival.
type entry struct {
	number uint64
	lists  [6][]*Binding
	event  Event
	system any // a system event; nil otherwise
}

func (e *entry) size() int64 {
	return int64(len(e.event.Name) + len(e.event.Channel) + len(e.event.Data))
}

// queues appends the queues of everything that is bound, each once.
func (e *entry) queues(list []*Queue) []*Queue {
	for _, bound := range e.lists {
		for _, b := range bound {
			if !slices.Contains(list, b.queue) {
				list = append(list, b.queue)
			}
		}
	}
	return list
}

// A Queue calls the functions that are bound in it, one at a time and in order
// of arrival. It has a goroutine only while it has something to do.
type Queue struct {
	// Immutable.
	cfg        QueueConfig
	goroutines *goroutines // of its client
	n          *counters
	onPanic    func(v any, stack []byte)
	pulled     chan struct{} // not nil: somebody pulls, and is told here that there is something

	dropped atomic.Uint64

	mu sync.Mutex
	// Guarded by mu.
	payload   fifo[entry]
	system    fifo[entry]
	next      uint64        // number of the next entry
	bytes     int64         // waiting in payload
	running   bool          // whether a goroutine delivers
	room      chan struct{} // closed when an event was taken; nil if nobody waits
	unsaid    uint64        // dropped since the last report
	reported  time.Time
	reporting bool // a report waits in some queue
}

// Len returns how many events are waiting.
func (q *Queue) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.payload.len() + q.system.len()
}

// Dropped returns how many events had no room since the queue was made.
func (q *Queue) Dropped() uint64 { return q.dropped.Load() }

// fullLocked reports whether there is no room for an event. q.mu is held.
func (q *Queue) fullLocked(size int64) bool {
	return q.payload.len() >= q.cfg.Size || q.payload.len() > 0 && q.bytes+size > q.cfg.Bytes
}

// A pushed says what became of an event for a queue.
type pushed struct {
	waits  bool // whether the event waits in the queue
	lose   bool // whether the connection has to go
	unsaid bool // whether there is something to report
	full   bool // whether nothing is to be read until there is room
}

// push adds an event, or does what the policy says. What comes once the client
// of the queue is closed is dropped: a function of another client may be bound
// here.
func (q *Queue) push(e entry) (p pushed) {
	if q.goroutines.closed.Load() {
		return pushed{}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	e.number = q.next
	q.next++
	if e.system != nil {
		p.waits, p.lose = q.pushSystemLocked(e)
	} else {
		p.waits, p.lose = q.pushPayloadLocked(e)
	}
	p.unsaid, p.full = q.unsaid > 0, q.blockedLocked()
	if q.pulled != nil {
		select {
		case q.pulled <- struct{}{}:
		default:
		}
	} else if !q.running && q.payload.len()+q.system.len() > 0 {
		if q.running = q.goroutines.start(q.deliver); !q.running { // closed meanwhile
			q.emptyLocked()
			return pushed{}
		}
	}
	return p
}

// pushPayloadLocked adds an event that somebody published. q.mu is held.
func (q *Queue) pushPayloadLocked(e entry) (waits, lose bool) {
	for q.fullLocked(e.size()) {
		switch q.cfg.Overflow {
		case DropNewest:
			q.dropLocked()
			return false, false
		case DropConnection:
			q.dropLocked()
			return false, true
		case Block: // the reader waits before it reads on
			q.addLocked(e)
			return true, false
		default:
			oldest := q.payload.pop()
			q.bytes -= oldest.size()
			q.n.pending.Add(-1)
			q.dropLocked()
		}
	}
	q.addLocked(e)
	return true, false
}

// addLocked puts an event behind the others. q.mu is held.
func (q *Queue) addLocked(e entry) {
	q.payload.push(e)
	q.bytes += e.size()
	q.n.pending.Add(1)
}

// reserve is how many system events find room beyond their allowance, so that
// a client that loses its connection for want of room can say so. What comes
// after these is dropped, whatever it is: nothing waits without a bound.
const reserve = 64

// pushSystemLocked adds a system event. q.mu is held.
func (q *Queue) pushSystemLocked(e entry) (waits, lose bool) {
	n := q.system.len()
	if n >= q.cfg.Size+reserve {
		q.dropLocked()
		return false, true
	}
	q.system.push(e)
	q.n.pending.Add(1)
	return true, n >= q.cfg.Size
}

// dropLocked counts an event that had no room. q.mu is held.
func (q *Queue) dropLocked() {
	q.dropped.Add(1)
	q.n.dropped.Add(1)
	q.unsaid++
}

// report returns what was dropped since the last report, if it is time to say
// so: once a second, and not before the last one was heard.
func (q *Queue) report(now time.Time) (n uint64, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.unsaid == 0 || q.reporting || now.Sub(q.reported) < time.Second && !q.reported.IsZero() {
		return 0, false
	}
	n, q.unsaid, q.reported, q.reporting = q.unsaid, 0, now, true
	return n, true
}

// heard says that the last report was delivered, or that nobody listens.
func (q *Queue) heard() {
	q.mu.Lock()
	q.reporting = false
	q.mu.Unlock()
}

// take removes the event that arrived first.
func (q *Queue) take() (entry, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	var e entry
	switch {
	case q.system.len() > 0 && (q.payload.len() == 0 || q.system.front().number < q.payload.front().number):
		e = q.system.pop()
	case q.payload.len() > 0:
		e = q.payload.pop()
		q.bytes -= e.size()
	default:
		q.running = false
		return entry{}, false
	}
	q.n.pending.Add(-1)
	if q.room != nil {
		close(q.room)
		q.room = nil
	}
	return e, true
}

// blocked returns a channel that is closed when there may be room, or nil if
// there is room now, or if the policy is not to wait for it.
func (q *Queue) blocked() <-chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.blockedLocked() {
		return nil
	}
	if q.room == nil {
		q.room = make(chan struct{})
	}
	return q.room
}

// blockedLocked reports whether nothing is to be read until there is room.
func (q *Queue) blockedLocked() bool { return q.cfg.Overflow == Block && q.fullLocked(0) }

// clear drops everything that waits.
func (q *Queue) clear() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.emptyLocked()
}

// emptyLocked is clear with q.mu held.
func (q *Queue) emptyLocked() {
	q.n.pending.Add(-int64(q.payload.len() + q.system.len()))
	q.payload, q.system, q.bytes = fifo[entry]{}, fifo[entry]{}, 0
}

// deliver calls what is bound until nothing waits.
func (q *Queue) deliver() {
	for {
		e, ok := q.take()
		if !ok {
			return
		}
		q.handle(&e)
	}
}

// handle calls everything that is bound to an event in this queue.
func (q *Queue) handle(e *entry) {
	for _, list := range e.lists {
		for _, b := range list {
			if b.queue == q {
				q.call(b, e)
			}
		}
	}
	if f, ok := e.system.(Failure); ok {
		if slow, ok := f.Err.(*SlowConsumerError); ok {
			slow.of.heard()
		}
	}
}

// call calls one function.
func (q *Queue) call(b *Binding, e *entry) {
	ctx, ok := b.begin()
	if !ok {
		return
	}
	defer b.done()
	if b.once {
		b.forget()
	}
	if q.onPanic != nil {
		defer func() {
			if v := recover(); v != nil {
				q.onPanic(v, debug.Stack())
			}
		}()
	}
	q.n.delivered.Add(1)
	if b.system != nil {
		if e.system != nil {
			b.system(ctx, e.system)
		}
		return
	}
	b.handler(ctx, e.event)
}

// A SlowConsumerError says that a queue was full. It is reported at most once
// a second for each queue.
type SlowConsumerError struct {
	Queue   string // its name
	Dropped uint64 // events since the last report

	of *Queue
}

// Error returns the queue and how many events were dropped.
func (e *SlowConsumerError) Error() string {
	return fmt.Sprintf("client: queue %q is full, %d events were dropped", e.Queue, e.Dropped)
}
