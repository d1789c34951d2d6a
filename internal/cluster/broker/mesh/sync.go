package mesh

import (
	"time"

	"github.com/belfryhq/belfry/internal/cluster/broker"
)

// A waiter wants to know when the peer has come as far as upTo.
type waiter struct {
	upTo     uint64 // number of a batch
	deadline time.Time
	done     func()
}

// Sync implements [broker.Link].
func (l *link) Sync(done func()) {
	wait, first, ring := l.await(done)
	if !wait {
		done()
		return
	}
	if ring {
		l.mesh.ring()
	}
	if first {
		l.mesh.waiting.Set()
	}
}

// await makes done wait, if there is something to wait for. Then first is
// whether nobody else did, and ring whether the writer has something to do.
func (l *link) await(done func()) (wait, first, ring bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	o := &l.out
	upTo := o.number
	if o.dead || upTo <= o.acked || o.acked < o.overdue || l.in.silent >= l.mesh.leaseTicks {
		return false, false, false
	}
	ring = o.askLast()
	first = len(o.waiters) == 0
	o.waiters = append(o.waiters, waiter{upTo, time.Now().Add(broker.SyncTimeout), done})
	return true, first, ring
}

// askLast has the packet that has the last of the messages ask for a
// confirmation. If that was sent, another one does, and the writer has to know.
func (o *outbound) askLast() (ring bool) {
	if o.last != nil && !o.last.sent {
		o.last.ask = true
		return false
	}
	o.pulse, o.ask = true, true
	return true
}

// confirmedLocked takes those out whose messages the peer has dispatched. l.mu is
// held.
func (o *outbound) confirmedLocked() []waiter {
	n := 0
	for n < len(o.waiters) && o.waiters[n].upTo <= o.acked {
		n++
	}
	return o.releaseLocked(n)
}

// releaseLocked takes the first n waiters out. l.mu is held.
func (o *outbound) releaseLocked(n int) []waiter {
	waiters := o.waiters[:n:n]
	if o.waiters = o.waiters[n:]; len(o.waiters) == 0 {
		o.waiters = nil
	}
	return waiters
}

func call(waiters []waiter) {
	for i := range waiters {
		waiters[i].done()
	}
}

// expire lets those go who have waited for too long, and returns when the next
// one will have, or zero if nobody waits.
func (l *link) expire(now time.Time) (next time.Time) {
	l.mu.Lock()
	o := &l.out
	n := 0
	for n < len(o.waiters) && !now.Before(o.waiters[n].deadline) {
		o.overdue = o.waiters[n].upTo
		n++
	}
	if n > 0 {
		// Nobody waits for what comes after something that is overdue.
		n = len(o.waiters)
	}
	expired := o.releaseLocked(n)
	if len(o.waiters) > 0 {
		next = o.waiters[0].deadline
	}
	l.mu.Unlock()
	call(expired)
	return next
}

// expire does that for all links.
func (m *Mesh) expire() (next time.Time) {
	now := time.Now()
	for _, l := range *m.list.Load() {
		if t := l.expire(now); !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	return next
}
