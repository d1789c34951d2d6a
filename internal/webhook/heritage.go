package webhook

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/belfryhq/belfry/internal/backoff"
	"github.com/belfryhq/belfry/internal/cluster/node"
)

const (
	// lookEvery is how often a node of a cluster looks for queues that nobody
	// delivers, and into those that it has taken over.
	lookEvery = time.Minute
	// rememberFor is how long it is remembered what was in them: decisions of
	// those who left them follow at once.
	rememberFor = 10 * time.Minute
)

// heritage are the queues of others that this node takes over. Each is noted
// with its heir, so that whoever takes over that one's queue takes it too.
//
// The log says who takes over what. That does not find the queue of a node
// whose death stands in no log: because the log was lost and begun again, or
// because the heir died before it had noted that it is the heir. Nor does it
// find what a node has published in the moment in which it was given up, when
// its heir had looked already. For these the nodes look from time to time.
type heritage struct {
	sender *Sender
	ctx    context.Context // ends with the process: what is taken over has no caller
	cancel context.CancelFunc

	mu       sync.Mutex
	stopping bool
	running  sync.WaitGroup
	taken    map[owner]*term // what is delivered, since that term

	// Owned by the goroutine that looks.
	strange []owner // that nobody knew, the last time
	empty   []owner // that were taken over and had nothing left, the last time
}

func newHeritage(s *Sender) *heritage {
	h := &heritage{sender: s, taken: make(map[owner]*term)}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	return h
}

// stop ends what is under way. Decisions that wait for it are not told.
func (h *heritage) stop() {
	h.mu.Lock()
	h.stopping = true
	h.mu.Unlock()
	h.cancel()
	h.running.Wait()
}

// adopt begins to take over a queue.
func (s *Sender) adopt(dead owner) {
	h := s.heritage
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stopping {
		return // and what is decided afterwards is ignored
	}
	t := s.recorder.beginAdoption()
	h.running.Go(func() {
		ctx, cancel := context.WithCancel(t.ctx)
		defer cancel()
		defer context.AfterFunc(h.ctx, cancel)()
		s.recorder.endAdoption(t, h.inherit(ctx, t, dead))
	})
}

// beginAdoption lets nothing be published until endAdoption was called as
// often, and returns the term.
func (r *recorder) beginAdoption() *term {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.adopting++; r.adopting == 1 {
		r.adopted = make(chan struct{})
	}
	return r.term
}

// endAdoption lets records go on. If it did not succeed in its term, the node
// ends, and nothing that was decided is told.
func (r *recorder) endAdoption(t *term, done bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !done && r.term == t {
		r.withdrawLocked(everyDecision)
	}
	if r.adopting--; r.adopting == 0 {
		close(r.adopted)
		r.adopted = nil
	}
}

// inherit takes a queue over, and those that its owner had taken over. It does
// so until it works, or ctx ends, and then it returns false.
func (h *heritage) inherit(ctx context.Context, t *term, dead owner) bool {
	for {
		if !h.pass(ctx) {
			return false
		}
		err := h.try(ctx, t, dead)
		switch {
		case ctx.Err() != nil:
			return false
		case err == nil:
			return true
		}
		h.sender.log.Warn("the queue of webhooks of a node that is gone can not be taken over; trying again", "of", string(dead), "err", err)
		backoff.Sleep(ctx, engineAgain)
	}
}

// pass waits until the node may act, and returns false when ctx ends before.
func (h *heritage) pass(ctx context.Context) bool {
	for open := h.sender.cfg.Roster.Suspended(); open != nil; open = h.sender.cfg.Roster.Suspended() {
		select {
		case <-open:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

func (h *heritage) try(ctx context.Context, t *term, dead owner) error {
	q := h.sender.queue
	heirs, err := q.heirs(ctx)
	if err != nil {
		return err
	}
	var list []estate
	var known decided
	for _, of := range line(heirs, dead) {
		mine, err := h.claim(ctx, t, of, dead, heirs[of])
		if err != nil {
			return err
		}
		left, err := q.backlog(ctx, of)
		if err != nil {
			return err
		}
		err = q.scan(ctx, of, func(to address, r *record) {
			for i := range r.events {
				if e := &r.events[i]; e.state() {
					known.add(to, e.id)
				}
			}
		})
		if err != nil {
			return err
		}
		if mine {
			list = append(list, estate{of, left})
		}
	}
	h.sender.take(t, list, known)
	return ctx.Err()
}

// line returns an owner, and those whose heir it is, and so on.
func line(heirs map[owner]heir, dead owner) []owner {
	list := []owner{dead}
	for i := 0; i < len(list); i++ {
		for of, h := range heirs {
			if h.owner == list[i] && !slices.Contains(list, of) {
				list = append(list, of)
			}
		}
	}
	return list
}

// claim notes that this node has taken over a queue, and reports whether it
// has: another one that lives may have been faster.
func (h *heritage) claim(ctx context.Context, t *term, of, dead owner, now heir) (bool, error) {
	switch {
	case now.owner == t.owner:
		return true, nil
	case now.owner != "" && of == dead && h.lives(now.owner):
		return false, nil
	}
	return true, h.sender.queue.inherit(ctx, of, t.owner, now.revision)
}

// lives reports whether an owner is an incarnation that the roster knows.
func (h *heritage) lives(of owner) bool {
	known := h.sender.cfg.Known
	return known != nil && node.ID(of).Valid() && known(node.ID(of))
}

// state reports whether an event is of those that are decided.
func (e *event) state() bool {
	return bytes.HasPrefix(e.body, []byte(`{"name":"channel_`)) || bytes.HasPrefix(e.body, []byte(`{"name":"member_`))
}

// take delivers what was inherited. Decisions that are in there are not told
// again.
func (s *Sender) take(t *term, list []estate, known decided) {
	r := s.recorder
	r.mu.Lock()
	if r.term != t {
		r.mu.Unlock()
		return
	}
	r.queued.merge(known)
	doubled := r.withdrawLocked(func(b *outbox, e *event) bool { return known.has(b.to, e.id) })
	r.queuedAt = time.Now()
	r.mu.Unlock()
	s.ledger.settled(doubled)
	for _, e := range list {
		s.heritage.setTaken(e.of, t)
		if len(e.left) > 0 {
			s.metrics.takeovers.Inc()
		}
	}
	if records := s.endpoints.take(t, time.Now(), list...); records > 0 {
		s.log.Info("delivering webhooks of a node that is gone", "of", string(list[0].of), "records", records)
	}
}

func (h *heritage) setTaken(of owner, t *term) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if t == nil {
		delete(h.taken, of)
	} else {
		h.taken[of] = t
	}
}

// run is the goroutine that looks.
func (h *heritage) run() {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		if !h.pass(h.ctx) {
			return
		}
		if err := h.look(h.ctx); err != nil && h.ctx.Err() == nil {
			h.sender.log.Warn("queues of webhooks that nobody delivers can not be looked for", "err", err)
		}
		select {
		case <-ticker.C:
		case <-h.ctx.Done():
			return
		}
	}
}

// look finds queues that nobody delivers, and forgets those that are empty.
func (h *heritage) look(ctx context.Context) error {
	s := h.sender
	s.recorder.forgetQueued(time.Now().Add(-rememberFor))
	t := s.endpoints.term.Load()
	owners, err := s.queue.owners(ctx)
	if err != nil {
		return err
	}
	heirs, err := s.queue.heirs(ctx)
	if err != nil {
		return err
	}
	var strange []owner
	for _, of := range owners {
		switch now := heirs[of].owner; {
		case of == t.owner:
		case now == t.owner:
			if err := h.lookInto(ctx, t, of); err != nil {
				return err
			}
		case now != "" && h.lives(now):
		case of == owner(escape(s.cfg.Node)), of == owner(escape("")):
			s.adopt(of) // this node's, or of an engine that was this node's alone
		case node.ID(of).Valid() && s.cfg.Known != nil && !h.lives(of):
			if slices.Contains(h.strange, of) {
				s.adopt(of)
			}
			strange = append(strange, of)
		}
	}
	h.strange = strange
	return h.forgetEmpty(ctx, t, owners, heirs)
}

// forgetEmpty forgets the queues that were taken over and have had nothing in
// them for so long that there will be nothing any more.
func (h *heritage) forgetEmpty(ctx context.Context, t *term, owners []owner, heirs map[owner]heir) error {
	var empty []owner
	for of, now := range heirs {
		if now.owner != t.owner || slices.Contains(owners, of) {
			continue
		}
		if !slices.Contains(h.empty, of) {
			empty = append(empty, of)
		} else if err := h.sender.queue.disinherit(ctx, of, now); err != nil {
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
func (h *heritage) lookInto(ctx context.Context, t *term, of owner) error {
	h.mu.Lock()
	taken := h.taken[of] == t
	h.mu.Unlock()
	if !taken {
		return nil
	}
	left, err := h.sender.queue.backlog(ctx, of)
	if err == nil {
		h.sender.endpoints.take(t, time.Now(), estate{of, left})
	}
	return err
}

// forgetQueued forgets what the queues had that were taken over before.
func (r *recorder) forgetQueued(before time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.queuedAt.Before(before) {
		r.queued = decided{}
	}
}
