// Package loop runs the goroutines that own sockets.
//
// A [Loop] owns a share of the node's sockets: it alone touches them, their
// outboxes and their deadlines, and it calls their [Handler], so that none of
// that takes a lock. Work from elsewhere reaches a loop through its mailbox,
// in order. A turn of a loop is: take what is in the mailbox, run it, fire
// deadlines, and flush every socket that got something to send once.
//
// The package moves bytes and knows no protocol: what the bytes mean is the
// handler's business.
//
// # Locks
//
// A mailbox has one lock, which is a leaf: nothing else is taken while it is
// held. Everything else belongs to a loop's goroutine.
package loop

import (
	"context"
	"sync/atomic"
	"time"
)

// turnWeight is how much queued work one turn runs before it flushes, so that
// a long queue does not delay what is already in the outboxes.
const turnWeight = 1 << 16

// A Loop is one goroutine and the sockets that it owns.
type Loop struct {
	index   int
	group   *Group
	mailbox *mailbox
	done    chan struct{} // closed when the goroutine has ended

	// Owned by the loop's goroutine.
	now      time.Time // of this turn
	wheel    wheel
	sockets  []*Socket // all that are open; Socket.at is the place
	dirty    []*Socket // have something to flush or to end
	running  int       // goroutines of streams that have not ended
	stopping bool
	open     atomic.Int64 // len(sockets), for whoever asks
}

func newLoop(index int, g *Group) *Loop {
	l := &Loop{
		index:   index,
		group:   g,
		mailbox: newMailbox(&g.gate, g.cfg.MailboxWeight),
		done:    make(chan struct{}),
		now:     time.Now(),
	}
	l.wheel.start(l.now)
	return l
}

// Index is the loop's number in its group, from 0.
func (l *Loop) Index() int { return l.index }

// Now is the time at which the current turn began. Only the loop's own
// goroutine may ask.
func (l *Loop) Now() time.Time { return l.now }

// post queues work; see [Group.Post].
func (l *Loop) post(run func(loop int), weight int) { l.mailbox.post(job{run, weight}) }

// run is the loop's goroutine.
func (l *Loop) run() {
	defer close(l.done)
	for {
		jobs := l.mailbox.take(l.wheel.untilNext(time.Now()))
		l.now = time.Now()
		l.work(jobs)
		l.wheel.advance(l.now)
		l.flush()
		if l.stopping && l.running == 0 && len(l.sockets) == 0 {
			return
		}
	}
}

// work runs jobs in order, flushing whenever a turn's worth is done.
func (l *Loop) work(jobs []job) {
	turn := 0
	for i := range jobs {
		jobs[i].run(l.index)
		turn += jobs[i].weight
		l.mailbox.finished(jobs[i].weight)
		jobs[i].run = nil
		if turn >= turnWeight {
			l.flush()
			l.now = time.Now()
			turn = 0
		}
	}
}

// flush visits every dirty socket once.
func (l *Loop) flush() {
	// Ending a socket may make others dirty, so the list can grow meanwhile.
	for i := 0; i < len(l.dirty); i++ {
		s := l.dirty[i]
		l.dirty[i] = nil
		s.dirty = false
		s.settle()
	}
	l.dirty = l.dirty[:0]
}

// stop ends every socket of the loop and lets its goroutine end once the
// streams have.
func (l *Loop) stop(int) {
	l.stopping = true
	for _, s := range l.sockets {
		s.Drop(ErrStopped)
	}
}

func (l *Loop) add(s *Socket) {
	s.at = len(l.sockets)
	l.sockets = append(l.sockets, s)
	l.open.Store(int64(len(l.sockets)))
}

func (l *Loop) remove(s *Socket) {
	last := len(l.sockets) - 1
	moved := l.sockets[last]
	l.sockets[s.at], moved.at = moved, s.at
	l.sockets[last] = nil
	l.sockets = l.sockets[:last]
	l.open.Store(int64(last))
}

// each runs do for every socket, some thousands a turn.
func (l *Loop) each(do func(*Socket)) {
	for _, s := range l.sockets {
		do(s)
	}
}

// wait blocks until the loop's goroutine has ended.
func (l *Loop) wait(ctx context.Context) error {
	select {
	case <-l.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
