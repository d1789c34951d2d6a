package loop

import (
	"context"
	"sync"
	"sync/atomic"
)

// A job is work for a loop, and how much of it there is.
type job struct {
	run    func(loop int)
	weight int
}

// A mailbox is the queue of one loop. Posting never blocks; a mailbox that
// holds more than its limit closes the group's gate until half of it is done.
type mailbox struct {
	gate  *gate
	limit int

	mu     sync.Mutex
	queue  []job
	spare  []job // the other of two slices that take swaps
	weight int   // of all jobs that are not finished
	full   bool  // has closed the gate
	sealed bool  // takes nothing any more
}

// keepJobs is the longest queue whose memory is kept for the next turn.
const keepJobs = 4096

func newMailbox(g *gate, limit int) *mailbox { return &mailbox{gate: g, limit: limit} }

// post queues a job, and reports whether the mailbox was empty, so that its
// owner may be asleep. It is not ok when the owner is gone; then the job was
// not queued.
func (m *mailbox) post(j job) (first, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.sealed {
		return false, false
	}
	m.queue = append(m.queue, j)
	m.weight += j.weight
	if m.weight > m.limit && !m.full {
		m.full = true
		m.gate.close()
	}
	return len(m.queue) == 1, true
}

// seal makes the mailbox take nothing any more, if it is empty.
func (m *mailbox) seal() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sealed = len(m.queue) == 0
	return m.sealed
}

// empty reports whether there is nothing to take.
func (m *mailbox) empty() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.queue) == 0
}

// take returns what is queued. The slice is the caller's until the next take.
func (m *mailbox) take() []job {
	m.mu.Lock()
	defer m.mu.Unlock()
	jobs := m.queue
	m.queue = m.spare[:0]
	if cap(jobs) <= keepJobs {
		m.spare = jobs
	} else {
		m.spare = nil
	}
	return jobs
}

// finished takes the weight of a job that has run off the mailbox.
func (m *mailbox) finished(weight int) {
	m.mu.Lock()
	m.weight -= weight
	if m.full && m.weight <= m.limit/2 {
		m.full = false
		m.gate.open()
	}
	m.mu.Unlock()
}

// A gate is closed while any mailbox is over its limit.
type gate struct {
	closed atomic.Int32 // mailboxes over their limit, and whoever else holds it
	lifted atomic.Bool  // open for good

	mu     sync.Mutex
	opened chan struct{} // closed when the gate opens; nil while nobody waits
}

func (g *gate) close() { g.closed.Add(1) }

// shut reports whether the gate is closed.
func (g *gate) shut() bool { return g.closed.Load() > 0 && !g.lifted.Load() }

// lift opens the gate for good, so that nobody waits for loops that stop.
func (g *gate) lift() {
	g.lifted.Store(true)
	g.pass()
}

func (g *gate) open() {
	if g.closed.Add(-1) <= 0 {
		g.pass()
	}
}

// pass lets go on who waits.
func (g *gate) pass() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.opened != nil {
		close(g.opened)
		g.opened = nil
	}
}

// wait returns when the gate is open, or with the context's error.
func (g *gate) wait(ctx context.Context) error {
	for g.shut() {
		g.mu.Lock()
		if !g.shut() {
			g.mu.Unlock()
			return nil
		}
		if g.opened == nil {
			g.opened = make(chan struct{})
		}
		opened := g.opened
		g.mu.Unlock()
		select {
		case <-opened:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}
