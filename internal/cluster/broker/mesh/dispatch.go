package mesh

import (
	"maps"
	"slices"
	"time"

	"github.com/belfryhq/belfry/internal/cluster/broker"
	"github.com/belfryhq/belfry/internal/cluster/node"
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
		if n, other := ofOtherVersion(packet); other {
			m.refuseVersion(n)
			return
		}
		m.refuse("not a packet", from)
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
		if rest, ok = h.parse(rest, t); !ok {
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
	m.hear(l)
	l.mu.Lock()
	defer l.mu.Unlock()
	if !maps.Equal(l.in.info, b.info) {
		l.in.info = b.info
	}
	if b.leaving && !l.in.leaving {
		l.in.leaving = true
		m.log.Info("a node leaves", "node", l.name, "id", string(l.id))
	}
}

// hear notes that the peer of a link is alive.
func (m *Mesh) hear(l *link) {
	l.mu.Lock()
	silent := l.in.silent
	l.in.silent = 0
	l.in.heard = time.Now()
	l.mu.Unlock()
	if silent >= m.leaseTicks {
		m.log.Info("a node is heard again", "node", l.name, "id", string(l.id))
		m.suspect(l, false)
	}
}

// suspect tells the receiver whether a peer has been silent for the lease.
func (m *Mesh) suspect(l *link, silent bool) {
	if m.suspects != nil {
		m.suspects.Suspected(l, silent)
	}
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
	m.givenUp.resume(l)
	l.out.pulse = true
	m.links[l.id] = l
	m.publishList()
	m.log.Info("a node has joined", "node", l.name, "id", string(l.id))
	for _, key := range m.cfg.Alike {
		if there, here := b.info[key], m.cfg.Info[key]; there != here {
			m.log.Error("a node has another setting than this one; all nodes must have the same", "node", l.name, "setting", key, "there", there, "here", here)
		}
	}
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
	m.hear(l)
	news, lost := l.note(t, h)
	l.acknowledged(h)
	if lost {
		m.counts.gaps.Inc()
		m.complain(&m.complaints.lost, "messages of a peer were lost", "node", l.name, "id", string(l.id))
		m.receiver.Lost(l)
	}
	if !news {
		return
	}
	if t == typePulse {
		l.notePulse(&p)
	} else {
		m.receive(l, rest, message)
	}
	if l.consumed(t, h, len(rest)) {
		m.ring()
	}
}

// note compares a packet with what was to come: news is whether it is the next
// one, or a pulse, and lost whether what would be before it was lost for good.
// What the peer can send again is asked for.
func (l *link) note(t packetType, h *header) (news, lost bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	in := &l.in
	if h.epoch < in.epoch {
		return false, false
	}
	if h.epoch > in.epoch {
		lost = in.epoch != 0 // the peer had given us up and said nothing meanwhile
		in.epoch, in.number, in.missed, in.given = h.epoch, 0, 0, false
	}
	if in.given {
		lost, in.given = true, false // or we had given up the peer
	}
	if h.base-1 > in.number {
		in.lost += h.base - 1 - in.number
		in.number, lost = h.base-1, true
	}
	defer func() {
		if lost {
			in.gaps++
		}
	}()
	switch {
	case t == typePulse:
		if h.number > in.number {
			l.missLocked()
		}
		in.packets++
		return true, lost
	case h.number <= in.number: // the peer does not know that it was here
		l.out.pulse = true
		return false, lost
	case h.number-in.number > 1:
		l.missLocked()
		return false, lost
	}
	in.number = h.number
	in.packets++
	return true, lost || h.lost
}

// missLocked asks for the batch that should have come, once between two ticks: what
// follows it is on its way already. l.mu is held.
func (l *link) missLocked() {
	if next := l.in.number + 1; l.in.missed != next {
		l.in.missed = next
		l.out.pulse, l.out.again = true, true
		l.mesh.ring()
	}
}

// acknowledged notes what the peer says that it has dispatched, and sends again
// what it misses.
func (l *link) acknowledged(h *header) {
	l.mu.Lock()
	o := &l.out
	if h.ackEpoch != l.epoch || h.ack > o.sent || h.ack < o.acked {
		l.mu.Unlock()
		return
	}
	closed := o.due != nil && o.underway() >= l.mesh.window
	o.confirm(h.ack, l.mesh.release)
	if h.again {
		n := o.rewind()
		l.mesh.counts.resent.Add(float64(n))
		closed = closed || n > 0
	}
	l.makeRoomLocked()
	confirmed := o.confirmedLocked()
	l.mu.Unlock()
	if closed || l.mesh.leaving.Load() {
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

// consumed notes that a packet was dispatched, and reports whether the peer
// should be told now, because it asks or because it has sent much since.
func (l *link) consumed(t packetType, h *header, size int) (tell bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t == typeBatch {
		l.in.untold += packetCost(headerLen + size)
	}
	if !h.ask && l.in.untold < uint64(l.mesh.window)/4 {
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
		over, suspect := l.age()
		if suspect {
			m.suspect(l, true)
		}
		if over {
			delete(m.links, l.id)
			m.givenUp.add(l)
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

// age reports whether the time of the peer is over, and whether it has been
// silent for the lease just now.
func (l *link) age() (over, suspect bool) {
	m := l.mesh
	var waiters []waiter
	defer func() { call(waiters) }()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.in.silent++
	l.in.missed = 0
	if l.in.leaving {
		l.in.left++
	}
	switch {
	case l.in.left >= m.graceTicks && l.in.leaving:
		m.log.Info("a node has left", "node", l.name, "id", string(l.id))
		return true, false
	case l.in.silent >= m.leaseTicks+m.graceTicks:
		m.log.Warn("a node is silent and counts as dead", "node", l.name, "id", string(l.id))
		return true, false
	case l.in.silent == m.leaseTicks:
		m.log.Warn("a node is silent", "node", l.name, "id", string(l.id))
		waiters = l.out.releaseLocked(len(l.out.waiters))
		return false, true
	}
	return false, false
}
