package handover

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfryhq/belfry/internal/cluster/roster"
	"github.com/belfryhq/belfry/internal/webhook/queue"
)

// DecisionsConfig is what decisions need. All is required but Registerer.
type DecisionsConfig struct {
	// Acknowledge, CurrentSince and Suspended are those of [roster.Roster].
	Acknowledge  func(through uint64)
	CurrentSince func() time.Time
	Suspended    func() <-chan struct{}
	// Put puts a decision of that time into the outboxes of the endpoints that
	// want it, and returns how many there are. Wanted is whether any endpoint
	// wants to know of its subject, be it only of the beginning or the end.
	Put func(d roster.Decision, at time.Time) (left int, wanted bool)
	// Wait lets decisions be pending that nobody wants.
	Wait       bool
	Registerer prometheus.Registerer
}

// Decisions are those that this node was to tell and that are not safe yet. It
// acknowledges up to where they are with its lock held: a decision that comes
// meanwhile waits, and is not among those that were acknowledged. Its methods
// are safe for concurrent use.
type Decisions struct {
	cfg      DecisionsConfig
	unwanted prometheus.Counter

	quit    chan struct{} // closed to end the goroutine
	running sync.WaitGroup

	mu      sync.Mutex
	open    []entry // by order
	pending pending
	waiting bool // the goroutine runs
	stopped bool
}

// An entry is one decision.
type entry struct {
	order uint64 // in which the roster has told it
	left  int    // endpoints whose queue does not have it; 1 while it is pending
}

func (e entry) compare(order uint64) int { return cmp.Compare(e.order, order) }

// never is how much is left of a decision that nobody will see through here,
// because the node ends: others will, as long as it stays open.
const never = 1 << 30

// NewDecisions returns none.
func NewDecisions(cfg DecisionsConfig) *Decisions {
	d := &Decisions{cfg: cfg, quit: make(chan struct{}), unwanted: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "belfry_webhook_unwanted_decisions_total",
		Help: "Decisions that no endpoint wanted in time: it was removed, or this node did not know it.",
	})}
	if cfg.Registerer != nil {
		cfg.Registerer.MustRegister(d.unwanted, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "belfry_webhook_unqueued_decisions",
			Help: "Decisions about channels and members that are this node's to tell and that the engine does not have.",
		}, func() float64 { return float64(d.Open()) }))
	}
	return d
}

// Decide enters the next decision: queues it for every endpoint that wants it,
// or keeps it pending.
func (d *Decisions) Decide(decision roster.Decision) {
	d.mu.Lock()
	defer d.mu.Unlock()
	left := never
	if !d.stopped {
		left = d.putOrKeepLocked(undecided{decision, time.Now()})
	}
	d.open = append(d.open, entry{decision.Order, left})
	d.acknowledgeLocked()
}

// putOrKeepLocked puts a decision into outboxes, or keeps it pending. It returns
// how many acknowledgements are needed before the decision may be forgotten.
// d.mu is held.
func (d *Decisions) putOrKeepLocked(u undecided) int {
	left, wanted := 0, false
	behind := d.pending.has(u.App, u.Channel)
	if !behind {
		if left, wanted = d.cfg.Put(u.Decision, u.at); wanted || !d.cfg.Wait {
			return left
		}
	}
	if d.pending.count < maxPending {
		d.pending.add(u)
		d.watchLocked()
		return 1
	}
	if behind { // it would overtake them
		d.retryLocked(u.App, u.Channel, u.at.Add(1))
		left, wanted = d.cfg.Put(u.Decision, u.at)
	}
	if !wanted {
		d.unwanted.Inc()
	}
	return left
}

// Settled says that a queue has these events, or that one had them before.
func (d *Decisions) Settled(events []queue.Event) {
	if !slices.ContainsFunc(events, func(e queue.Event) bool { return e.Decided() }) {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range events {
		if at, found := slices.BinarySearchFunc(d.open, events[i].Order, entry.compare); found {
			d.open[at].left--
		}
	}
	d.acknowledgeLocked()
}

// AppChanged looks whether anybody wants now what is pending of an app.
func (d *Decisions) AppChanged(app string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopped {
		return
	}
	for _, channel := range d.pending.channels(app) {
		d.retryLocked(app, channel, time.Time{})
	}
	d.acknowledgeLocked()
}

// retryLocked looks again who wants what is pending of a channel. What was
// decided before a time is pending no longer. d.mu is held, and who has called
// calls acknowledgeLocked.
func (d *Decisions) retryLocked(app, channel string, before time.Time) {
	for u := d.pending.first(app, channel); u != nil; u = d.pending.first(app, channel) {
		left, wanted := d.cfg.Put(u.Decision, u.at)
		if !wanted {
			if !u.at.Before(before) {
				return
			}
			d.unwanted.Inc()
		}
		if at, found := slices.BinarySearchFunc(d.open, u.Order, entry.compare); found {
			d.open[at].left = left
		}
		d.pending.removeFirst(app, channel)
	}
}

// acknowledgeLocked says how far all is safe. d.mu is held.
func (d *Decisions) acknowledgeLocked() {
	n := 0
	for n < len(d.open) && d.open[n].left <= 0 {
		n++
	}
	if n == 0 {
		return
	}
	through := d.open[n-1].order
	if d.open = d.open[n:]; len(d.open) == 0 {
		d.open = nil
	}
	d.cfg.Acknowledge(through)
}

// Drop forgets everything: others tell of it.
func (d *Decisions) Drop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.open, d.pending = nil, pending{}
}

// Open is how many decisions are not safe.
func (d *Decisions) Open() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.open)
}

// Oldest is when the first decision came that is pending, or zero.
func (d *Decisions) Oldest() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.pending.oldest()
}

// Stop leaves to others what is pending, and what is decided from here on.
func (d *Decisions) Stop() {
	d.mu.Lock()
	d.stopped = true
	d.mu.Unlock()
	close(d.quit)
	d.running.Wait()
}

// watchLocked sees to it that the goroutine runs that ends waits. d.mu is held.
func (d *Decisions) watchLocked() {
	if !d.waiting {
		d.waiting = true
		d.running.Go(d.watch)
	}
}

// watch is the goroutine that ends waits, while anything is pending.
func (d *Decisions) watch() {
	timer := time.NewTimer(pendingTime)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-d.quit:
			return
		}
		if resumed := d.cfg.Suspended(); resumed != nil {
			select {
			case <-resumed:
			case <-d.quit:
				return
			}
		}
		next := d.expire(time.Now())
		if next.IsZero() {
			return
		}
		timer.Reset(max(time.Until(next), expireEvery))
	}
}

// expire tells nobody of what was pending for long enough. It returns when to
// look again, or zero if nothing is pending any more. The time in which the node
// may have been given up does not count, since it hears of no app then.
func (d *Decisions) expire(now time.Time) time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopped {
		return time.Time{}
	}
	since := d.cfg.CurrentSince()
	if since.IsZero() {
		return now // it is suspended since it was asked
	}
	if before := now.Add(-pendingTime); !before.Before(since) {
		for _, c := range d.pending.all() {
			d.retryLocked(c.app, c.channel, before.Add(1))
		}
		d.acknowledgeLocked()
	}
	oldest := d.pending.oldest()
	if oldest.IsZero() {
		d.waiting = false
		return oldest
	}
	if oldest.Before(since) {
		oldest = since
	}
	return oldest.Add(pendingTime)
}
