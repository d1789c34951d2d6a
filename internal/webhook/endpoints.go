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
	sender  *Sender
	started time.Time    // what was in the queue then was taken over
	window  atomic.Int64 // bytes in memory

	mu       sync.Mutex
	all      map[address]*endpoint
	stopping bool

	ctx      context.Context // of everything that talks to the queue
	cancel   context.CancelFunc
	attempts context.Context // of requests
	abandon  context.CancelFunc
	quit     chan struct{} // closed when no new attempt is to start
	running  sync.WaitGroup
	remover  *remover
}

func newEndpoints(s *Sender) *endpoints {
	es := &endpoints{
		sender:  s,
		started: time.Now(),
		all:     make(map[address]*endpoint),
		quit:    make(chan struct{}),
	}
	es.ctx, es.cancel = context.WithCancel(context.Background())
	es.attempts, es.abandon = context.WithCancel(es.ctx)
	es.remover = newRemover(es)
	return es
}

// resume takes over what another process left in the queue.
func (es *endpoints) resume(ctx context.Context) error {
	left, err := es.sender.queue.backlog(ctx)
	if err != nil {
		return err
	}
	records := 0
	for to, b := range left {
		e := es.endpoint(to)
		e.mu.Lock()
		e.behind, e.last = true, 0
		e.queued = b.bytes
		es.runLocked(e)
		e.mu.Unlock()
		records += b.records
	}
	if records > 0 {
		es.sender.log.Info("delivering webhooks that were left in the queue", "records", records, "endpoints", len(left))
	}
	return nil
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

// accepted hands over a record that the queue has stored.
func (es *endpoints) accepted(to address, r *record, seq uint64) {
	e := es.endpoint(to)
	e.mu.Lock()
	defer e.mu.Unlock()
	if seq < e.cursor {
		return // it is here already: the first answer to it was lost
	}
	e.queued += int64(r.bytes)
	e.last = max(e.last, seq)
	if e.behind || !e.roomLocked(r.bytes) {
		e.behind = true
	} else {
		e.cursor = seq + 1
		e.takeLocked(seq, r)
	}
	es.runLocked(e)
}

// runLocked makes sure that the endpoint's goroutine runs and looks at what
// is new. e.mu is held.
func (es *endpoints) runLocked(e *endpoint) {
	if e.running {
		signal(e.wake)
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
			signal(e.wake)
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
	abandon := time.AfterFunc(stopPatience, es.abandon)
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
