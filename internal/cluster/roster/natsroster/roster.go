package natsroster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfryhq/belfry/internal/backoff"
	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/cluster/roster"
	"github.com/belfryhq/belfry/internal/wakeup"
)

var _ roster.Roster = (*Roster)(nil)

// Config says where the log is and how long things take. All nodes have the
// same Prefix, Lease and Grace.
type Config struct {
	JetStream jetstream.JetStream
	// Stream makes a stream, or makes it what the configuration says; it fills
	// in the storage and the number of copies. It tries until ctx ends.
	Stream func(ctx context.Context, cfg jetstream.StreamConfig) (jetstream.Stream, error)
	Prefix string  // of the names of streams and subjects; empty means "belfry"
	ID     node.ID // the first incarnation; empty means a new one
	// Name is the node's own and stays the same after a restart, which tells
	// the others that the earlier incarnation has ended.
	Name string
	// Lease is how long a node may be silent before it takes itself for given
	// up; it writes five times as often. Zero means five seconds.
	Lease time.Duration
	// Grace is how long after that the others give it up, and how long after
	// an orderly end what it held is taken away. Zero means five seconds.
	Grace time.Duration
	// WebhookGrace is how long a subject is gone everywhere before that is
	// decided. What a dead node held has waited for Lease and Grace instead.
	WebhookGrace time.Duration
	// Gone reports whether a node has been silent for Lease and Grace in what
	// else nodes say to each other. It must not block. It makes up for the time
	// in which the log itself takes nothing, as when its leader has died with
	// the node. Nil: nobody is known to be.
	Gone       func(name string) bool
	Log        *slog.Logger          // nil: no log
	Registerer prometheus.Registerer // nil: no metrics

	journal journal // replaces JetStream, for tests
	archive int     // replaces archiveBytes, for tests
}

const (
	defaultLease = 5 * time.Second
	defaultGrace = 5 * time.Second
	beatsOfLease = 5
	// archiveBytes is how much is written to the log before it is cut off
	// behind a snapshot; more if the snapshot is larger than half of that.
	archiveBytes   = 8 << 20
	recordOverhead = 100 // of a batch in a stream, about
	publishTimeout = 2 * time.Second
	// overdue is after how long a batch that was stored should have been read
	// back. Past it the log is read by another consumer.
	overdue = 3 * time.Second
)

// retry is how the log is read and written again, as long as that fails.
var retry = backoff.Policy{First: 50 * time.Millisecond, Most: time.Second}

// A Roster is a node's part in deciding by the log.
type Roster struct {
	cfg     Config
	log     *slog.Logger
	journal journal
	metrics *metrics

	host    roster.Host
	calling sync.Mutex // one call to the host at a time; before mu

	wake    wakeup.Signal // there may be something to write
	tidy    wakeup.Signal // the log may be long enough for a snapshot
	ready   chan struct{} // closed when the first hello was read back
	left    chan struct{} // closed when there is nothing more to do
	started bool
	cancel  context.CancelFunc
	done    sync.WaitGroup

	mu          sync.Mutex
	participant *participant
	// resumed is closed when the node is current again; nil while nobody waits.
	resumed  chan struct{}
	target   uint64             // what reading has to reach to be caught up
	mark     uint64             // fingerprint of the last batch that was read
	more     uint64             // batches that are known to follow it
	reread   context.CancelFunc // begins to read again
	loaded   bool
	fresh    int    // bytes of the log since there was a snapshot
	since    uint64 // the position from which they were counted
	snapshot int    // bytes of the last snapshot

	givenUp   int       // how often the others have given this node up
	givenUpAt time.Time // when they did last
}

// New returns a roster that has not started.
func New(cfg Config) *Roster {
	cfg.Prefix = cmp.Or(cfg.Prefix, "belfry")
	cfg.Lease = cmp.Or(cfg.Lease, defaultLease)
	cfg.Grace = cmp.Or(cfg.Grace, defaultGrace)
	cfg.ID = cmp.Or(cfg.ID, node.NewID())
	cfg.archive = cmp.Or(cfg.archive, archiveBytes)
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if len(cfg.Name) > maxName {
		cfg.Name = cfg.Name[:maxName]
	}
	r := &Roster{
		cfg:     cfg,
		log:     cfg.Log,
		journal: cfg.journal,
		wake:    wakeup.New(),
		tidy:    wakeup.New(),
		ready:   make(chan struct{}),
		left:    make(chan struct{}),
		cancel:  func() {},
		reread:  func() {},
		participant: newParticipant(cfg.ID, cmp.Or(cfg.Name, string(cfg.ID)), timing{
			lease: cfg.Lease, grace: cfg.Grace, settle: max(cfg.WebhookGrace, 0), beat: cfg.Lease / beatsOfLease,
		}),
	}
	r.participant.gone = cfg.Gone
	if r.journal == nil {
		r.journal = newStreams(cfg)
	}
	r.metrics = newMetrics(cfg.Registerer, r)
	return r
}

// Start reads the log, and returns when the others know this node. If ctx ends
// before, the roster has ended.
func (r *Roster) Start(ctx context.Context, h roster.Host) error {
	if r.started {
		return errors.New("roster: started twice")
	}
	r.started, r.host = true, h
	if err := r.journal.open(ctx); err != nil {
		return err
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r.cancel = cancel
	r.done.Go(func() { r.read(running) })
	r.done.Go(func() { r.write(running) })
	r.done.Go(func() { r.keep(running) })
	select {
	case <-r.ready:
		return nil
	case <-ctx.Done():
		r.stop()
		return fmt.Errorf("roster: the log of the cluster was not joined: %w", context.Cause(ctx))
	}
}

// Set is a change on this node. It is written soon; until then, changes of one
// subject merge.
func (r *Roster) Set(s roster.Subject, present, quiet bool) {
	k := makeKey(s)
	if len(k) > maxKey {
		r.log.Error("a name is too long for the cluster to decide about", "app", s.App, "bytes", len(k))
		return
	}
	r.mu.Lock()
	r.participant.own.set(k, present, quiet, r.participant.draining)
	r.mu.Unlock()
	r.wake.Set()
}

// Acknowledge says that decisions are safe. The others hear of it with the next
// batch: whoever takes over in between may tell them again, with the same ids.
func (r *Roster) Acknowledge(through uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.participant.told = max(r.participant.told, min(through, r.participant.lastOrder))
}

// Current reports whether the log has this node's word of less than a lease
// ago.
func (r *Roster) Current() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.participant.current(time.Now())
}

// CurrentSince returns since when the log has had this node's word without a
// break.
func (r *Roster) CurrentSince() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.participant.current(time.Now()) {
		return time.Time{}
	}
	return r.participant.currentSince
}

// Suspended returns nil, or a channel that is closed when the node is current
// again. That happens when something was read of the log.
func (r *Roster) Suspended() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.participant.current(time.Now()) {
		return nil
	}
	if r.resumed == nil {
		r.resumed = make(chan struct{})
	}
	return r.resumed
}

// ID is the incarnation by which the others know the node now.
func (r *Roster) ID() node.ID {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.participant.id
}

// Drain says that what ends from here on is not written.
func (r *Roster) Drain() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.participant.draining = true
}

// Close writes what is left to write, and that the node ends, and waits until
// that was read back, or ctx ends; then the others find out by themselves.
func (r *Roster) Close(ctx context.Context) error {
	if !r.started {
		return nil
	}
	r.mu.Lock()
	p := r.participant
	p.leaving = true
	if !p.joined {
		p.left = true
	}
	r.leftLocked()
	r.mu.Unlock()
	r.wake.Set()
	var err error
	select {
	case <-r.left:
	case <-ctx.Done():
		err = fmt.Errorf("roster: the cluster was not told that the node ends: %w", context.Cause(ctx))
	}
	r.stop()
	return err
}

func (r *Roster) stop() {
	r.mu.Lock()
	r.participant.leaving, r.participant.left = true, true
	r.leftLocked()
	r.mu.Unlock()
	r.cancel()
	r.done.Wait()
}

// leftLocked makes it known that this node has nothing more to do. r.mu is
// held.
func (r *Roster) leftLocked() {
	if !r.participant.left {
		return
	}
	select {
	case <-r.left:
	default:
		close(r.left)
	}
}

// tell makes the calls to the host that have come up, and then makes known what
// others wait for. r.mu is not held.
func (r *Roster) tell() {
	r.calling.Lock()
	defer r.calling.Unlock()
	r.mu.Lock()
	calls := r.participant.calls
	r.participant.calls = nil
	r.mu.Unlock()
	for _, c := range calls {
		switch c.kind {
		case callDecide:
			r.metrics.decided(c.decision)
			r.host.Decide(c.decision)
		case callTakeOver:
			r.log.Info("the matters of a node that has ended are this node's now", "node", string(c.id))
			r.host.TakeOver(c.id)
		case callEvicted:
			r.log.Error("the other nodes have given this one up; it begins again", "node", string(c.id))
			r.mu.Lock()
			r.givenUp++
			r.givenUpAt = time.Now()
			r.mu.Unlock()
			r.host.Evicted(c.id)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.changedLocked()
}
