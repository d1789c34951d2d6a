package webhook

import (
	"errors"
	"time"
)

// A source is one queue from which an endpoint gets records: this node's own,
// or one that it has taken over. The endpoint's lock guards it.
type source struct {
	owner       owner
	since       time.Time // nothing in it counts as older
	behind      bool      // there are records in the queue from cursor on
	unread      time.Time // none of those is older, as far as that is known
	cursor      uint64
	last        uint64    // the highest number that was accepted here
	head        *record   // was read, and waits for older ones of other sources
	headAt      number    // where it was
	outstanding []*stored // in memory or just done, in order
	dropped     bool      // it is somebody else's
}

// sourceLocked returns the source of an owner, which it makes on first use.
// e.mu is held.
func (e *endpoint) sourceLocked(of owner, since time.Time) *source {
	for _, s := range e.sources {
		if s.owner == of {
			return s
		}
	}
	s := &source{owner: of, since: since}
	e.sources = append(e.sources, s)
	return s
}

// beginLocked makes the endpoint look into a queue: from its start, or for what
// has come since it looked. e.mu is held.
func (e *endpoint) beginLocked(of owner, b backlog, since time.Time) {
	s := e.sourceLocked(of, since)
	if s.cursor == 0 && !s.behind {
		e.queued += b.bytes
	}
	s.beBehindLocked(time.Now())
}

// beBehindLocked says that there are records to be read, the first of which
// came at that time. The endpoint's lock is held.
func (s *source) beBehindLocked(at time.Time) {
	if !s.behind {
		s.behind, s.unread = true, at
	}
}

// numberedLocked says of which stream the numbers are that follow. If it is
// another one, because that before was lost, it is read from its start. What is
// in memory goes on; what was not is gone. e.mu is held.
func (e *endpoint) numberedLocked(stream uint32) {
	if stream <= e.stream {
		return
	}
	lost := e.queued - e.window
	if e.stream > 0 && lost > 0 {
		e.all.sender.log.Error("the queue of webhooks was lost; what was not in memory is gone",
			"app", e.to.app, "endpoint", e.to.endpoint, "bytes", lost)
	}
	if e.stream > 0 {
		e.queued = e.window
	}
	e.stream = stream
	for _, s := range e.sources {
		s.cursor, s.last = 0, 0
	}
}

// behindLocked reports whether there is anything that is not in memory. e.mu is
// held.
func (e *endpoint) behindLocked() bool {
	for _, s := range e.sources {
		if s.behind {
			return true
		}
	}
	return false
}

// nextSourceLocked returns the source that is to be read next, or nil. Of
// several it takes what was read in the order in which it was published, so
// that what a node has left comes before what others add to it. e.mu is held.
func (e *endpoint) nextSourceLocked() *source {
	for e.roomLocked(recordBytes) {
		var first *source
		for _, s := range e.sources {
			switch {
			case s.behind && s.head == nil:
				return s
			case s.head != nil && (first == nil || s.headAt.compare(first.headAt) < 0):
				first = s
			}
		}
		if first == nil {
			return nil
		}
		e.takeLocked(first, first.headAt, first.head)
		first.head = nil
	}
	return nil
}

// takeLocked takes a record into memory. e.mu is held.
func (e *endpoint) takeLocked(from *source, at number, r *record) {
	s := &stored{number: at, from: from, bytes: r.bytes, at: r.events[0].at, events: r.events, left: len(r.events)}
	e.window += int64(r.bytes)
	e.all.window.Add(int64(r.bytes))
	e.incoming = append(e.incoming, s)
	from.outstanding = append(from.outstanding, s)
}

// resetLocked forgets all that is in memory. e.mu is held.
func (e *endpoint) resetLocked(t *term) {
	for _, s := range e.sources {
		s.dropped = true
	}
	e.all.window.Add(-e.window)
	e.term, e.sources, e.incoming, e.queued, e.window = t, nil, nil, 0, 0
}

// refill loads records from the queue while there is room.
func (e *endpoint) refill() {
	if !e.engineAt.IsZero() && time.Now().Before(e.engineAt) {
		return
	}
	e.engineAt = time.Time{}
	for {
		e.mu.Lock()
		s := e.nextSourceLocked()
		if s == nil {
			e.mu.Unlock()
			return
		}
		ctx, from, last := e.term.ctx, number{e.stream, s.cursor}, s.last
		e.mu.Unlock()
		at, r, err := e.all.sender.queue.next(ctx, s.owner, e.to, from)
		if !e.loaded(s, at, r, last, err) {
			return
		}
	}
}

// loaded takes what the queue has answered, and reports whether to go on. Last
// is what s.last was before it was asked.
func (e *endpoint) loaded(s *source, at number, r *record, last uint64, err error) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.numberedLocked(at.stream)
	switch {
	case s.dropped:
	case at.stream > 0 && at.stream < e.stream:
		// it was read before the stream was lost: read the new one
	case err == nil:
		s.cursor = at.seq + 1
		s.head, s.headAt = r, at
		s.unread = r.events[0].at
	case errors.Is(err, errRecord):
		e.all.sender.metrics.lost(lostUnreadable, 1)
		e.all.sender.log.Error("a record of the webhook queue can not be read and is left out", "app", e.to.app, "endpoint", e.to.endpoint, "seq", at.seq)
		s.cursor = at.seq + 1
		s.outstanding = append(s.outstanding, &stored{number: at, from: s})
		e.all.remover.addLocked(e)
	case errors.Is(err, errEmpty):
		if s.last != last {
			return true // something came while we asked
		}
		s.cursor = max(s.cursor, last+1)
		s.behind = false
	default:
		if e.term.ctx.Err() == nil {
			e.all.sender.log.Warn("the queue of webhooks can not be read; trying again", "err", err)
		}
		e.engineAt = time.Now().Add(engineAgain)
		return false
	}
	return true
}
