package delivery

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/belfryhq/belfry/internal/webhook/queue"
	"github.com/belfryhq/belfry/internal/webhook/sent"
)

// A Dispatcher delivers what is queued for endpoints. Its methods are safe for
// concurrent use.
type Dispatcher struct {
	site    *site
	term    atomic.Pointer[queue.Term]
	abandon context.CancelFunc // attempts
	cancel  context.CancelFunc // removals
	running sync.WaitGroup

	mu       sync.Mutex
	all      map[queue.Address]*endpoint
	stopping bool
}

// New starts a dispatcher in its first term. It ends terms that are over.
func New(cfg Config, t *queue.Term) *Dispatcher {
	cfg.Policy = cfg.withDefaults()
	if cfg.History == nil {
		cfg.History = sent.New()
	}
	s := &site{Config: cfg, metrics: newMetrics(), quit: make(chan struct{})}
	d := &Dispatcher{site: s, all: make(map[queue.Address]*endpoint)}
	d.term.Store(t)
	s.abandoned, d.abandon = context.WithCancel(context.Background())
	removals, cancel := context.WithCancel(context.Background())
	d.cancel = cancel
	s.remover = newRemover(removals, &s.Config)
	s.metrics.register(cfg.Registerer, d.Totals)
	return d
}

// Begin drops all that is in memory, and begins another term.
func (d *Dispatcher) Begin(t *queue.Term) {
	d.mu.Lock()
	old := d.term.Swap(t)
	if d.stopping {
		t.End()
	}
	d.mu.Unlock()
	old.End()
	for _, e := range d.list() {
		e.inbox.drop(t)
		e.wake.Set()
	}
}

// Accepted takes a record of a term that the queue has stored, and reports
// whether it is still this node's to deliver.
func (d *Dispatcher) Accepted(t *queue.Term, to queue.Address, r *queue.Record, at queue.Number) bool {
	e := d.endpoint(to)
	if d.term.Load() != t {
		return false
	}
	mine, begin := e.inbox.accept(t, r, at)
	if mine {
		d.run(e, begin)
	}
	return mine
}

// Deliver delivers what is in queues, in the order in which it came, unless the
// term is over, and returns how many records that is. Nothing of it counts as
// older than since. It can be told again of what there is.
func (d *Dispatcher) Deliver(t *queue.Term, since time.Time, list ...queue.Backlog) (records int) {
	sizes := make(map[queue.Address]bool)
	for _, b := range list {
		for to := range b.Endpoints {
			sizes[to] = true
		}
	}
	for to := range sizes {
		e := d.endpoint(to)
		begin, any := false, false
		for _, b := range list {
			if size, ok := b.Endpoints[to]; ok {
				first, ok := e.inbox.look(t, b.Owner, size, since)
				begin, any = begin || first, any || ok
				if ok {
					records += size.Records
				}
			}
		}
		if any {
			d.run(e, begin)
		}
	}
	return records
}

// endpoint returns the endpoint of an address, which it makes on first use.
func (d *Dispatcher) endpoint(to queue.Address) *endpoint {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.all[to]
	if e == nil {
		e = newEndpoint(d.site, to, d.term.Load())
		d.all[to] = e
	}
	return e
}

// list returns all endpoints, in no order.
func (d *Dispatcher) list() []*endpoint {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := make([]*endpoint, 0, len(d.all))
	for _, e := range d.all {
		list = append(list, e)
	}
	return list
}

// run lets the endpoint's goroutine look at what is new. It begins the
// goroutine if nobody works on the inbox.
func (d *Dispatcher) run(e *endpoint, begin bool) {
	if !begin {
		e.wake.Set()
		return
	}
	d.mu.Lock()
	stopping := d.stopping
	if !stopping {
		d.running.Go(e.run)
	}
	d.mu.Unlock()
	if stopping {
		e.inbox.rest(true)
	}
}

// AppChanged lets endpoints of the app that wait have another look at it.
func (d *Dispatcher) AppChanged(appID string) {
	for _, e := range d.list() {
		if e.to.App == appID {
			e.wake.Set()
		}
	}
}

// Stop starts no attempt any more, waits for those that are under way, and
// for what they leave to do in the queue until ctx ends.
func (d *Dispatcher) Stop(ctx context.Context) error {
	d.mu.Lock()
	d.stopping = true
	d.mu.Unlock()
	close(d.site.quit)
	impatient := time.AfterFunc(stopPatience, d.abandon)
	defer impatient.Stop()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		d.running.Wait()
		d.site.remover.stop()
	}()
	defer d.end()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		d.end()
		<-ended
		return fmt.Errorf("webhook: stop: %w", context.Cause(ctx))
	}
}

// end ends everything that is under way.
func (d *Dispatcher) end() {
	d.abandon()
	d.cancel()
	d.term.Load().End()
}
