package client

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// A delivery hands events to the functions that are bound to them, by way of
// queues. It knows nothing of connections: others tell it what happens.
type delivery struct {
	// Immutable.
	log        *slog.Logger
	debug      bool // whether the log wants to know of every message
	onPanic    func(v any, stack []byte)
	goroutines *goroutines
	n          *counters
	all        *binder         // that of the client: sees every event
	queue      *Queue          // the default one
	lose       func(err error) // gives up the connection, if there is one

	// base is the parent of the contexts that functions get. It is kept since
	// they are made when a function is first called, and end with the client.
	base func() (context.Context, context.CancelFunc)

	mu sync.Mutex
	// Guarded by mu, as are the lists of every binder.
	crowded []*Queue // in which there was no room for an event, though it waits there
}

// newDelivery returns one for what is bound to all and to other binders of it.
func newDelivery(cfg *Config, all *binder, goroutines *goroutines, n *counters, lose func(error)) *delivery {
	d := &delivery{
		log:        cfg.Logger,
		debug:      cfg.Logger.Enabled(context.Background(), slog.LevelDebug),
		onPanic:    cfg.OnPanic,
		goroutines: goroutines, n: n, all: all, lose: lose,
	}
	d.queue = d.newQueue(cfg.Queue)
	d.base = sync.OnceValues(func() (context.Context, context.CancelFunc) {
		parent := context.Background()
		if cfg.BaseContext != nil {
			parent = cfg.BaseContext()
		}
		return context.WithCancel(parent)
	})
	return d
}

// newQueue returns another queue.
func (d *delivery) newQueue(cfg QueueConfig) *Queue {
	return &Queue{cfg: cfg, goroutines: d.goroutines, n: d.n, onPanic: d.onPanic}
}

// context is the parent of the contexts that functions of the program get.
func (d *delivery) context() context.Context {
	ctx, _ := d.base()
	return ctx
}

// end ends all contexts that functions got.
func (d *delivery) end() {
	_, cancel := d.base()
	cancel()
}

// published hands an event to what is bound to it: on own, if that is not nil,
// and on the client.
func (d *delivery) published(own *binder, e Event) { d.push(own, entry{event: e}) }

// happened hands a system event to what is bound to it, and e too, if it has a
// name.
func (d *delivery) happened(own *binder, system any, e Event) {
	if e.Name != "" && e.Received.IsZero() {
		e.Received = time.Now()
	}
	d.push(own, entry{event: e, system: system})
}

// fail tells of an error that no call returns.
func (d *delivery) fail(err error) {
	d.log.Warn("failure", "err", err)
	d.happened(nil, Failure{err}, Event{})
}

// push puts an entry into the queue of everything that is bound to it: own
// before the client, all-event functions before named ones, and those of On at
// the end.
func (d *delivery) push(own *binder, e entry) {
	d.mu.Lock()
	if own != nil {
		own.selectLocked(&e, e.lists[:3])
	}
	d.all.selectLocked(&e, e.lists[3:])
	d.mu.Unlock()
	var few [4]*Queue
	queues := e.queues(few[:0])
	if len(queues) == 0 && d.debug {
		d.log.Debug("nothing is bound", "event", e.event.Name, "channel", e.event.Channel)
	}
	for _, q := range queues {
		d.pushTo(q, e)
	}
}

// pushTo puts an entry into one queue and sees to what follows if it is full.
func (d *delivery) pushTo(q *Queue, e entry) {
	p := q.push(e)
	if p.lose {
		d.lose(&SlowConsumerError{Queue: q.cfg.Name, Dropped: 1, of: q})
	}
	if p.unsaid {
		d.report(q)
	}
	if p.full {
		d.mu.Lock()
		defer d.mu.Unlock()
		if !slices.Contains(d.crowded, q) {
			d.crowded = append(d.crowded, q)
		}
	}
}

// takeCrowded returns the queues in which nothing has room since the last call.
// Who reads the connection has to wait for them.
func (d *delivery) takeCrowded() []*Queue {
	d.mu.Lock()
	defer d.mu.Unlock()
	crowded := d.crowded
	d.crowded = nil
	return crowded
}

// report tells that a queue had to drop events, if it is time to.
func (d *delivery) report(q *Queue) {
	n, ok := q.report(time.Now())
	if !ok {
		return
	}
	d.log.Warn("queue is full", "queue", q.cfg.Name, "dropped", n)
	e := entry{system: Failure{&SlowConsumerError{Queue: q.cfg.Name, Dropped: n, of: q}}}
	d.mu.Lock()
	d.all.selectLocked(&e, e.lists[3:])
	d.mu.Unlock()
	heard := true
	for _, listener := range e.queues(nil) {
		if listener.push(e).waits {
			heard = false
		}
	}
	if heard {
		q.heard()
	}
}
