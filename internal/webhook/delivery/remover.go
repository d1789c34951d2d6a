package delivery

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/belfryhq/belfry/internal/backoff"
	"github.com/belfryhq/belfry/internal/wakeup"
	"github.com/belfryhq/belfry/internal/webhook/queue"
)

// removeEvery is how often records are removed. Each time costs the engine a
// write to the disk for each endpoint, however many records there are; what is
// not removed when the process is killed is delivered again.
const removeEvery = 100 * time.Millisecond

// A remover takes records out of the queue whose events are delivered or
// given up, behind the endpoints' backs. What it has not done when the
// process is killed will be delivered again. The further it is behind, the
// more records it removes at once.
type remover struct {
	queue  queue.Queue
	log    *slog.Logger
	cancel context.CancelFunc // of what is under way
	wake   wakeup.Signal
	quit   chan struct{} // closed when the process ends
	done   chan struct{}

	mu    sync.Mutex
	dirty map[*inbox]bool // with something to remove
}

// newRemover starts a remover. When ctx ends, removals fail.
func newRemover(ctx context.Context, cfg *Config) *remover {
	r := &remover{queue: cfg.Queue, log: cfg.Log, wake: wakeup.New(), quit: make(chan struct{}), done: make(chan struct{}), dirty: make(map[*inbox]bool)}
	ctx, r.cancel = context.WithCancel(ctx)
	go r.run(ctx)
	return r
}

// add says that there is something to remove.
func (r *remover) add(in *inbox) {
	r.mu.Lock()
	r.dirty[in] = true
	r.mu.Unlock()
	r.wake.Set()
}

// stop removes what is left to remove, and ends. While the engine does not
// answer, maybe because the other nodes of the cluster end too, it does so for
// stopPatience.
func (r *remover) stop() {
	defer r.cancel()
	impatient := time.AfterFunc(stopPatience, r.cancel)
	defer impatient.Stop()
	close(r.quit)
	<-r.done
}

// stopping reports whether the process ends.
func (r *remover) stopping() bool {
	select {
	case <-r.quit:
		return true
	default:
		return false
	}
}

func (r *remover) run(ctx context.Context) {
	defer close(r.done)
	for {
		stopping := r.stopping() // before looking, so that nothing is left
		r.mu.Lock()
		dirty := r.dirty
		r.dirty = make(map[*inbox]bool)
		r.mu.Unlock()
		for in := range dirty {
			for _, done := range in.finished() {
				r.remove(ctx, in.to, done)
			}
		}
		if len(dirty) == 0 {
			if stopping {
				return
			}
			select {
			case <-r.wake:
			case <-r.quit:
			}
		}
		r.linger()
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

// remove removes the records of an endpoint that are finished: those that all
// before them are too as one, and others one by one.
func (r *remover) remove(ctx context.Context, to queue.Address, done removal) {
	if done.through.Seq > 0 {
		r.persist(ctx, func() error { return r.queue.RemoveThrough(ctx, done.of, to, done.through) })
	}
	for _, n := range done.alone {
		r.persist(ctx, func() error { return r.queue.Remove(ctx, n) })
	}
}

// persist does something until it works, or the process ends: then it will be
// done again by the next one.
func (r *remover) persist(ctx context.Context, remove func() error) {
	for ctx.Err() == nil {
		err := remove()
		if err == nil {
			return
		}
		r.log.Warn("delivered webhooks can not be removed from the queue", "err", err)
		if r.stopping() {
			r.cancel() // of the rest: they will be delivered again
			return
		}
		backoff.Sleep(ctx, engineAgain)
	}
}
