package delivery

import (
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/belfryhq/belfry/internal/webhook/queue"
)

const (
	// inboxBytes is how many bytes of its records one endpoint keeps in memory.
	inboxBytes = 4 << 20
	// maxMemory is how many bytes all endpoints together keep in memory. An
	// endpoint that has nothing may always load one record.
	maxMemory = 64 << 20
)

// An inbox has what is in the queues of one endpoint, as far as it is in memory,
// and knows where to read on. Its methods are safe for concurrent use.
type inbox struct {
	// Immutable.
	to         queue.Address
	queue      queue.Queue
	memory     *atomic.Int64 // of all inboxes
	unreadable prometheus.Counter
	log        *slog.Logger

	mu       sync.Mutex
	busy     bool // somebody works on what is here
	term     *queue.Term
	sources  []*source
	stream   uint32    // that their numbers are of
	queued   int64     // bytes of events in the queues, about
	bytes    int64     // in memory
	incoming []*stored // that nobody has fetched
}

// accept takes a record that the queue has stored, unless its term is over.
// Begin says that from now on somebody has to work on what is here.
func (in *inbox) accept(t *queue.Term, r *queue.Record, at queue.Number) (mine, begin bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.term != t {
		return false, false
	}
	in.numberedLocked(at.Stream)
	s := in.sourceLocked(t.Owner, t.Began)
	if at.Stream == in.stream && at.Seq < s.cursor {
		return true, false // it is here already: the first answer to it was lost
	}
	in.queued += int64(r.Bytes)
	s.last = max(s.last, at.Seq)
	if in.behindLocked() || !in.roomLocked(r.Bytes) {
		s.beBehindLocked(r.Events[0].At)
	} else {
		s.cursor = at.Seq + 1
		in.takeLocked(s, at, r)
	}
	return true, in.beginLocked()
}

// look makes the inbox read a queue: from its start, or what has come since it
// was read. Begin is that of accept; ok is false if the term is over.
func (in *inbox) look(t *queue.Term, of queue.Owner, size queue.Size, since time.Time) (begin, ok bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.term != t {
		return false, false
	}
	s := in.sourceLocked(of, since)
	if s.cursor == 0 && !s.behind {
		in.queued += size.Bytes
	}
	s.beBehindLocked(time.Now())
	return in.beginLocked(), true
}

// beginLocked reports whether nobody works on what is here, and says that
// somebody does. in.mu is held.
func (in *inbox) beginLocked() bool {
	begin := !in.busy
	in.busy = true
	return begin
}

// rest says that nobody works on what is here any more. If something is here
// and always is false, it does nothing, and returns false.
func (in *inbox) rest(always bool) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if !always && (in.behindLocked() || len(in.incoming) > 0) {
		return false
	}
	in.busy = false
	return true
}

// fetch returns what has come since it was called last, and its term.
func (in *inbox) fetch() (fresh []*stored, t *queue.Term) {
	in.mu.Lock()
	defer in.mu.Unlock()
	fresh, in.incoming = in.incoming, nil
	return fresh, in.term
}

// drop forgets all that is in memory, and begins a term.
func (in *inbox) drop(t *queue.Term) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, s := range in.sources {
		s.dropped = true
	}
	in.memory.Add(-in.bytes)
	in.term, in.sources, in.incoming, in.queued, in.bytes = t, nil, nil, 0, 0
}

// read reads records while there is room. Answered is false if the queue does
// not answer; finished reports whether there are records to be removed.
func (in *inbox) read() (answered, finished bool) {
	for {
		in.mu.Lock()
		s := in.nextLocked()
		if s == nil {
			in.mu.Unlock()
			return true, finished
		}
		term, from, last := in.term, queue.Number{Stream: in.stream, Seq: s.cursor}, s.last
		in.mu.Unlock()
		at, r, err := in.queue.Next(term.Context(), s.owner, in.to, from)
		finished = finished || errors.Is(err, queue.ErrRecord)
		if !in.loaded(s, at, r, last, err) {
			return false, finished
		}
	}
}

// loaded takes what the queue has answered, and reports whether it has. Last is
// what s.last was before it was asked.
func (in *inbox) loaded(s *source, at queue.Number, r *queue.Record, last uint64, err error) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.numberedLocked(at.Stream)
	switch {
	case s.dropped:
	case at.Stream > 0 && at.Stream < in.stream:
		// it was read before the stream was lost: read the new one
	case err == nil:
		s.cursor = at.Seq + 1
		s.head, s.headAt = r, at
		s.unread = r.Events[0].At
	case errors.Is(err, queue.ErrRecord):
		in.unreadable.Inc()
		in.log.Error("a record of the webhook queue can not be read and is left out", "app", in.to.App, "endpoint", in.to.Endpoint, "seq", at.Seq)
		s.cursor = at.Seq + 1
		s.outstanding = append(s.outstanding, &stored{number: at, from: s})
	case errors.Is(err, queue.ErrEmpty):
		if s.last != last {
			return true // something came while we asked
		}
		s.cursor = max(s.cursor, last+1)
		s.behind = false
	default:
		if !in.term.Over() {
			in.log.Warn("the queue of webhooks can not be read; trying again", "err", err)
		}
		return false
	}
	return true
}

// settle takes events off the books that are delivered or given up. It reports
// whether there are records to be removed.
func (in *inbox) settle(items []item) (finished bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, it := range items {
		if it.of.from.dropped {
			continue
		}
		in.queued = max(in.queued-int64(it.event.Size()), 0)
		if it.of.left--; it.of.left == 0 {
			finished = true
			in.bytes -= int64(it.of.bytes)
			in.memory.Add(-int64(it.of.bytes))
			it.of.events = nil
		}
	}
	return finished
}

// finished takes records off the books whose events are all done.
func (in *inbox) finished() (list []removal) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, s := range in.sources {
		list = append(list, s.finishedLocked())
	}
	return list
}

// hungry reports whether there is room for more of what is in the queue.
func (in *inbox) hungry() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.behindLocked() && in.roomLocked(recordBytes)
}

// size returns how much is in the queues, and how many records of it are in
// memory.
func (in *inbox) size() (bytes int64, records int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, s := range in.sources {
		records += len(s.outstanding)
	}
	return in.queued, records
}

// working reports whether somebody works on what is here.
func (in *inbox) working() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.busy
}

// oldest returns when the first event was that is neither delivered nor given
// up, or zero.
func (in *inbox) oldest() (at time.Time) {
	in.mu.Lock()
	defer in.mu.Unlock()
	see := func(t time.Time) {
		if at.IsZero() || t.Before(at) {
			at = t
		}
	}
	for _, from := range in.sources {
		if from.behind {
			see(from.unread)
		}
		for _, s := range from.outstanding {
			if s.left > 0 {
				see(s.at)
				break
			}
		}
	}
	return at
}

// sourceLocked returns the source of an owner, which it makes on first use.
// in.mu is held.
func (in *inbox) sourceLocked(of queue.Owner, since time.Time) *source {
	for _, s := range in.sources {
		if s.owner == of {
			return s
		}
	}
	s := &source{owner: of, since: since}
	in.sources = append(in.sources, s)
	return s
}

// numberedLocked says of which stream the numbers are that follow. If it is
// another one, because that before was lost, it is read from its start. What is
// in memory goes on; what was not is gone. in.mu is held.
func (in *inbox) numberedLocked(stream uint32) {
	if stream <= in.stream {
		return
	}
	lost := in.queued - in.bytes
	if in.stream > 0 && lost > 0 {
		in.log.Error("the queue of webhooks was lost; what was not in memory is gone",
			"app", in.to.App, "endpoint", in.to.Endpoint, "bytes", lost)
	}
	if in.stream > 0 {
		in.queued = in.bytes
	}
	in.stream = stream
	for _, s := range in.sources {
		s.cursor, s.last = 0, 0
	}
}

// behindLocked reports whether there is anything that is not in memory. in.mu is
// held.
func (in *inbox) behindLocked() bool {
	for _, s := range in.sources {
		if s.behind {
			return true
		}
	}
	return false
}

// nextLocked returns the source that is to be read next, or nil. Of
// several it takes what was read in the order in which it was published, so
// that what a node has left comes before what others add to it. in.mu is held.
func (in *inbox) nextLocked() *source {
	for in.roomLocked(recordBytes) {
		var first *source
		for _, s := range in.sources {
			switch {
			case s.behind && s.head == nil:
				return s
			case s.head != nil && (first == nil || s.headAt.Compare(first.headAt) < 0):
				first = s
			}
		}
		if first == nil {
			return nil
		}
		in.takeLocked(first, first.headAt, first.head)
		first.head = nil
	}
	return nil
}

// takeLocked takes a record into memory. in.mu is held.
func (in *inbox) takeLocked(from *source, at queue.Number, r *queue.Record) {
	s := &stored{number: at, from: from, bytes: r.Bytes, at: r.Events[0].At, events: r.Events, left: len(r.Events)}
	in.bytes += int64(r.Bytes)
	in.memory.Add(int64(r.Bytes))
	in.incoming = append(in.incoming, s)
	from.outstanding = append(from.outstanding, s)
}

// roomLocked reports whether so many bytes may come into memory. in.mu is held.
func (in *inbox) roomLocked(bytes int) bool {
	return in.bytes == 0 ||
		in.bytes+int64(bytes) <= inboxBytes && in.memory.Load()+int64(bytes) <= maxMemory
}
