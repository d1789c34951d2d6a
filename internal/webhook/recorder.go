package webhook

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/backoff"
	"github.com/belfryhq/belfry/internal/expiry"
	"github.com/belfryhq/belfry/internal/wakeup"
)

const (
	recordEvents = 256       // the most events of one record
	recordBytes  = 256 << 10 // about the most bytes of one record
	// maxEvent is above what a client can send, and what the queue takes.
	maxEvent = 4 << 20
	// publishEvery is how often outboxes are published that do not fill a
	// record: each record costs the engine a write to the disk, and the first
	// event after a pause does not wait. What is in an outbox is lost if the
	// process is killed.
	publishEvery = 20 * time.Millisecond
	// maxFlights is how many records wait for the queue's answer at once.
	maxFlights = 256
	// maxPendingBytes bounds what waits for the engine, beside their number.
	maxPendingBytes = 64 << 20
)

// A recorder brings events into the queue. Each endpoint has at most one record
// under way: while it is, further events gather in the outbox, so that records
// grow with load, and their order is kept whatever has to be tried again.
type recorder struct {
	sender *Sender
	origin string

	mu           sync.Mutex
	apps         map[string]*boxes
	shares       map[string]*share // by app
	busy         map[*outbox]bool  // with events, or a record under way
	ready        []*outbox         // with events and nothing under way
	going        []*outbox         // those of them that are published now
	began        time.Time         // to be
	term         *term
	missed       expiry.Queue[place] // whose cache miss was news a short time ago
	queued       decided             // what the queues have that were taken over
	queuedAt     time.Time           // when the last was
	adopting     int                 // queues; nothing is published meanwhile
	adopted      chan struct{}       // closed when there are none any more
	numbers      uint64              // of events
	records      uint64
	events       int // that the queue has not acknowledged
	counted      int // of them, towards the bound of the node
	countedBytes int
	held         bool // the gate
	stopping     bool

	wake    wakeup.Signal // there is something ready, or nothing any more
	miss    wakeup.Signal // the first miss is remembered
	flights chan flight
	flying  atomic.Int32 // records in flights
	trouble atomic.Bool  // the last one was refused

	quit   chan struct{} // closed to end expireMisses
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// boxes are the outboxes of one app, in the order of its webhooks.
type boxes struct {
	app  *apps.App
	list []*outbox
}

// An outbox is what an endpoint will be told and the queue does not have.
type outbox struct {
	to     address
	share  *share // of the app
	events []event
	bytes  int
	record *record   // under way, or to be tried again
	replay []*record // that go before events
}

// A flight is a record on its way into the queue.
type flight struct {
	box    *outbox
	record *record
	ack    ack
	err    error // it did not even start
}

// newRecorder returns one that publishes for the owner of t.
func newRecorder(s *Sender, t *term) *recorder {
	var origin [6]byte
	rand.Read(origin[:]) // never fails
	ctx, cancel := context.WithCancel(context.Background())
	r := &recorder{
		sender:  s,
		origin:  hex.EncodeToString(origin[:]),
		apps:    make(map[string]*boxes),
		shares:  make(map[string]*share),
		busy:    make(map[*outbox]bool),
		term:    t,
		wake:    wakeup.New(),
		miss:    wakeup.New(),
		flights: make(chan flight, maxFlights),
		quit:    make(chan struct{}),
		cancel:  cancel,
	}
	r.done.Go(func() { expiry.Watch(r.quit, r.miss, r.expireMisses) })
	r.done.Go(func() { r.publish(ctx) })
	r.done.Go(func() { r.collect(ctx) })
	return r
}

// boxesLocked returns the outboxes of the app's endpoints. r.mu is held.
func (r *recorder) boxesLocked(app *apps.App) []*outbox {
	b := r.apps[app.ID]
	if b != nil && b.app == app {
		return b.list
	}
	fresh := &boxes{app: app}
	for i := range app.Webhooks {
		to := address{app.ID, app.Webhooks[i].Name()}
		box := &outbox{to: to, share: r.shareLocked(app.ID)}
		if b != nil { // an endpoint that is still there keeps what it has
			for _, old := range b.list {
				if old.to == to {
					box = old
				}
			}
		}
		fresh.list = append(fresh.list, box)
	}
	r.apps[app.ID] = fresh
	return fresh.list
}

// forget gives back what is kept for an app that has changed. What is under
// way or ready goes on.
func (r *recorder) forget(appID string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if b := r.apps[appID]; b != nil && r.sender.cfg.Apps.ByID(appID) == nil {
		delete(r.apps, appID)
		if s := r.shares[appID]; s != nil && s.events == 0 {
			delete(r.shares, appID)
		}
	}
}

// putLocked appends an event to an outbox. r.mu is held.
func (r *recorder) putLocked(b *outbox, e event) {
	b.events = append(b.events, e)
	b.bytes += e.size()
	r.pendLocked(b, 1, e.size())
}

// replayLocked puts events into an outbox that were in the queue before, and
// returns a channel that is closed when they are there again. r.mu is held.
func (r *recorder) replayLocked(b *outbox, events []event) <-chan struct{} {
	rec := &record{events: slices.Clone(events), landed: make(chan struct{})}
	now := time.Now()
	for i := range rec.events {
		rec.events[i].at = now // or they would be too old to be kept waiting
		rec.bytes += rec.events[i].size()
	}
	b.replay = append(b.replay, rec)
	r.pendLocked(b, len(events), rec.bytes)
	return rec.landed
}

// pendLocked puts what came into an outbox on the books. r.mu is held.
func (r *recorder) pendLocked(b *outbox, events, bytes int) {
	r.growLocked(b.share, events, bytes)
	r.events += events
	if !r.held && r.fullLocked(1) {
		r.held = true
		if r.sender.cfg.Gate != nil {
			r.sender.cfg.Gate.Hold()
		}
		r.sender.metrics.held.Set(1)
		r.sender.log.Warn("webhooks wait for the engine; the node takes no new work meanwhile", "events", r.events)
	}
	if !r.busy[b] {
		r.busy[b] = true
		r.ready = append(r.ready, b)
		r.wake.Set()
	}
}

// settledLocked takes what the queue has acknowledged of an outbox off the
// books. r.mu is held.
func (r *recorder) settledLocked(b *outbox, events, bytes int) {
	r.shrinkLocked(b.share, events, bytes)
	r.events -= events
	if r.held && !r.fullLocked(2) {
		r.releaseLocked()
	}
}

func (r *recorder) releaseLocked() {
	r.held = false
	if r.sender.cfg.Gate != nil {
		r.sender.cfg.Gate.Release()
	}
	r.sender.metrics.held.Set(0)
	r.sender.log.Info("the engine has taken the events of webhooks; the node takes work again")
}

// cutLocked returns the next record of an outbox: the one that was not taken,
// a new one, or nil if what was there has been taken back. r.mu is held.
func (r *recorder) cutLocked(b *outbox) *record {
	if b.record != nil {
		return b.record
	}
	if len(b.replay) == 0 && len(b.events) == 0 {
		delete(r.busy, b)
		return nil
	}
	r.records++
	id := r.origin + "." + strconv.FormatUint(r.records, 10)
	if len(b.replay) > 0 {
		b.record, b.replay = b.replay[0], b.replay[1:]
		b.record.id, b.record.term = id, r.term
		return b.record
	}
	n, bytes := 0, 0
	for n < len(b.events) && n < recordEvents && (n == 0 || bytes+b.events[n].size() <= recordBytes) {
		bytes += b.events[n].size()
		n++
	}
	b.record = &record{id: id, events: b.events[:n:n], bytes: bytes, term: r.term}
	b.events = b.events[n:]
	b.bytes -= bytes
	if len(b.events) == 0 {
		b.events = nil
	}
	return b.record
}

// publish is the goroutine that starts records on their way: many at once,
// but one at a time while the queue refuses them.
func (r *recorder) publish(ctx context.Context) {
	defer close(r.flights)
	for {
		b := r.nextReady(ctx)
		if b == nil {
			return
		}
		for r.trouble.Load() && r.flying.Load() > 0 && ctx.Err() == nil {
			backoff.Sleep(ctx, time.Millisecond)
		}
		if r.trouble.Load() {
			backoff.Sleep(ctx, publishAgain)
		}
		r.awaitLeave(ctx)
		r.mu.Lock()
		rec := r.cutLocked(b)
		r.mu.Unlock()
		if rec == nil || ctx.Err() != nil {
			continue
		}
		f := flight{box: b, record: rec}
		f.ack, f.err = r.sender.queue.publish(rec.term.owner, b.to, rec)
		r.flying.Add(1)
		r.flights <- f // collect ends only after this goroutine
	}
}

// awaitLeave waits while nothing is to be published: because others may do
// this node's work, or because it is not known what those have queued whose
// work it does. Its own events wait too, since they would have no order.
func (r *recorder) awaitLeave(ctx context.Context) {
	for {
		wait := r.sender.cfg.Roster.Suspended()
		if wait == nil {
			r.mu.Lock()
			wait = r.adopted
			r.mu.Unlock()
		}
		if wait == nil {
			return
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return
		}
	}
}

// nextReady waits for an outbox with something to publish. It returns nil when
// there will be none any more, or ctx has ended.
func (r *recorder) nextReady(ctx context.Context) *outbox {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		r.mu.Lock()
		now := time.Now()
		due := r.began.Add(r.sender.cfg.publishEvery)
		if len(r.going) == 0 && len(r.ready) > 0 && (!now.Before(due) || r.stopping) {
			r.going, r.ready, r.began = r.ready, r.going, now
		}
		if len(r.going) > 0 {
			b := r.going[0]
			r.going[0] = nil
			if r.going = r.going[1:]; len(r.going) == 0 {
				r.going = nil
			}
			r.mu.Unlock()
			return b
		}
		finished := r.stopping && r.events == 0
		waiting := len(r.ready) > 0
		r.mu.Unlock()
		if finished {
			return nil
		}
		timer.Stop()
		if waiting {
			timer.Reset(due.Sub(now))
		}
		select {
		case <-r.wake:
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	return nil
}

// collect is the goroutine that hears what became of the records, in the
// order in which they started.
func (r *recorder) collect(ctx context.Context) {
	for f := range r.flights {
		var at number
		err := f.err
		if err == nil {
			at, err = f.ack.wait(ctx)
		}
		if err != nil {
			r.sender.metrics.refused.Inc()
		}
		switch troubled := r.trouble.Swap(err != nil); {
		case err != nil && !troubled && ctx.Err() == nil:
			r.sender.log.Error("the engine does not take events of webhooks; trying again", "err", err)
		case err == nil && troubled:
			r.sender.log.Info("the engine takes events of webhooks again")
		}
		r.landed(f, at, err)
		r.flying.Add(-1)
	}
}

// publishAgain is the wait after the queue has refused.
const publishAgain = 200 * time.Millisecond

// landed makes what became of a record known, and lets the next one of its
// endpoint follow.
func (r *recorder) landed(f flight, at number, err error) {
	if err == nil && r.sender.endpoints.accepted(f.box.to, f.record, at) {
		r.sender.metrics.queued.Add(float64(len(f.record.events)))
	}
	if r.settle(f, err) {
		r.sender.ledger.settled(f.record.events)
	}
}

// settle takes a record off the books that the queue has, and reports whether
// it was still on them: what was under way when the node was given up is not.
func (r *recorder) settle(f flight, err error) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	b := f.box
	taken := err == nil && b.record == f.record
	if taken {
		if b.record.landed != nil {
			close(b.record.landed)
		}
		r.settledLocked(b, len(b.record.events), b.record.bytes)
		b.record = nil
	}
	switch {
	case b.record == nil && len(b.events) == 0 && len(b.replay) == 0:
		delete(r.busy, b)
	case b.record != nil || len(b.replay) > 0 || len(b.events) >= recordEvents:
		r.going = append(r.going, b)
	default:
		r.ready = append(r.ready, b)
	}
	r.wake.Set()
	return taken
}

// giveAway leaves it to the other nodes of a cluster to tell of what was
// decided, and waits for the queue no longer if there is nothing else.
func (r *recorder) giveAway() {
	if !r.sender.cfg.Clustered {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unpackLocked()
	r.withdrawLocked(everyDecision)
	if r.events == 0 {
		r.cancel()
	}
}

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
	impatient := time.AfterFunc(stopPatience, r.giveAway)
	defer impatient.Stop()
	select {
	case <-ended:
	case <-ctx.Done():
		r.cancel()
		<-ended
	}
	r.cancel()
	r.giveAway()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.releaseAllLocked()
	if r.events > 0 {
		r.sender.metrics.lost(lostAtStop, r.events)
		r.sender.log.Error("events of webhooks were lost, because the engine did not take them before the end", "events", r.events)
		return errNotTaken
	}
	return nil
}
