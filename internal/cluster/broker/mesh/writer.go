package mesh

// ring wakes the writer.
func (m *Mesh) ring() { m.bell.Set() }

// Resume says that the wire is up again.
func (m *Mesh) Resume() { m.ring() }

// write is the writer's goroutine.
func (m *Mesh) write() {
	said := false // that the node leaves
	for {
		select {
		case <-m.bell:
		case <-m.stop:
			if m.leaving.Load() && !said {
				m.sendBeat(true)
			}
			return
		}
		for m.wire.Up() && m.pass(said) && !m.stopped() {
		}
		if !said && m.leaving.Load() && (m.hurry.Load() || m.drained()) {
			said = true
			m.sendBeat(true)
			close(m.left)
		}
	}
}

// pass sends at most one packet to each peer, and reports whether there may
// be more to send.
func (m *Mesh) pass(leaving bool) (more bool) {
	links := *m.list.Load()
	if m.tickDue.Swap(false) {
		m.maxBytes.Store(int64(m.wire.MaxPacket()))
		m.beatDue.Store(true)
		for _, l := range links {
			l.wantPulse()
		}
	}
	if m.beatDue.Swap(false) {
		m.sendBeat(leaving)
	}
	for _, l := range links {
		if b := l.next(); b != nil {
			m.send(l, b)
			more = true
		}
	}
	return more
}

func (m *Mesh) send(l *link, b *batch) {
	err := m.wire.Send(l.id, b.buf)
	if err != nil {
		m.complain(&m.complaints.wire, "a packet for a peer could not be sent", "node", l.name, "err", err)
	} else {
		m.counts.packetsSent.Inc()
		m.counts.bytesSent.Add(float64(len(b.buf)))
	}
	l.done(b, err)
}

func (m *Mesh) sendBeat(leaving bool) {
	markLeaving(m.beat, leaving)
	if err := m.wire.Send("", m.beat); err != nil {
		m.complain(&m.complaints.wire, "this node could not make itself heard", "err", err)
	}
}

// drained reports whether those peers that are heard, and stay, have everything.
func (m *Mesh) drained() bool {
	for _, l := range *m.list.Load() {
		l.mu.Lock()
		waits := l.out.first != nil && l.in.silent < m.leaseTicks && !l.in.leaving
		l.mu.Unlock()
		if waits {
			return false
		}
	}
	return true
}
