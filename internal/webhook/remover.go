package webhook

import (
	"context"
	"sync"
	"time"

	"github.com/belfryhq/belfry/internal/backoff"
	"github.com/belfryhq/belfry/internal/wakeup"
)

// removeEvery is how often records are removed. Each time costs the engine a
// write to the disk for each endpoint, however many records there are; what is
// not removed when the process is killed is delivered again.
const removeEvery = 100 * time.Millisecond

// A remover takes records out of the queue whose events are delivered or
// buried, behind the endpoints' backs: what it has not done when the process
// is killed will be delivered again. The further it is behind, the more
// records it removes at once.
type remover struct {
	all    *endpoints
	ctx    context.Context // of removals, which have no caller
	cancel context.CancelFunc
	wake   wakeup.Signal
	quit   chan struct{} // closed when the process ends
	done   chan struct{}

	mu       sync.Mutex
	dirty    []*endpoint
	stopping bool
}

func newRemover(es *endpoints) *remover {
	r := &remover{all: es, wake: wakeup.New(), quit: make(chan struct{}), done: make(chan struct{})}
	r.ctx, r.cancel = context.WithCancel(es.ctx)
	go r.run()
	return r
}

// addLocked says that e has finished records. e.mu is held.
func (r *remover) addLocked(e *endpoint) {
	if e.dirty {
		return
	}
	e.dirty = true
	r.mu.Lock()
	r.dirty = append(r.dirty, e)
	r.mu.Unlock()
	r.wake.Set()
}

// stop removes what is left to remove, and ends. While the engine does not
// answer, maybe because the other nodes of the cluster end too, it does so
// for stopPatience.
func (r *remover) stop() {
	defer r.cancel()
	impatient := time.AfterFunc(stopPatience, r.cancel)
	defer impatient.Stop()
	r.mu.Lock()
	r.stopping = true
	r.mu.Unlock()
	close(r.quit)
	r.wake.Set()
	<-r.done
}

func (r *remover) run() {
	defer close(r.done)
	for {
		r.mu.Lock()
		dirty, stopping := r.dirty, r.stopping
		r.dirty = nil
		r.mu.Unlock()
		for _, e := range dirty {
			r.clean(e)
		}
		switch {
		case len(dirty) == 0 && stopping:
			return
		case len(dirty) == 0:
			<-r.wake
		}
		if !stopping {
			r.linger()
		}
	}
}

// linger waits for more to remove, but not when the process ends.
func (r *remover) linger() {
	timer := time.NewTimer(removeEvery)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.quit:
	}
}

// clean removes the records of an endpoint that are finished: those that all
// before them are too as one, and others one by one.
func (r *remover) clean(e *endpoint) {
	ctx, queue := r.ctx, r.all.sender.queue
	e.mu.Lock()
	e.dirty = false
	sources := e.sources
	e.mu.Unlock()
	for _, s := range sources {
		e.mu.Lock()
		through, alone := s.finishedLocked()
		e.mu.Unlock()
		if through.seq > 0 {
			r.persist(ctx, func() error { return queue.removeThrough(ctx, s.owner, e.to, through) })
		}
		for _, n := range alone {
			r.persist(ctx, func() error { return queue.remove(ctx, n) })
		}
	}
}

// finishedLocked takes records off the books that are to be removed: all
// through a number, unless that is zero, and others one by one. The endpoint's
// lock is held.
func (s *source) finishedLocked() (through number, alone []number) {
	n := 0
	for n < len(s.outstanding) && s.outstanding[n].left == 0 {
		n++
	}
	switch {
	case n > 1:
		through = s.outstanding[n-1].number
	case n == 1 && !s.outstanding[0].removed:
		alone = append(alone, s.outstanding[0].number)
	}
	if s.outstanding = s.outstanding[n:]; len(s.outstanding) == 0 {
		s.outstanding = nil
	}
	for _, one := range s.outstanding {
		if one.left == 0 && !one.removed {
			one.removed = true
			alone = append(alone, one.number)
		}
	}
	return through, alone
}

// persist does something until it works, or the process ends: then it will be
// done again by the next one.
func (r *remover) persist(ctx context.Context, remove func() error) {
	for ctx.Err() == nil {
		err := remove()
		if err == nil {
			return
		}
		r.mu.Lock()
		stopping := r.stopping
		r.mu.Unlock()
		r.all.sender.log.Warn("delivered webhooks can not be removed from the queue", "err", err)
		if stopping {
			r.cancel() // of the rest: they will be delivered again
			return
		}
		backoff.Sleep(ctx, engineAgain)
	}
}
