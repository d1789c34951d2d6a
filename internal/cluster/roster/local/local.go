// Package local decides for a node that is alone: what holds on it holds.
//
// It knows which subjects are gone and wait for somebody to come back, and
// nothing of those that are present: whoever calls it tells only changes.
//
// # Locks
//
// Roster.mu is held during calls to the host, so that decisions come one at a
// time and in order. That the calls need no goroutine of their own is why they
// are made before Set returns.
package local

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/cluster/roster"
	"github.com/belfryhq/belfry/internal/expiry"
	"github.com/belfryhq/belfry/internal/wakeup"
)

var _ roster.Roster = (*Roster)(nil)

// Config says how a node decides. The zero value decides everything at once.
type Config struct {
	// Grace is how long a subject is gone before that is decided. Zero or
	// less means not at all.
	Grace time.Duration
	// TellOnClose makes Close decide what waits for the end of its grace, and
	// what has ended since Drain. Otherwise that is forgotten, because the
	// clients of a node that ends come back to the one that replaces it.
	TellOnClose bool
	// ID is the incarnation of the node. Empty means a new one.
	ID         node.ID
	Registerer prometheus.Registerer // nil: no metrics
}

// A Roster decides for one node.
type Roster struct {
	cfg     Config
	id      node.ID
	log     string // of all its decisions
	since   time.Time
	metrics *metrics

	wake wakeup.Signal // the first of something waits
	quit chan struct{} // closed to end the goroutine
	done chan struct{} // closed when it has ended; nil before Start

	mu       sync.Mutex
	host     roster.Host                  // nil before Start and after Close
	waits    expiry.Queue[roster.Subject] // gone; they may come back before that is decided
	number   uint64                       // of the last decision
	draining bool
}

// New returns a roster that has not started.
func New(cfg Config) *Roster {
	r := &Roster{
		cfg:   cfg,
		id:    cmp.Or(cfg.ID, node.NewID()),
		log:   rand.Text(),
		since: time.Now(),
		wake:  wakeup.New(),
		quit:  make(chan struct{}),
	}
	r.metrics = newMetrics(cfg.Registerer, r.waiting)
	return r
}

// Start begins to call h. It does not block.
func (r *Roster) Start(ctx context.Context, h roster.Host) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.done != nil {
		return errors.New("roster: started twice")
	}
	r.host, r.done = h, make(chan struct{})
	go r.run()
	return nil
}

// Set decides a subject that has come at once, and one that is gone after the
// grace, unless it comes back. The host is called before it returns.
func (r *Roster) Set(s roster.Subject, present, quiet bool) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.host == nil {
		return
	}
	switch {
	case present && r.waits.Cancel(s):
		r.metrics.debounced.Inc()
	case quiet:
		r.waits.Cancel(s)
	case present:
		r.decideLocked(s, false)
	case r.cfg.Grace > 0 || r.draining:
		if !r.waits.Has(s) && r.waits.Begin(s, now.Add(max(r.cfg.Grace, 0))) {
			r.wake.Set()
		}
	default:
		r.decideLocked(s, true)
	}
}

// decideLocked tells the host of a decision. r.mu is held.
func (r *Roster) decideLocked(s roster.Subject, gone bool) {
	r.number++
	r.metrics.decided(s, gone)
	id := roster.DecisionID{Log: r.log, Number: r.number}
	r.host.Decide(roster.Decision{Subject: s, Gone: gone, ID: id, Order: r.number, Of: r.id})
}

// Acknowledge does nothing: nobody could take over what is not safe.
func (r *Roster) Acknowledge(uint64) {}

// Current is always true: nobody is there to give the node up.
func (r *Roster) Current() bool { return true }

// CurrentSince is when the roster was made.
func (r *Roster) CurrentSince() time.Time { return r.since }

// Suspended is always nil.
func (r *Roster) Suspended() <-chan struct{} { return nil }

// ID is the incarnation of the node.
func (r *Roster) ID() node.ID { return r.id }

// Drain says that what waits for the end of its grace, or ends from here on,
// is not decided before Close, if at all.
func (r *Roster) Drain() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.draining = true
}

// Close decides what waits, if the configuration says so, and ends the calls
// to the host. What is set afterwards is ignored. It does not wait for ctx.
func (r *Roster) Close(context.Context) error {
	r.mu.Lock()
	if r.host != nil && r.cfg.TellOnClose {
		for s, ok := r.waits.Take(); ok; s, ok = r.waits.Take() {
			r.decideLocked(s, true)
		}
	}
	ended := r.done
	if r.host != nil {
		close(r.quit)
	}
	r.host = nil
	r.mu.Unlock()
	if ended != nil {
		<-ended
	}
	return nil
}

// waiting is how many subjects are gone and not decided.
func (r *Roster) waiting() float64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return float64(r.waits.Len())
}

// run is the goroutine that ends waits.
func (r *Roster) run() {
	defer close(r.done)
	expiry.Watch(r.quit, r.wake, r.settle)
}

// settle decides the subjects whose grace is over, in the order in which they
// went, and returns when there will be more.
func (r *Roster) settle(now time.Time) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.draining || r.host == nil {
		return time.Time{}
	}
	for s, ok := r.waits.Due(now); ok; s, ok = r.waits.Due(now) {
		r.decideLocked(s, true)
	}
	return r.waits.Next()
}
