package client

import (
	"cmp"
	"context"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// A QueueConfig says how much may wait in a queue, and what happens then.
type QueueConfig struct {
	Name     string // in errors and logs
	Size     int    // events that may wait; default 1024
	Bytes    int64  // of their names and data; default 8 MiB
	Overflow OverflowPolicy
}

// An OverflowPolicy says what happens to an event for which a queue has no
// room. System events are never dropped by DropOldest and DropNewest: they
// have room for Size of their own, and when that is used up, DropConnection
// applies whatever the policy is.
type OverflowPolicy uint8

// The policies.
const (
	DropOldest     OverflowPolicy = iota // the oldest waiting event goes
	DropNewest                           // the event that arrives goes
	Block                                // nothing is read from the connection until there is room, for any queue
	DropConnection                       // the event goes, and the connection is lost, so that everything starts anew
)

func (cfg QueueConfig) withDefaults(name string) QueueConfig {
	cfg.Name = cmp.Or(cfg.Name, name)
	cfg.Size = max(cmp.Or(cfg.Size, 1024), 1)
	cfg.Bytes = max(cmp.Or(cfg.Bytes, 8<<20), 1)
	return cfg
}

// A Queue calls the functions that are bound in it, one at a time and in order
// of arrival. It has a goroutine only while it has something to do.
type Queue struct {
	c      *Client
	cfg    QueueConfig
	pulled chan struct{} // not nil: somebody pulls, and is told here that there is something

	dropped atomic.Uint64

	mu sync.Mutex // taken after Client.mu
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

// NewQueue returns another queue. It ends with the client. Functions of other
// clients may be bound in it too: it calls them in one order with those of this
// client, until this one is closed.
func (c *Client) NewQueue(cfg QueueConfig) *Queue {
	q := &Queue{c: c, cfg: cfg.withDefaults("unnamed")}
	return q
}

// Len returns how many events are waiting.
func (q *Queue) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.payload.len() + q.system.len()
}

// Dropped returns how many events had no room since the queue was made.
func (q *Queue) Dropped() uint64 { return q.dropped.Load() }

// full reports whether there is no room for an event. q.mu is held.
func (q *Queue) full(size int64) bool {
	return q.payload.len() >= q.cfg.Size || q.payload.len() > 0 && q.bytes+size > q.cfg.Bytes
}

// A pushed says what became of an event for a queue.
type pushed struct {
	waits  bool // whether the event waits in the queue
	lose   bool // whether the connection has to go
	unsaid bool // whether there is something to report
}

// push adds an event, or does what the policy says. What comes once the client
// of the queue is closed is dropped: a function of another client may be bound
// here.
func (q *Queue) push(e entry) (p pushed) {
	if q.c.life.closed.Load() {
		return pushed{}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	e.number = q.next
	q.next++
	if e.system != nil {
		p.waits, p.lose = q.pushSystem(e)
	} else {
		p.waits, p.lose = q.pushPayload(e)
	}
	p.unsaid = q.unsaid > 0
	if q.pulled != nil {
		select {
		case q.pulled <- struct{}{}:
		default:
		}
	} else if !q.running && q.payload.len()+q.system.len() > 0 {
		if q.running = q.c.life.start(q.deliver); !q.running { // closed meanwhile
			q.empty()
			return pushed{}
		}
	}
	return p
}

// pushPayload adds an event that somebody published. q.mu is held.
func (q *Queue) pushPayload(e entry) (waits, lose bool) {
	for q.full(e.size()) {
		switch q.cfg.Overflow {
		case DropNewest:
			q.drop()
			return false, false
		case DropConnection:
			q.drop()
			return false, true
		case Block: // the reader waits before it reads on
			q.add(e)
			return true, false
		default:
			oldest := q.payload.pop()
			q.bytes -= oldest.size()
			q.c.pending.Add(-1)
			q.drop()
		}
	}
	q.add(e)
	return true, false
}

// add puts an event behind the others. q.mu is held.
func (q *Queue) add(e entry) {
	q.payload.push(e)
	q.bytes += e.size()
	q.c.pending.Add(1)
}

// reserve is how many system events find room beyond their allowance, so that
// a client that loses its connection for want of room can say so. What comes
// after these is dropped, whatever it is: nothing waits without a bound.
const reserve = 64

// pushSystem adds a system event. q.mu is held.
func (q *Queue) pushSystem(e entry) (waits, lose bool) {
	n := q.system.len()
	if n >= q.cfg.Size+reserve {
		q.drop()
		return false, true
	}
	q.system.push(e)
	q.c.pending.Add(1)
	return true, n >= q.cfg.Size
}

// drop counts an event that had no room. q.mu is held.
func (q *Queue) drop() {
	q.dropped.Add(1)
	q.c.dropped.Add(1)
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
	q.c.pending.Add(-1)
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
	if q.cfg.Overflow != Block || !q.full(0) {
		return nil
	}
	if q.room == nil {
		q.room = make(chan struct{})
	}
	return q.room
}

// clear drops everything that waits.
func (q *Queue) clear() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.empty()
}

// empty is clear for who holds q.mu.
func (q *Queue) empty() {
	q.c.pending.Add(-int64(q.payload.len() + q.system.len()))
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
	if q.c.cfg.OnPanic != nil {
		defer func() {
			if v := recover(); v != nil {
				q.c.cfg.OnPanic(v, debug.Stack())
			}
		}()
	}
	q.c.delivered.Add(1)
	if b.system != nil {
		if e.system != nil {
			b.system(ctx, e.system)
		}
		return
	}
	b.handler(ctx, e.event)
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
