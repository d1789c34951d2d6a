package mesh

import (
	"maps"
	"slices"
	"time"

	"github.com/belfryhq/belfry/internal/broker"
	"github.com/belfryhq/belfry/internal/node"
)

// Deliver takes a packet from the wire. It does not block, and keeps packet.
// When too much has not been dispatched, the packet is dropped: the receiver
// will hear that something was lost.
func (m *Mesh) Deliver(packet []byte) {
	if !m.inbox.put(packet) {
		m.counts.overflows.Inc()
		m.complain(&m.complaints.overflow, "this node can not keep up with what its peers send")
	}
}

// dispatch is the dispatcher's goroutine.
func (m *Mesh) dispatch() {
	defer m.dieAll()
	var message broker.Message
	for {
		select {
		case <-m.inbox.bell:
		case <-m.stop:
			return
		}
		packets, ticked := m.inbox.take()
		for _, packet := range packets {
			if m.stopped() {
				return
			}
			m.handle(packet, &message)
			m.inbox.done(packet)
		}
		m.inbox.reuse(packets)
		// What had come when the clock ticked has been heard by now.
		if ticked {
			m.age()
		}
	}
}

// handle dispatches one packet. It may be anything.
func (m *Mesh) handle(packet []byte, message *broker.Message) {
	t, from, rest, ok := parsePrefix(packet)
	switch {
	case !ok:
		m.refuse("not a packet of this version", from)
	case from == m.cfg.ID: // beats go to all
	case t == typeBeat:
		b := beat{id: from}
		if !b.parse(rest) {
			m.refuse("malformed beat", from)
			return
		}
		m.hearBeat(&b)
	case t == typeBatch || t == typePulse:
		l := m.links[from]
		if l == nil {
			return // it will say who it is, and then we hear what we missed
		}
		var h header
		if rest, ok = h.parse(rest); !ok {
			m.refuse("malformed header", from)
			return
		}
		m.hearPacket(l, t, &h, rest, message)
	default:
		m.refuse("unknown type", from)
	}
}

// refuse notes a packet that no node would have sent.
func (m *Mesh) refuse(why string, from node.ID) {
	m.counts.refused.Inc()
	if !from.Valid() {
		from = ""
	}
	m.complain(&m.complaints.refused, "a packet was refused", "err", why, "node", string(from))
}

func (m *Mesh) hearBeat(b *beat) {
	l := m.links[b.id]
	if l == nil {
		if !b.leaving {
			m.join(b)
		}
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hear()
	if !maps.Equal(l.in.info, b.info) {
		l.in.info = b.info
	}
	if b.leaving && !l.in.leaving {
		l.in.leaving = true
		m.log.Info("a node leaves", "node", l.name, "id", string(l.id))
	}
}

// hear notes that the peer is alive. l.mu is held.
func (l *link) hear() {
	if l.in.silent >= l.mesh.leaseTicks {
		l.mesh.log.Info("a node is heard again", "node", l.name, "id", string(l.id))
	}
	l.in.silent = 0
	l.in.heard = time.Now()
}

// join makes a node that was not known a peer, and answers it.
func (m *Mesh) join(b *beat) {
	if len(m.links) >= broker.MaxPeers {
		m.complain(&m.complaints.crowd, "a node is refused: there are too many", "node", b.name, "id", string(b.id), "limit", broker.MaxPeers)
		return
	}
	m.epoch++
	now := time.Now()
	l := &link{mesh: m, id: b.id, name: b.name, epoch: m.epoch, since: now}
	l.in.info, l.in.heard = b.info, now
	l.out.pulse = true
	m.links[l.id] = l
	m.publishList()
	m.log.Info("a node has joined", "node", l.name, "id", string(l.id))
	m.beatDue.Store(true)
	m.ring()
	m.receiver.Joined(l)
}

// publishList tells the other goroutines who is a peer.
func (m *Mesh) publishList() {
	links := slices.SortedFunc(maps.Values(m.links), func(a, b *link) int { return int(a.epoch) - int(b.epoch) })
	m.list.Store(&links)
}

// hearPacket handles a batch or a pulse of a peer.
func (m *Mesh) hearPacket(l *link, t packetType, h *header, rest []byte, message *broker.Message) {
	var p pulse
	if t == typePulse && !p.parse(rest) {
		m.refuse("malformed pulse", l.id)
		return
	}
	fresh, lost := l.note(h)
	if !fresh {
		return // it was counted as lost when a later one came
	}
	l.acknowledged(h)
	if lost {
		m.counts.gaps.Inc()
		m.complain(&m.complaints.lost, "messages of a peer were lost", "node", l.name, "id", string(l.id))
		m.receiver.Lost(l)
	}
	offset := h.offset
	if t == typePulse {
		l.notePulse(&p)
	} else {
		offset += uint64(len(rest))
		m.receive(l, rest, message)
	}
	if l.consumed(offset, h.ask) {
		m.ring()
	}
}

// note compares a packet with what was to come: fresh is whether it is no
// older, and lost whether others are missing before it.
func (l *link) note(h *header) (fresh, lost bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hear()
	in := &l.in
	if h.epoch < in.epoch || h.epoch == in.epoch && h.number <= in.number {
		return false, false
	}
	missing := h.number - 1
	if h.epoch == in.epoch {
		missing -= in.number
	} else if in.epoch != 0 {
		lost = true // the peer had given us up and said nothing meanwhile
	}
	if missing > 0 || lost {
		lost = true
		in.gaps++
		in.lost += missing
	}
	if h.epoch != in.epoch {
		in.acked = 0
	}
	in.epoch, in.number = h.epoch, h.number
	in.packets++
	return true, lost
}

// acknowledged notes what the peer says that it has dispatched.
func (l *link) acknowledged(h *header) {
	l.mu.Lock()
	o := &l.out
	if h.ackEpoch != l.epoch || h.ack > o.sent || h.ack <= o.acked {
		l.mu.Unlock()
		return
	}
	closed := o.first != nil && o.unacked() >= l.mesh.window
	o.acked = h.ack
	l.makeRoom()
	confirmed := o.confirmed()
	l.mu.Unlock()
	if closed {
		l.mesh.ring()
	}
	call(confirmed)
}

func (l *link) notePulse(p *pulse) {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.in.stamp, l.in.stamped = p.stamp, now
	if p.echo == 0 {
		return
	}
	// An echo of before this process was started, or nonsense, is negative
	// or absurd, and of no interest.
	if d := now.Sub(l.mesh.started) - time.Duration(p.echo) - time.Duration(p.held); d >= 0 && d < time.Minute {
		l.in.roundTrip = d
	}
}

// consumed notes how far the peer's messages were dispatched, and reports
// whether the peer should be told now, because it asks or because it has sent
// much since.
func (l *link) consumed(offset uint64, asks bool) (tell bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.in.offset = offset
	if !asks && offset-l.in.acked < l.mesh.window/4 {
		return false
	}
	l.out.pulse = true
	return true
}

// receive hands the messages of a batch to the receiver.
func (m *Mesh) receive(l *link, rest []byte, message *broker.Message) {
	received := 0
	for len(rest) > 0 {
		text, after, ok := nextMessage(rest)
		if !ok || message.Parse(text) != nil {
			m.refuse("malformed message", l.id)
			m.receiver.Lost(l)
			break
		}
		m.receiver.Receive(l, message)
		received++
		rest = after
	}
	m.counts.received.Add(float64(received))
	m.counts.packetsReceived.Inc()
}

// age notes that a tick has passed, and lets go of peers whose time is over.
func (m *Mesh) age() {
	for _, l := range *m.list.Load() {
		if l.age() {
			delete(m.links, l.id)
			m.publishList()
			l.die()
			m.receiver.Left(l)
		}
	}
}

// dieAll ends all links.
func (m *Mesh) dieAll() {
	for _, l := range *m.list.Load() {
		l.die()
	}
}

// age reports whether the time of the peer is over.
func (l *link) age() (over bool) {
	m := l.mesh
	var waiters []waiter
	defer func() { call(waiters) }()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.in.silent++
	if l.in.leaving {
		l.in.left++
	}
	switch {
	case l.in.left >= m.graceTicks && l.in.leaving:
		m.log.Info("a node has left", "node", l.name, "id", string(l.id))
		return true
	case l.in.silent >= m.leaseTicks+m.graceTicks:
		m.log.Warn("a node is silent and counts as dead", "node", l.name, "id", string(l.id))
		return true
	case l.in.silent == m.leaseTicks:
		m.log.Warn("a node is silent", "node", l.name, "id", string(l.id))
		waiters = l.out.release(len(l.out.waiters))
	}
	return false
}
