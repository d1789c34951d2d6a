package webhook

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// maxWindow is how many bytes all endpoints together keep in memory of what
// is in the queue. An endpoint that has nothing may always load one record.
const maxWindow = 64 << 20

// endpoints are those that have, or had, something to deliver.
type endpoints struct {
	sender *Sender
	window atomic.Int64 // bytes in memory
	term   atomic.Pointer[term]

	mu       sync.Mutex
	all      map[address]*endpoint
	stopping bool

	ctx     context.Context // of everything that talks to the queue without a caller
	cancel  context.CancelFunc
	quit    chan struct{} // closed when no new attempt is to start
	running sync.WaitGroup
	remover *remover
}

// A term is the time from a start, or from when the others have given the node
// up, until they do so again or the process ends. What is in memory is of one
// term.
type term struct {
	owner    owner           // of the queue that is published to
	began    time.Time       // what was in queues then was taken over
	ctx      context.Context // ends with the term, and with it all that belongs to it
	cancel   context.CancelFunc
	attempts context.Context // of requests; ends before ctx when the process stops and they take too long
	abandon  context.CancelFunc
}

func newTerm(ctx context.Context, by owner) *term {
	t := &term{owner: by, began: time.Now()}
	t.ctx, t.cancel = context.WithCancel(ctx)
	t.attempts, t.abandon = context.WithCancel(t.ctx)
	return t
}

// newEndpoints returns none, of an owner's first term.
func newEndpoints(s *Sender, by owner) *endpoints {
	es := &endpoints{
		sender: s,
		all:    make(map[address]*endpoint),
		quit:   make(chan struct{}),
	}
	es.ctx, es.cancel = context.WithCancel(context.Background())
	es.term.Store(newTerm(es.ctx, by))
	es.remover = newRemover(es)
	return es
}

// resume delivers what an earlier process of the same owner has left.
func (es *endpoints) resume(ctx context.Context) error {
	t := es.term.Load()
	left, err := es.sender.queue.backlog(ctx, t.owner)
	if err != nil {
		return err
	}
	if records := es.take(t, t.began, estate{t.owner, left}); records > 0 {
		es.sender.log.Info("delivering webhooks that were left in the queue", "records", records, "endpoints", len(left))
	}
	return nil
}

// An estate is what was in the queue of an owner when it was looked at.
type estate struct {
	of   owner
	left map[address]backlog
}

// take delivers what is in queues, in the order in which it came, unless the
// term is over, and returns how many records that is. It can be told again of
// what there is.
func (es *endpoints) take(t *term, since time.Time, list ...estate) (records int) {
	all := make(map[address]bool)
	for _, one := range list {
		for to := range one.left {
			all[to] = true
		}
	}
	for to := range all {
		e := es.endpoint(to)
		e.mu.Lock()
		if e.term == t {
			for _, one := range list {
				if b, ok := one.left[to]; ok {
					records += b.records
					e.beginLocked(one.of, b, since)
				}
			}
			es.runLocked(e)
		}
		e.mu.Unlock()
	}
	return records
}

// depose drops all that is in memory, and begins a term.
func (es *endpoints) depose(t *term) {
	es.mu.Lock()
	old := es.term.Swap(t)
	es.mu.Unlock()
	old.cancel()
	for _, e := range es.list() {
		e.mu.Lock()
		e.resetLocked(t)
		e.mu.Unlock()
		e.wake.Set()
	}
}

// endpoint returns the endpoint of an address, which it makes on first use.
func (es *endpoints) endpoint(to address) *endpoint {
	es.mu.Lock()
	defer es.mu.Unlock()
	e := es.all[to]
	if e == nil {
		e = newEndpoint(es, to)
		es.all[to] = e
	}
	return e
}

// list returns all endpoints, in no order.
func (es *endpoints) list() []*endpoint {
	es.mu.Lock()
	defer es.mu.Unlock()
	list := make([]*endpoint, 0, len(es.all))
	for _, e := range es.all {
		list = append(list, e)
	}
	return list
}

// accepted hands over a record that the queue has stored, and reports whether
// it is still this node's to deliver.
func (es *endpoints) accepted(to address, r *record, at number) bool {
	e := es.endpoint(to)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.term != r.term || es.term.Load() != r.term {
		return false
	}
	e.numberedLocked(at.stream)
	s := e.sourceLocked(r.term.owner, r.term.began)
	if at.stream == e.stream && at.seq < s.cursor {
		return true // it is here already: the first answer to it was lost
	}
	e.queued += int64(r.bytes)
	s.last = max(s.last, at.seq)
	if e.behindLocked() || !e.roomLocked(r.bytes) {
		s.beBehindLocked(r.events[0].at)
	} else {
		s.cursor = at.seq + 1
		e.takeLocked(s, at, r)
	}
	es.runLocked(e)
	return true
}

// runLocked makes sure that the endpoint's goroutine runs and looks at what
// is new. e.mu is held.
func (es *endpoints) runLocked(e *endpoint) {
	if e.running {
		e.wake.Set()
		return
	}
	es.mu.Lock()
	defer es.mu.Unlock()
	if es.stopping {
		return
	}
	e.running = true
	es.running.Go(e.run)
}

// appChanged lets endpoints of the app that wait have another look at it.
func (es *endpoints) appChanged(appID string) {
	for _, e := range es.list() {
		if e.to.app == appID {
			e.mu.Lock()
			e.changed = true
			e.mu.Unlock()
			e.wake.Set()
		}
	}
}

// stopPatience is how long attempts that are under way may take when the
// node stops. Those that take longer are made again by the next process.
const stopPatience = 3 * time.Second

// stop starts no attempt any more, waits for those that are under way, and
// for what they leave to do in the queue until ctx ends.
func (es *endpoints) stop(ctx context.Context) error {
	es.mu.Lock()
	es.stopping = true
	es.mu.Unlock()
	close(es.quit)
	abandon := time.AfterFunc(stopPatience, func() { es.term.Load().abandon() })
	defer abandon.Stop()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		es.running.Wait()
		es.remover.stop()
	}()
	defer es.cancel()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		es.cancel()
		<-ended
		return fmt.Errorf("webhook: stop: %w", context.Cause(ctx))
	}
}
