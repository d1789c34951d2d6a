package relay

import (
	"slices"
	"sync"
	"time"

	"github.com/belfryhq/belfry/internal/cluster/node"
)

const (
	// beatEvery is how often a link with streams shows that the node lives.
	beatEvery = time.Second
	// lease is how long a peer with streams may be silent.
	lease = 5 * time.Second
	// forgetAfter is how long a link without streams is kept.
	forgetAfter = time.Minute
	// maxLinks is how many there are at most: more than a cluster has nodes.
	maxLinks = 1024
)

// A link is what this node knows of the frames from and to one peer.
type link struct {
	relay   *Relay
	peer    node.ID
	subject string // of what is sent to the peer

	out  sync.Mutex // held while a frame gets its number and is sent
	sent uint64     // number of the last one; guarded by out
	buf  []byte     // guarded by out

	mu       sync.Mutex
	streams  map[key]*stream
	got      uint64    // number of the last frame that came
	heard    time.Time // when that was
	idle     time.Time // since when there are no streams
	unsure   bool      // frames were lost, and no account has come since
	inquired time.Time // when an inquiry was sent last
	inquiry  uint32    // the number of that
	gapSince bool      // frames were lost after it
	complete bool      // no frame was lost since the peer's inquiry began
}

// add makes room for a stream. It is false if there is one with that key, or
// the link is forgotten.
func (l *link) add(s *stream, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.streams == nil || l.streams[s.key] != nil {
		return false
	}
	if len(l.streams) == 0 {
		l.heard = now // from here on it is listened to
	}
	l.streams[s.key] = s
	return true
}

func (l *link) remove(s *stream) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.streams, s.key)
	l.idle = time.Now()
}

// all are the streams of the link at this moment.
func (l *link) all() []*stream {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]*stream, 0, len(l.streams))
	for _, s := range l.streams {
		list = append(list, s)
	}
	return list
}

// send numbers a frame and sends it: one of s, or of the link if s is nil.
// More follows the payload.
func (l *link) send(f frame, s *stream, more []byte) error {
	l.out.Lock()
	defer l.out.Unlock()
	return l.sendLocked(f, s, more)
}

// sendLocked is send; l.out is held.
func (l *link) sendLocked(f frame, s *stream, more []byte) error {
	l.sent++
	f.from, f.number = l.relay.cfg.ID, l.sent
	if s != nil {
		s.sent++
		f.stream, f.part = s.id, s.sent
		f.flags |= s.flags()
	}
	l.buf = append(f.append(l.buf[:0]), more...)
	return l.relay.publish(l.subject, l.buf)
}

// resetUnknown tells the peer that this node has no such stream.
func (l *link) resetUnknown(k key) {
	_ = l.send(frame{kind: reset, flags: k.flags(), stream: k.id, part: 1, payload: []byte{byte(lost)}}, nil, nil)
}

// receive takes a frame of the peer, on the goroutine of the streams' subject.
func (l *link) receive(f frame) {
	now := time.Now()
	l.mu.Lock()
	gap := f.number != l.got+1
	l.got, l.heard = f.number, now
	if gap {
		l.unsure, l.gapSince, l.complete = true, true, false
	}
	s := l.streams[f.key()]
	l.mu.Unlock()
	if gap {
		l.relay.metrics.gaps.Inc()
		l.inquire(now)
	}
	switch f.kind {
	case beat:
	case inquiry:
		l.answer(f)
	case account:
		l.compare(f)
	case request:
		if s == nil {
			l.relay.accept(l, f)
		}
	default: // for a stream that is over it means nothing any more
		if s != nil {
			s.receive(f)
		}
	}
}

// inquire asks the peer what it has sent, because frames of it were lost. It
// does so once in a beat at most, and until it has been answered.
func (l *link) inquire(now time.Time) {
	l.mu.Lock()
	if !l.unsure || now.Sub(l.inquired) < beatEvery {
		l.mu.Unlock()
		return
	}
	l.inquired, l.gapSince = now, false
	l.inquiry++
	f := frame{kind: inquiry, flags: head, part: l.inquiry}
	var list []byte
	for k := range l.streams {
		list = appendInquiry(list, k)
	}
	l.mu.Unlock()
	l.out.Lock()
	defer l.out.Unlock()
	for ; len(list) > maxEntries*inquirySize; list = list[maxEntries*inquirySize:] {
		f.payload = list[:maxEntries*inquirySize]
		_ = l.sendLocked(f, nil, nil)
		f.flags = 0
	}
	f.payload = list
	f.flags |= last
	_ = l.sendLocked(f, nil, nil)
}

// answer ends what the peer takes for a stream and is none any more, and says
// how many frames were sent on each that there is. An inquiry of which a part
// was lost will come again.
func (l *link) answer(f frame) {
	for entry := range slices.Chunk(f.payload, inquirySize) {
		k := readEntry(entry)
		l.mu.Lock()
		s := l.streams[k]
		l.mu.Unlock()
		if s == nil {
			l.resetUnknown(k)
		}
	}
	l.mu.Lock()
	l.complete = l.complete || f.flags&head != 0
	complete := l.complete
	l.mu.Unlock()
	if f.flags&last != 0 && complete {
		l.account(f.part)
	}
}

// account answers an inquiry of that number.
func (l *link) account(number uint32) {
	streams := l.all()
	l.out.Lock()
	defer l.out.Unlock()
	for f := (frame{kind: account, part: number}); f.flags&last == 0; {
		n := min(len(streams), maxEntries)
		f.payload = nil
		for _, s := range streams[:n] {
			f.payload = appendAccount(f.payload, s.key, s.sent)
		}
		if streams = streams[n:]; len(streams) == 0 {
			f.flags = last
		}
		_ = l.sendLocked(f, nil, nil)
	}
}

// compare ends the streams on which other frames came than were sent. The list
// came behind all of them.
func (l *link) compare(f frame) {
	for entry := range slices.Chunk(f.payload, accountSize) {
		k, sent := readEntry(entry), readSent(entry)
		l.mu.Lock()
		s := l.streams[k]
		l.mu.Unlock()
		switch {
		case s == nil:
			l.resetUnknown(k)
		case s.got != sent:
			s.abort(lost)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if f.flags&last != 0 && f.part == l.inquiry && !l.gapSince {
		l.unsure = false
	}
}

// forget reports whether nothing has happened on the link for long. Then no
// stream begins on it any more.
func (l *link) forget(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.streams) > 0 || now.Sub(l.idle) < forgetAfter || now.Sub(l.heard) < forgetAfter {
		return false
	}
	l.streams = nil
	return true
}

// tick does what is due once in a beat.
func (l *link) tick(now time.Time) {
	l.mu.Lock()
	silent := now.Sub(l.heard) > lease
	n := len(l.streams)
	if silent {
		l.heard = now // what begins now has a lease of its own
	}
	l.mu.Unlock()
	switch {
	case n == 0:
	case silent:
		l.relay.metrics.silent.Inc()
		for _, s := range l.all() {
			s.abort(lost)
		}
	default:
		_ = l.send(frame{kind: beat}, nil, nil)
		l.inquire(now)
	}
}
