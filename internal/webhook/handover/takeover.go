package handover

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/backoff"
	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/webhook/queue"
)

const (
	// lookEvery is how often a node of a cluster looks for queues that nobody
	// delivers, and into those that it has taken over.
	lookEvery = time.Minute
	// rememberFor is how long it is remembered what was in them: decisions of
	// those who left them follow at once.
	rememberFor = 10 * time.Minute
	// engineAgain is the wait after the engine did not answer.
	engineAgain = time.Second
)

// A Recorder publishes this node's own events.
type Recorder interface {
	// Term is the one in which it publishes.
	Term() *queue.Term
	// Pause lets nothing be published until Resume was called as often, and
	// returns the term.
	Pause() *queue.Term
	// Resume takes back one Pause. If a takeover did not succeed in its term,
	// the node ends, and nothing that was decided is published any more.
	Resume(t *queue.Term, succeeded bool)
	// Skip publishes none of these events, because queues have them. It
	// reports false, and does nothing, if the term is over.
	Skip(t *queue.Term, k Known) bool
	// ForgetSkipped forgets what Skip was told, if all of that was before a
	// time.
	ForgetSkipped(before time.Time)
}

// A Deliverer delivers what is in queues, unless the term is over. It can be
// told again of what there is. It returns how many records that is.
type Deliverer interface {
	Deliver(t *queue.Term, since time.Time, list ...queue.Backlog) int
}

// TakeoverConfig is what a takeover needs. All is required but what says
// otherwise.
type TakeoverConfig struct {
	Queue     queue.Queue
	Claims    queue.Claims
	Recorder  Recorder
	Deliverer Deliverer
	// Node is the name under which this node has queued while it was in no
	// cluster. It may be empty.
	Node string
	// Known reports whether the roster knows an incarnation. Nil: queues are
	// taken over only when somebody says so.
	Known func(node.ID) bool
	// Suspended is that of [roster.Roster].
	Suspended  func() <-chan struct{}
	Registerer prometheus.Registerer // nil: no metrics
	Log        *slog.Logger
}

// A Takeover takes over the queues of nodes that are gone. Each is claimed, so
// that whoever takes over this node's queue takes those too. Its methods are
// safe for concurrent use.
//
// The roster says who takes over what. That does not find the queue of a
// node whose death stands in no log. That is so when the log was lost and
// begun again, or when the successor died before it had claimed. Nor does it
// find what a node has published in the moment in which it was given up,
// when its successor had looked already. For these the nodes look from time
// to time.
type Takeover struct {
	cfg       TakeoverConfig
	log       *slog.Logger
	takeovers prometheus.Counter
	// ctx ends with Stop: what Begin begins outlives the call.
	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu       sync.Mutex
	stopping bool
	taken    map[queue.Owner]*queue.Term // what is delivered, since that term

	// Owned by the goroutine that looks.
	strange []queue.Owner // that nobody knew, the last time
	empty   []queue.Owner // that were taken over and had nothing left, the last time
}

// NewTakeover starts to look for queues.
func NewTakeover(cfg TakeoverConfig) *Takeover {
	h := &Takeover{cfg: cfg, log: cfg.Log, taken: make(map[queue.Owner]*queue.Term)}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	h.takeovers = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "belfry_webhook_takeovers_total",
		Help: "Queues of other nodes that this one has taken over.",
	})
	if cfg.Registerer != nil {
		cfg.Registerer.MustRegister(h.takeovers)
	}
	h.running.Go(func() { h.run(h.ctx) })
	return h
}

// Stop ends what is under way. Decisions that wait for it are not told.
func (h *Takeover) Stop() {
	h.mu.Lock()
	h.stopping = true
	h.mu.Unlock()
	h.cancel()
	h.running.Wait()
}

// Begin begins to take over a queue. Until it is known what is in there, nothing
// is published.
func (h *Takeover) Begin(dead queue.Owner) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stopping {
		return // and what is decided afterwards is ignored
	}
	t := h.cfg.Recorder.Pause()
	h.running.Go(func() {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		defer context.AfterFunc(h.ctx, cancel)()
		h.cfg.Recorder.Resume(t, h.takeOver(ctx, t, dead))
	})
}

// takeOver takes a queue over, and those that its owner had taken over. It does
// so until it works, or ctx ends, and then it returns false.
func (h *Takeover) takeOver(ctx context.Context, t *queue.Term, dead queue.Owner) bool {
	return backoff.Every(engineAgain).Retry(ctx, func() (again bool, err error) {
		if !h.mayAct(ctx) {
			return false, context.Cause(ctx)
		}
		err = h.try(ctx, t, dead)
		if err != nil && ctx.Err() == nil {
			h.log.Warn("the queue of webhooks of a node that is gone can not be taken over; trying again", "of", string(dead), "err", err)
			return true, err
		}
		return false, err
	}) == nil
}

// mayAct waits until the node may act, and returns false when ctx ends before.
func (h *Takeover) mayAct(ctx context.Context) bool {
	for resumed := h.cfg.Suspended(); resumed != nil; resumed = h.cfg.Suspended() {
		select {
		case <-resumed:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

func (h *Takeover) try(ctx context.Context, t *queue.Term, dead queue.Owner) error {
	claims, err := h.cfg.Claims.All(ctx)
	if err != nil {
		return err
	}
	var list []queue.Backlog
	var known Known
	for _, of := range line(claims, dead) {
		mine, err := h.claim(ctx, t, of, dead, claims[of])
		if err != nil {
			return err
		}
		left, err := h.cfg.Queue.Backlog(ctx, of)
		if err != nil {
			return err
		}
		err = h.cfg.Queue.Scan(ctx, of, func(to queue.Address, r *queue.Record) {
			for i := range r.Events {
				if e := &r.Events[i]; e.Type&apps.States != 0 {
					known.add(to, e.ID)
				}
			}
		})
		if err != nil {
			return err
		}
		if mine {
			list = append(list, left)
		}
	}
	h.take(t, list, known)
	return ctx.Err()
}

// line returns an owner, and those whose queues it has claimed, and so on.
func line(claims map[queue.Owner]queue.Claim, dead queue.Owner) []queue.Owner {
	list := []queue.Owner{dead}
	for i := 0; i < len(list); i++ {
		for of, c := range claims {
			if c.By == list[i] && !slices.Contains(list, of) {
				list = append(list, of)
			}
		}
	}
	return list
}

// claim notes that this node has taken over a queue, and reports whether it
// has: another one that lives may have been faster.
func (h *Takeover) claim(ctx context.Context, t *queue.Term, of, dead queue.Owner, now queue.Claim) (bool, error) {
	switch {
	case now.By == t.Owner:
		return true, nil
	case now.By != "" && of == dead && h.lives(now.By):
		return false, nil
	}
	return true, h.cfg.Claims.Claim(ctx, of, t.Owner, now.Revision)
}

// lives reports whether an owner is an incarnation that the roster knows.
func (h *Takeover) lives(of queue.Owner) bool {
	known := h.cfg.Known
	return known != nil && node.ID(of).Valid() && known(node.ID(of))
}

// take delivers what was taken over. Decisions that are in there are not told
// again.
func (h *Takeover) take(t *queue.Term, list []queue.Backlog, known Known) {
	if !h.cfg.Recorder.Skip(t, known) {
		return
	}
	for _, b := range list {
		h.setTaken(b.Owner, t)
		if len(b.Endpoints) > 0 {
			h.takeovers.Inc()
		}
	}
	if records := h.cfg.Deliverer.Deliver(t, time.Now(), list...); records > 0 {
		h.log.Info("delivering webhooks of a node that is gone", "of", string(list[0].Owner), "records", records)
	}
}

func (h *Takeover) setTaken(of queue.Owner, t *queue.Term) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if t == nil {
		delete(h.taken, of)
	} else {
		h.taken[of] = t
	}
}

// run is the goroutine that looks.
func (h *Takeover) run(ctx context.Context) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		if !h.mayAct(ctx) {
			return
		}
		if err := h.look(ctx); err != nil && ctx.Err() == nil {
			h.log.Warn("queues of webhooks that nobody delivers can not be looked for", "err", err)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// look finds queues that nobody delivers, and forgets those that are empty.
func (h *Takeover) look(ctx context.Context) error {
	h.cfg.Recorder.ForgetSkipped(time.Now().Add(-rememberFor))
	t := h.cfg.Recorder.Term()
	owners, err := h.cfg.Queue.Owners(ctx)
	if err != nil {
		return err
	}
	claims, err := h.cfg.Claims.All(ctx)
	if err != nil {
		return err
	}
	var strange []queue.Owner
	for _, of := range owners {
		switch now := claims[of].By; {
		case of == t.Owner:
		case now == t.Owner:
			if err := h.lookInto(ctx, t, of); err != nil {
				return err
			}
		case now != "" && h.lives(now):
		case of == queue.OwnerOf(h.cfg.Node), of == queue.OwnerOf(""):
			h.Begin(of) // this node's, or of an engine that was this node's alone
		case node.ID(of).Valid() && h.cfg.Known != nil && !h.lives(of):
			if slices.Contains(h.strange, of) {
				h.Begin(of)
			}
			strange = append(strange, of)
		}
	}
	h.strange = strange
	return h.forgetEmpty(ctx, t, owners, claims)
}

// forgetEmpty forgets the queues that were taken over and have had nothing in
// them for so long that there will be nothing any more.
func (h *Takeover) forgetEmpty(ctx context.Context, t *queue.Term, owners []queue.Owner, claims map[queue.Owner]queue.Claim) error {
	var empty []queue.Owner
	for of, now := range claims {
		if now.By != t.Owner || slices.Contains(owners, of) {
			continue
		}
		if !slices.Contains(h.empty, of) {
			empty = append(empty, of)
		} else if err := h.cfg.Claims.Forget(ctx, of, now); err != nil {
			return err
		} else {
			h.setTaken(of, nil)
		}
	}
	h.empty = empty
	return nil
}

// lookInto delivers what has come into a queue after it was taken over. While
// that is under way, it must not be delivered.
func (h *Takeover) lookInto(ctx context.Context, t *queue.Term, of queue.Owner) error {
	h.mu.Lock()
	taken := h.taken[of] == t
	h.mu.Unlock()
	if !taken {
		return nil
	}
	left, err := h.cfg.Queue.Backlog(ctx, of)
	if err == nil {
		h.cfg.Deliverer.Deliver(t, time.Now(), left)
	}
	return err
}
