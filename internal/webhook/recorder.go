package webhook

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/expiry"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/wakeup"
	"github.com/belfryhq/belfry/internal/webhook/handover"
	"github.com/belfryhq/belfry/internal/webhook/queue"
)

const (
	// maxEvent is above what a client can send, and what the queue takes.
	maxEvent = 4 << 20
	// missEvery is how long a channel's second cache miss is no news, unless
	// there was a cached event in between.
	missEvery = 5 * time.Second
)

// recorderConfig is what a recorder needs. All is required.
type recorderConfig struct {
	queue        queue.Queue
	apps         *apps.Registry
	gate         Gate
	maxPending   int // events
	publishEvery time.Duration
	clustered    bool
	suspended    func() <-chan struct{}
	// accepted hands over a record that the queue has, and begin another term:
	// both are those of delivery.Dispatcher.
	accepted func(*queue.Term, queue.Address, *queue.Record, queue.Number) bool
	begin    func(*queue.Term)
	// settled says that the queue has events.
	settled func([]queue.Event)
	metrics *metrics
	log     *slog.Logger
}

// A recorder brings events into the queue. Each endpoint has at most one
// record under way. While it is, further events gather in the outbox, so
// that records grow with load, and their order is kept whatever has to be
// tried again.
type recorder struct {
	recorderConfig
	origin string // of the ids of its events

	mu        sync.Mutex
	boxes     map[string]*boxes // by app
	pressure  backpressure
	busy      map[*outbox]bool // with events, or a record under way
	ready     []*outbox        // with events and nothing under way
	going     []*outbox        // those of them that are published now
	began     time.Time        // to be
	term      *queue.Term
	misses    expiry.Queue[place] // channels whose miss was news a short time ago
	skipped   handover.Known      // what queues have that were taken over
	skippedAt time.Time           // when the last was
	pauses    int                 // nothing is published meanwhile
	resumed   chan struct{}       // closed when there are none any more
	numbers   uint64              // of events
	records   uint64
	stopping  bool

	wake     wakeup.Signal // there is something ready, or nothing any more
	missed   wakeup.Signal // the first miss is remembered
	flights  chan flight
	flying   atomic.Int32  // records in flights
	answered wakeup.Signal // one of them is over
	trouble  atomic.Bool   // the last one was refused

	quit   chan struct{} // closed to end what watches misses
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// A place is a channel of an app.
type place struct{ app, channel string }

// newRecorder returns one that publishes for the owner of t.
func newRecorder(cfg recorderConfig, t *queue.Term) *recorder {
	var origin [6]byte
	rand.Read(origin[:]) // never fails
	ctx, cancel := context.WithCancel(context.Background())
	r := &recorder{
		recorderConfig: cfg,
		origin:         hex.EncodeToString(origin[:]),
		boxes:          make(map[string]*boxes),
		pressure:       backpressure{gate: cfg.gate, most: cfg.maxPending, metrics: cfg.metrics, log: cfg.log, shares: make(map[string]*share)},
		busy:           make(map[*outbox]bool),
		term:           t,
		wake:           wakeup.New(),
		missed:         wakeup.New(),
		flights:        make(chan flight, queue.MaxInFlight),
		answered:       wakeup.New(),
		quit:           make(chan struct{}),
		cancel:         cancel,
	}
	r.done.Go(func() { expiry.Watch(r.quit, r.missed, r.forgetMisses) })
	r.done.Go(func() { r.publish(ctx) })
	r.done.Go(func() { r.collect(ctx) })
	return r
}

// forgetMisses forgets the misses whose time is over, and returns when there
// will be more.
func (r *recorder) forgetMisses(now time.Time) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, ok := r.misses.Due(now); ok; _, ok = r.misses.Due(now) {
	}
	return r.misses.Next()
}

// cache is a cache miss, or the end of it.
func (r *recorder) cache(app *apps.App, n hub.News) {
	now := time.Now()
	p := place{app.ID, n.Channel}
	r.mu.Lock()
	defer r.mu.Unlock()
	if n.Kind == hub.CacheFilled {
		r.misses.Cancel(p)
		return
	}
	if r.misses.Has(p) {
		return
	}
	if r.misses.Begin(p, now.Add(missEvery)) {
		r.missed.Set()
	}
	r.emitLocked(app, newEvent(n, now))
}

// emit puts what was observed here into the outboxes.
func (r *recorder) emit(app *apps.App, n hub.News) {
	e := newEvent(n, time.Now())
	r.mu.Lock()
	defer r.mu.Unlock()
	r.emitLocked(app, e)
}

// emitLocked puts an event of this node's own into the outboxes of the
// endpoints that want it. r.mu is held.
func (r *recorder) emitLocked(app *apps.App, e queue.Event) {
	r.numbers++
	e.ID = queue.EventID{Origin: r.origin, Number: r.numbers}
	r.spreadLocked(app, e)
}

// decide puts a decided event into outboxes, and returns how many.
func (r *recorder) decide(app *apps.App, e queue.Event) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.spreadLocked(app, e)
}

// spreadLocked puts an event into the outboxes of the endpoints that want it,
// but for those whose queue has it already, and returns how many there are.
// r.mu is held.
func (r *recorder) spreadLocked(app *apps.App, e queue.Event) int {
	if e.Size() > maxEvent {
		r.metrics.lost(lostTooLarge, 1)
		r.log.Error("event is too large for a webhook and was dropped", "app", app.ID, "channel", e.Channel, "bytes", len(e.Body))
		return 0
	}
	n := 0
	list := r.boxesLocked(app)
	for i := range app.Webhooks {
		b := list[i]
		if !app.Webhooks[i].Wants(e.Type, e.Channel) || e.Decided() && r.skipped.Has(b.to, e.ID) {
			continue
		}
		b.events = append(b.events, e)
		b.bytes += e.Size()
		r.pendLocked(b, 1, e.Size())
		r.metrics.created[e.Type].Inc()
		n++
	}
	return n
}

// replay puts the events of a dead letter into the outbox of their endpoint. It
// returns a channel that is closed when the queue has them, or nil if there is
// no such endpoint.
func (r *recorder) replay(d *queue.DeadLetter) <-chan struct{} {
	app := r.apps.ByID(d.To.App)
	if app == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	list := r.boxesLocked(app)
	i := slices.IndexFunc(list, func(b *outbox) bool { return b.to == d.To })
	if i < 0 {
		return nil
	}
	again := &draft{Record: queue.Record{Events: slices.Clone(d.Events)}, replayed: make(chan struct{})}
	now := time.Now()
	for j := range again.Events {
		again.Events[j].At = now // or they would be too old to be kept waiting
		again.Bytes += again.Events[j].Size()
	}
	list[i].replay = append(list[i].replay, again)
	r.pendLocked(list[i], len(again.Events), again.Bytes)
	return again.replayed
}

// boxesLocked returns the outboxes of the app's endpoints. r.mu is held.
func (r *recorder) boxesLocked(app *apps.App) []*outbox {
	b := r.boxes[app.ID]
	if b != nil && b.app == app {
		return b.list
	}
	fresh := &boxes{app: app}
	for i := range app.Webhooks {
		to := queue.Address{App: app.ID, Endpoint: app.Webhooks[i].Name()}
		box := &outbox{to: to, share: r.pressure.share(app.ID)}
		if b != nil { // an endpoint that is still there keeps what it has
			for _, old := range b.list {
				if old.to == to {
					box = old
				}
			}
		}
		fresh.list = append(fresh.list, box)
	}
	r.boxes[app.ID] = fresh
	return fresh.list
}

// forget gives back what is kept for an app that has changed. What is under
// way or ready goes on.
func (r *recorder) forget(appID string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.boxes[appID] != nil && r.apps.ByID(appID) == nil {
		delete(r.boxes, appID)
		r.pressure.forget(appID)
	}
}

// pendLocked puts what came into an outbox on the books. r.mu is held.
func (r *recorder) pendLocked(b *outbox, events, bytes int) {
	r.pressure.grow(b.share, events, bytes)
	if !r.busy[b] {
		r.busy[b] = true
		r.ready = append(r.ready, b)
		r.wake.Set()
	}
}

// cutLocked returns the next record of an outbox, or nil if what was there has
// been taken back. r.mu is held.
func (r *recorder) cutLocked(b *outbox) *draft {
	d := b.cut(r.term, func() string {
		r.records++
		return r.origin + "." + strconv.FormatUint(r.records, 10)
	})
	if d == nil {
		delete(r.busy, b)
	}
	return d
}

// settle takes a record off the books that the queue has, and reports
// whether it was still on them. What was under way when the node was given
// up is not.
func (r *recorder) settle(f flight, err error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := f.box
	taken := err == nil && b.draft == f.draft
	if taken {
		if b.draft.replayed != nil {
			close(b.draft.replayed)
		}
		r.pressure.shrink(b.share, len(b.draft.Events), b.draft.Bytes)
		b.draft = nil
	}
	switch {
	case b.empty():
		delete(r.busy, b)
	case b.urgent():
		r.going = append(r.going, b)
	default:
		r.ready = append(r.ready, b)
	}
	r.wake.Set()
	return taken
}

// pending is how many events the queue has not acknowledged.
func (r *recorder) pending() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pressure.events
}

// seeOldest sees what the queue does not have yet for an endpoint, or for any
// if to is nil.
func (r *recorder) seeOldest(see func(time.Time), to *queue.Address) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for b := range r.busy {
		if to == nil || b.to == *to {
			b.seeOldest(see)
		}
	}
}

// errNotTaken says that events were lost.
var errNotTaken = errors.New("webhook: the engine did not take all events")

// stopPatience is how long the engine may take nothing when the node stops
// before other nodes are left to tell of what was decided.
const stopPatience = 3 * time.Second

// stop brings everything into the queue, or gives up when ctx ends.
func (r *recorder) stop(ctx context.Context) error {
	r.mu.Lock()
	r.stopping = true
	r.mu.Unlock()
	close(r.quit)
	r.wake.Set()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.done.Wait()
	}()
	impatient := time.AfterFunc(stopPatience, r.leaveDecisions)
	defer impatient.Stop()
	select {
	case <-ended:
	case <-ctx.Done():
		r.cancel()
		<-ended
	}
	r.cancel()
	r.leaveDecisions()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pressure.releaseAll()
	if events := r.pressure.events; events > 0 {
		r.metrics.lost(lostAtStop, events)
		r.log.Error("events of webhooks were lost, because the engine did not take them before the end", "events", events)
		return errNotTaken
	}
	return nil
}

// leaveDecisions leaves it to the other nodes of a cluster to tell of what was
// decided, and waits for the queue no longer if there is nothing else.
func (r *recorder) leaveDecisions() {
	if !r.clustered {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.withdrawAllLocked()
	if r.pressure.events == 0 {
		r.cancel()
	}
}

// withdrawAllLocked takes back all that was decided, also what is under way.
// r.mu is held.
func (r *recorder) withdrawAllLocked() {
	for b := range r.busy {
		b.uncut()
	}
	r.withdrawLocked(func(*outbox, *queue.Event) bool { return true })
}

// withdrawLocked takes those decided events out of the outboxes for which take
// is true, but for those in records under way, and returns them. r.mu is held.
func (r *recorder) withdrawLocked(take func(*outbox, *queue.Event) bool) (taken []queue.Event) {
	for b := range r.busy {
		some := b.withdraw(func(e *queue.Event) bool { return take(b, e) })
		for i := range some {
			r.pressure.shrink(b.share, 1, some[i].Size())
		}
		taken = append(taken, some...)
	}
	r.wake.Set()
	return taken
}
