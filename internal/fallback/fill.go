package fallback

// fill takes what r may write now. That is the line that opens a new
// session, then messages, then signs of life. When there is nothing else, it
// is the line that ends the session.
func (s *session) fill(r *receiver) chunk {
	b := batch{receiver: r, rotates: r.rotates() && !r.free}
	if !s.greeted {
		s.greeted = true
		b.add(openAt(s.server.cfg.Hostname))
	}
	if !b.full() {
		if r.format.stream {
			s.fillStream(&b)
		} else {
			s.fillPoll(&b)
		}
	}
	s.fillSigns(&b)
	if s.closing != nil && !b.full() && len(s.socket.Outbox()) == 0 {
		b.add(*s.closing)
		s.finished, b.last = true, true
	}
	if !r.format.stream && len(b.lines) > 0 || s.id.sockJS() && r.bytes > sockJSRotation || r.leave {
		b.last = true
	}
	return b.chunk
}

// fillSigns takes what shows that we live. What the client asked for waits
// until it can be sent; what is to break the silence need not.
func (s *session) fillSigns(b *batch) {
	if s.echo && !b.full() {
		s.echo = false
		b.add(emptyLine)
	}
	if len(s.pulse.text) > 0 && !b.full() {
		b.add(s.pulse)
	}
	s.pulse = line{}
}

// fillStream takes messages, each in a line of its own, so that the client has
// each as soon as it has arrived.
func (s *session) fillStream(b *batch) {
	encoder := &s.server.encoders[s.loop.Index()]
	frames := 0
	for _, f := range s.socket.Outbox() {
		if b.full() || b.size >= maxChunk {
			break
		}
		l := encoder.line(f)
		if r := b.receiver; r.stream != nil {
			*l = l.framed() // once for all
		}
		b.add(*l)
		frames++
	}
	s.socket.Took(frames)
}

// fillPoll takes as many messages as fit, in one line.
func (s *session) fillPoll(b *batch) {
	encoder := &s.server.encoders[s.loop.Index()]
	text := []byte("a[")
	frames := 0
	for _, f := range s.socket.Outbox() {
		if frames > 0 && len(text) >= maxBatch {
			break
		}
		if frames > 0 {
			text = append(text, ',')
		}
		text = append(text, encoder.line(f).element()...)
		frames++
	}
	if frames == 0 {
		return
	}
	s.socket.Took(frames)
	b.add(newLine(append(text, "]\n"...)))
}

// A batch is a chunk that is being filled.
type batch struct {
	chunk
	receiver *receiver
	rotates  bool // the client leaves the response when it has become long
	size     int
}

// full reports whether the receiver takes no further line.
func (b *batch) full() bool {
	return b.receiver.held || b.receiver.format.single && len(b.lines) > 0
}

// add puts a line at the end. The one with which the response becomes so
// long that the client leaves it is the last that the response may have.
// What the client has decided to leave, it does not read.
func (b *batch) add(l line) {
	r := b.receiver
	b.lines = append(b.lines, l)
	b.size += len(l.text)
	r.bytes += len(l.text)
	r.units += l.units
	r.held = b.rotates && r.units > rotation
}
