// Package loop runs the goroutines that own sockets.
//
// A [Loop] owns a share of the node's sockets. It alone touches them, their
// outboxes and their deadlines, and it calls their [Handler], so none of that
// takes a lock. Work from elsewhere reaches a loop through its mailbox, in
// order. A turn of a loop goes on with input that took more than a turn, and
// reads what sockets have received. Then it runs what is in the mailbox, fires
// deadlines, and flushes sockets that got something to send. While a turn
// flushes, further frames gather in the outboxes and go out together: the more
// there is to do, the less each frame costs.
//
// How bytes move is a [Link]'s business. On Linux, TCP needs no goroutine per
// socket: the loop polls the descriptors itself, of plain connections
// (descriptor_linux.go) and of those with TLS (encrypted_linux.go). Everything
// else has a reading goroutine per socket (stream.go). All behave alike to the
// rest. A connection that is polled can begin as a newcomer (newcomer.go), and go
// on elsewhere.
//
// The package moves bytes and knows no protocol: what the bytes mean is the
// handler's business.
//
// # Locks
//
// A mailbox has one lock, under which only that of the group's gate is taken.
// Everything else belongs to a loop's goroutine.
package loop

import (
	"context"
	"sync/atomic"
	"time"
)

const (
	// turnWeight is how much queued work one turn runs, so that a long queue
	// does not delay the sockets.
	turnWeight = 1 << 15
	// turnFlushes is how many sockets one turn flushes, so that a channel
	// with very many subscribers does not delay the others. Sockets that are
	// being answered do not count and do not wait.
	turnFlushes = 1 << 10
	// admitPause is how long a loop leaves its sockets alone while the node
	// has too much to do.
	admitPause = 2 * time.Millisecond
)

// A Loop is one goroutine and the sockets that it owns.
type Loop struct {
	index   int
	group   *Group
	mailbox *mailbox
	waiter  waiter
	done    chan struct{} // closed when the goroutine has ended

	// Owned by the loop's goroutine.
	now       time.Time // of this turn
	wheel     wheel
	sockets   []*Socket             // all that are open; Socket.at is the place
	jobs      []job                 // taken from the mailbox and not run yet
	answering bool                  // a handler is working on input
	unread    []*Socket             // have input that their handlers go on with
	held      map[string][]heldBack // wait for the release of their owners
	urgent    queue                 // sockets with an answer to flush
	dirty     queue                 // sockets with anything else to flush, or to end
	stuck     stuck                 // links that wait for their peers
	running   int                   // goroutines of streams that have not ended
	stopping  bool

	newcomers int          // of sockets
	open      atomic.Int64 // sockets but newcomers, for whoever asks
	traffic   traffic
}

// A waiter is what a loop sleeps on.
type waiter interface {
	// wait returns when it is woken, when sockets have received something, if
	// it is one to know, or at the time, if that is not zero. With a time that
	// has passed it does not sleep.
	wait(until time.Time)
	// receive hands over what sockets have received, as far as wait found it.
	receive()
	// wake ends the wait that goes on, or the next one. Any goroutine may
	// call it.
	wake()
	close()
}

func newLoop(index int, g *Group) *Loop {
	l := &Loop{
		index:   index,
		group:   g,
		mailbox: newMailbox(&g.gate, g.cfg.MailboxWeight),
		done:    make(chan struct{}),
		now:     time.Now(),
	}
	l.waiter = newWaiter(l)
	l.wheel.start(l.now)
	l.stuck.start(l)
	return l
}

// Index is the loop's number in its group, from 0.
func (l *Loop) Index() int { return l.index }

// Now is the time at which the current turn began. Only the loop's own
// goroutine may ask.
func (l *Loop) Now() time.Time { return l.now }

// Post queues work for the loop; see [Group.Post].
func (l *Loop) Post(run func(loop int), weight int) { l.post(run, weight) }

// post reports whether the work will run, which it will unless the loop has
// ended.
func (l *Loop) post(run func(loop int), weight int) bool {
	first, ok := l.mailbox.post(job{run, weight})
	if first {
		l.waiter.wake()
	}
	return ok
}

// run is the loop's goroutine.
func (l *Loop) run() {
	defer close(l.done)
	defer l.waiter.close()
	for {
		l.waiter.wait(l.nextTurn())
		l.now = time.Now()
		l.resume()
		l.waiter.receive()
		l.work()
		l.wheel.advance(l.now)
		l.flush()
		if l.stopping && l.running == 0 && len(l.sockets) == 0 && len(l.jobs) == 0 && l.mailbox.seal() {
			return
		}
	}
}

// nextTurn is when the next turn must begin if nothing happens; zero if it
// need not.
func (l *Loop) nextTurn() time.Time {
	if len(l.jobs) > 0 || l.dirty.len() > 0 || l.urgent.len() > 0 {
		return l.now
	}
	next := l.wheel.next()
	if len(l.unread) == 0 {
		return next
	}
	if !l.group.gate.shut() {
		return l.now
	}
	if soon := time.Now().Add(admitPause); next.IsZero() || next.After(soon) {
		return soon
	}
	return next
}

// resume lets handlers go on with what they did not finish in the last turn.
func (l *Loop) resume() {
	if len(l.unread) == 0 || l.group.gate.shut() {
		return
	}
	unread := l.unread
	l.unread = nil // whoever does not finish now is asked again in the next turn
	for _, s := range unread {
		if !s.hold(nil) {
			s.resume(nil)
		}
	}
}

// work runs a turn's worth of jobs, in order.
func (l *Loop) work() {
	if len(l.jobs) == 0 {
		l.jobs = l.mailbox.take()
	}
	turn, n := 0, 0
	for n < len(l.jobs) && turn < turnWeight {
		j := &l.jobs[n]
		j.run(l.index)
		turn += j.weight
		l.mailbox.finished(j.weight)
		j.run = nil
		n++
	}
	l.jobs = l.jobs[n:]
}

// flush settles a turn's worth of dirty sockets, those first that have an
// answer to send. Ending a socket may make others dirty meanwhile.
func (l *Loop) flush() {
	for l.urgent.len() > 0 {
		l.urgent.pop().settle()
	}
	for n := 0; n < turnFlushes && l.dirty.len() > 0; n++ {
		l.dirty.pop().settle()
	}
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
	l.count(s, 1)
}

func (l *Loop) remove(s *Socket) {
	last := len(l.sockets) - 1
	moved := l.sockets[last]
	l.sockets[s.at], moved.at = moved, s.at
	l.sockets[last] = nil
	l.sockets = l.sockets[:last]
	l.count(s, -1)
}

// count notes that there is one socket more or less.
func (l *Loop) count(s *Socket, by int) {
	if s.newcomer {
		l.newcomers += by
	}
	l.open.Store(int64(len(l.sockets) - l.newcomers))
}

// each runs do for every socket.
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

// A queue holds sockets in the order in which they became dirty. Its memory
// is used again.
type queue struct {
	sockets []*Socket
	head    int
}

// keepQueue is the longest queue whose memory is kept when it is empty.
const keepQueue = 1 << 12

func (q *queue) len() int { return len(q.sockets) - q.head }

func (q *queue) push(s *Socket) {
	if q.head > keepQueue && q.head > len(q.sockets)/2 {
		n := copy(q.sockets, q.sockets[q.head:])
		clear(q.sockets[n:])
		q.sockets, q.head = q.sockets[:n], 0
	}
	q.sockets = append(q.sockets, s)
}

func (q *queue) pop() *Socket {
	s := q.sockets[q.head]
	q.sockets[q.head] = nil
	q.head++
	if q.head == len(q.sockets) {
		q.sockets, q.head = q.sockets[:0], 0
		if cap(q.sockets) > keepQueue {
			q.sockets = nil
		}
	}
	return s
}
