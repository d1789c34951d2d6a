package mesh

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"time"

	"github.com/belfryhq/belfry/internal/broker"
	"github.com/belfryhq/belfry/internal/node"
)

// errGone says that a peer is not there any more.
var errGone = errors.New("mesh: the peer is gone")

// A batch is a packet of messages that is being filled, or waits to be sent.
type batch struct {
	buf      []byte // begins with room for the header
	messages int
	gap      bool // something was lost before it
	ask      bool // the peer is to confirm it at once
	next     *batch
}

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

// outbound is what a link knows of its way out.
type outbound struct {
	first, last *batch        // not sent yet
	pending     int           // bytes in them
	gap         bool          // something was lost behind the last of them
	number      uint64        // of the last packet
	sent, acked uint64        // bytes of messages
	pulse       bool          // a packet is to go out even without messages
	ask         bool          // it is to be confirmed at once
	waiters     []waiter      // for confirmations, in order
	overdue     uint64        // what should have been confirmed long ago
	packets     uint64        // sent
	lost        uint64        // messages that found no room
	dead        bool          // the peer has left
	room        chan struct{} // closed when there is; nil if nobody waits
}

// inbound is what a link knows of its way in.
type inbound struct {
	epoch, number uint64 // of the last packet; zero before the first
	offset        uint64 // bytes dispatched or lost
	acked         uint64 // how many of them the peer was told of
	silent        int    // ticks since the peer was heard
	heard         time.Time
	leaving       bool
	left          int // ticks since it said so
	info          map[string]string
	stamp         uint64    // of its last pulse
	stamped       time.Time // when that came
	roundTrip     time.Duration
	packets       uint64
	gaps, lost    uint64 // how often packets were lost, and how many
}

func (l *link) ID() node.ID  { return l.id }
func (l *link) Name() string { return l.name }

// Send implements [broker.Link].
func (l *link) Send(m *broker.Message) {
	l.mu.Lock()
	idle := l.out.first == nil
	drop := l.put(m)
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

// put appends a message to the outbox, or says why it is dropped. l.mu is
// held.
func (l *link) put(m *broker.Message) dropReason {
	o := &l.out
	if o.dead || l.mesh.leaving.Load() {
		o.lost++
		return dropGone
	}
	b := o.last
	if b == nil || o.gap {
		b = l.mesh.batch()
	}
	at := len(b.buf)
	b.buf = m.Append(append(b.buf, 0, 0, 0, 0))
	n := len(b.buf) - at
	binary.BigEndian.PutUint32(b.buf[at:], uint32(n-lengthLen))
	var drop dropReason
	switch limit := int(l.mesh.maxBytes.Load()); {
	case headerLen+n > limit:
		drop = dropTooLarge
	case o.pending+n > int(l.mesh.cfg.MaxPending):
		drop = dropFull
	case at > headerLen && len(b.buf) > min(limit, maxBatch):
		full := b
		b = l.mesh.batch()
		b.buf = append(b.buf, full.buf[at:]...)
		full.buf = full.buf[:at]
	}
	if drop != "" {
		if b.buf = b.buf[:at]; b != o.last {
			l.mesh.release(b)
		}
		o.gap = true
		o.lost++
		return drop
	}
	b.messages++
	o.pending += n
	if b != o.last {
		b.gap, o.gap = o.gap, false
		o.push(b)
	}
	return ""
}

func (o *outbound) push(b *batch) {
	if o.last == nil {
		o.first = b
	} else {
		o.last.next = b
	}
	o.last = b
}

func (o *outbound) pop() *batch {
	b := o.first
	if o.first = b.next; o.first == nil {
		o.last = nil
	}
	b.next = nil
	o.pending -= len(b.buf) - headerLen
	return b
}

// unacked is how much is on its way.
func (o *outbound) unacked() uint64 { return o.sent - o.acked }

// next takes the packet that is to be sent now, or nil. Whoever sends it
// releases it.
func (l *link) next() *batch {
	l.mu.Lock()
	defer l.mu.Unlock()
	o := &l.out
	var b *batch
	h := header{epoch: l.epoch, offset: o.sent, ackEpoch: l.in.epoch, ack: l.in.offset}
	t := typeBatch
	switch {
	case o.pulse:
		b, t = l.mesh.batch(), typePulse
		b.gap = o.first == nil && o.gap
		if b.gap {
			o.gap = false
		}
		b.ask = o.ask
		b.buf = l.pulse().append(b.buf)
		o.pulse, o.ask = false, false
	case o.first != nil && o.unacked() < l.mesh.window:
		b = o.pop()
		o.sent += uint64(len(b.buf) - headerLen)
	default:
		return nil
	}
	if b.gap {
		o.number++ // the receiver will miss it
	}
	o.number++
	o.packets++
	h.number, h.ask = o.number, b.ask
	h.put(b.buf, t, l.mesh.cfg.ID)
	l.in.acked = l.in.offset
	l.makeRoom()
	return b
}

// pulse returns the times that the next pulse tells. l.mu is held.
func (l *link) pulse() *pulse {
	p := &pulse{stamp: uint64(time.Since(l.mesh.started)), echo: l.in.stamp}
	if p.echo != 0 {
		p.held = uint64(time.Since(l.in.stamped))
	}
	return p
}

// wantPulse makes a packet go out even if there are no messages.
func (l *link) wantPulse() {
	l.mu.Lock()
	l.out.pulse = true
	l.mu.Unlock()
}

// hasRoom reports whether little is on its way. l.mu is held.
func (l *link) hasRoom() bool {
	return l.out.pending+int(l.out.unacked()) <= l.mesh.room
}

// makeRoom tells those who wait for room, if there is some. l.mu is held.
func (l *link) makeRoom() {
	if l.out.room != nil && (l.out.dead || l.hasRoom()) {
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
	case l.hasRoom():
		return nil, nil
	case l.out.room == nil:
		l.out.room = make(chan struct{})
	}
	return l.out.room, nil
}

// die ends the link: nothing is sent on it any more, and nobody waits.
func (l *link) die() {
	l.mu.Lock()
	l.out.dead = true
	for l.out.first != nil {
		b := l.out.pop()
		l.out.lost += uint64(b.messages)
		l.mesh.counts.drop(dropGone, b.messages)
		l.mesh.release(b)
	}
	l.makeRoom()
	waiters := l.out.release(len(l.out.waiters))
	l.mu.Unlock()
	call(waiters)
}
