package mesh

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"time"

	"github.com/belfryhq/belfry/internal/cluster/broker"
	"github.com/belfryhq/belfry/internal/cluster/node"
)

// errGone says that a peer is not there any more.
var errGone = errors.New("mesh: the peer is gone")

// A link is the way to and from one incarnation of a peer. It is a
// [broker.Link].
type link struct {
	mesh  *Mesh
	id    node.ID
	name  string
	epoch uint64 // grows with every link that this node makes
	since time.Time

	mu  sync.Mutex
	out outbound // guarded by mu
	in  inbound  // guarded by mu
}

// inbound is what a link knows of its way in.
type inbound struct {
	epoch, number uint64 // of the last batch that was dispatched; zero before the first
	untold        uint64 // what those cost that were dispatched since the peer was told
	missed        uint64 // the number that the peer was asked for since the last tick; zero: none
	given         bool   // the link goes on where an earlier one was given up
	silent        int    // ticks since the peer was heard
	heard         time.Time
	leaving       bool
	left          int // ticks since it said so
	info          map[string]string
	stamp         uint64    // of its last pulse
	stamped       time.Time // when that came
	roundTrip     time.Duration
	packets       uint64
	gaps, lost    uint64 // how often messages were lost, and how many packets
}

func (l *link) ID() node.ID  { return l.id }
func (l *link) Name() string { return l.name }

// Send implements [broker.Link].
func (l *link) Send(m *broker.Message) {
	l.mu.Lock()
	idle := l.out.due == nil
	drop := l.putLocked(m)
	l.mu.Unlock()
	switch {
	case drop == dropGone: // it is no news
		l.mesh.counts.drop(drop, 1)
	case drop != "":
		l.mesh.counts.drop(drop, 1)
		l.mesh.complain(&l.mesh.complaints.dropped, "messages for a peer could not be sent", "node", l.name, "err", string(drop))
	case idle:
		l.mesh.ring()
	}
}

// putLocked appends a message to the outbox, or says why it is dropped. l.mu is
// held.
func (l *link) putLocked(m *broker.Message) dropReason {
	o := &l.out
	if o.dead || l.mesh.leaving.Load() {
		o.lost++
		return dropGone
	}
	b := o.open()
	fresh := b == nil
	if fresh {
		b = l.mesh.batch()
	}
	before := b.buf
	b.buf = appendMessage(b.buf, m)
	size, limit := len(b.buf)-len(before), int(l.mesh.maxBytes.Load())
	if len(before) > headerLen && len(b.buf) > min(limit, maxBatch) {
		text := b.buf[len(before):]
		b.buf = before
		b, fresh = l.mesh.batch(), true
		before = b.buf
		b.buf = append(b.buf, text...)
	}
	cost := b.cost()
	if !fresh {
		cost -= cap(before) + batchOverhead
	}
	var drop dropReason
	switch {
	case headerLen+size > limit:
		drop = dropTooLarge
	case o.held+cost > int(l.mesh.cfg.MaxPending):
		drop = dropFull
	}
	if drop != "" {
		if b.buf = before; fresh {
			l.mesh.release(b)
		}
		o.lostBehind = true
		o.lost++
		return drop
	}
	b.messages++
	if fresh {
		o.push(b)
	} else {
		o.grow(cost)
	}
	return ""
}

// appendMessage appends a message after its length.
func appendMessage(buf []byte, m *broker.Message) []byte {
	at := len(buf)
	buf = m.Append(append(buf, 0, 0, 0, 0))
	binary.BigEndian.PutUint32(buf[at:], uint32(len(buf)-at-lengthLen))
	return buf
}

// next takes the packet that is to be sent now, or nil. Whoever sends it hands
// it to done.
func (l *link) next() *batch {
	l.mu.Lock()
	defer l.mu.Unlock()
	o := &l.out
	if o.pulse && o.lostBehind {
		// There may be no message that could tell of it.
		if b := o.last; b != nil && !b.sent && b.messages == 0 {
			o.lostBehind = false // this one does already
		} else {
			o.push(l.mesh.batch())
		}
	}
	var b *batch
	h := header{epoch: l.epoch, base: o.base(), ackEpoch: l.in.epoch, ack: l.in.number}
	t := typeBatch
	switch {
	case o.pulse:
		b, t = l.mesh.batch(), typePulse
		b.buf = l.pulseLocked().append(b.buf)
		h.number, h.ask, h.again = o.sent, o.ask, o.again
		o.pulse, o.ask, o.again = false, false, false
	case o.due != nil && (o.underway() < l.mesh.window || o.due == o.first):
		if !o.due.sent {
			l.mesh.counts.sent.Add(float64(o.due.messages))
		}
		b = o.take()
		h.number, h.ask, h.lost = b.number, b.ask, b.lost
	default:
		return nil
	}
	o.packets++
	h.put(b.buf, t, l.mesh.cfg.ID)
	l.in.untold = 0
	l.makeRoomLocked()
	return b
}

// done says that a packet was sent, or that the wire did not take it. Unless
// it is a pulse it is kept until the peer has it.
func (l *link) done(b *batch, err error) {
	if b.number == 0 {
		l.mesh.release(b)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	b.sending = false
	if err != nil && len(b.buf) > int(l.mesh.maxBytes.Load()) {
		// It never will take it.
		l.mesh.counts.drop(dropTooLarge, b.messages)
		l.out.lost += uint64(b.messages)
		b.buf, b.messages, b.lost = b.buf[:headerLen], 0, true
	}
}

// pulseLocked returns the times that the next pulse tells. l.mu is held.
func (l *link) pulseLocked() *pulse {
	p := &pulse{stamp: uint64(time.Since(l.mesh.started)), echo: l.in.stamp}
	if p.echo != 0 {
		p.held = uint64(time.Since(l.in.stamped))
	}
	return p
}

// hurry asks the peer to confirm what it was sent, if it has not.
func (l *link) hurry() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.out.first != nil {
		l.out.askLast()
	}
}

// wantPulse makes a packet go out even if there are no messages.
func (l *link) wantPulse() {
	l.mu.Lock()
	l.out.pulse = true
	l.mu.Unlock()
}

// hasRoomLocked reports whether little is on its way. l.mu is held.
func (l *link) hasRoomLocked() bool { return l.out.held <= l.mesh.room }

// makeRoomLocked tells those who wait for room, if there is some. l.mu is held.
func (l *link) makeRoomLocked() {
	if l.out.room != nil && (l.out.dead || l.hasRoomLocked()) {
		close(l.out.room)
		l.out.room = nil
	}
}

// Room implements [broker.Link].
func (l *link) Room(ctx context.Context) error {
	for {
		room, err := l.waitRoom()
		if room == nil {
			return err
		}
		select {
		case <-room:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-l.mesh.stop:
			return errGone
		}
	}
}

// waitRoom returns what is closed when there may be room, or nil if there is.
func (l *link) waitRoom() (<-chan struct{}, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.out.dead:
		return nil, errGone
	case l.hasRoomLocked():
		return nil, nil
	case l.out.room == nil:
		l.out.room = make(chan struct{})
	}
	return l.out.room, nil
}

// die ends the link: nothing is sent on it any more, and nobody waits. What
// the peer has not confirmed may be lost.
func (l *link) die() {
	l.mu.Lock()
	o := &l.out
	o.dead = true
	for o.first != nil {
		o.lost += uint64(o.first.messages)
		l.mesh.counts.drop(dropGone, o.first.messages)
		o.drop(l.mesh.release)
	}
	l.makeRoomLocked()
	waiters := o.releaseLocked(len(o.waiters))
	l.mu.Unlock()
	call(waiters)
}
