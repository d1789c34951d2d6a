package relay

import (
	"context"
	"encoding/binary"
	"errors"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/belfryhq/belfry/internal/wakeup"
)

// window is how many bytes of a body may be on their way in one direction.
const window = 64 << 10

// How a stream can end before its time.
var (
	errCanceled = errors.New("relay: the other node has canceled the request")
	errLost     = errors.New("relay: the way to the other node was interrupted")
	errFull     = errors.New("relay: too many requests are passed on")
	errFailed   = errors.New("relay: the other node has failed to answer")
	errClosed   = errors.New("relay: closed")
)

func (r reason) err() error {
	switch r {
	case canceled:
		return errCanceled
	case full:
		return errFull
	case failed:
		return errFailed
	}
	return errLost
}

// A stream is one request that is passed on, and its answer, at one of the two
// nodes.
type stream struct {
	// Immutable.
	link *link
	key
	arrived wakeup.Signal      // there is something to take
	room    wakeup.Signal      // more may be sent
	leaving chan struct{}      // closed when the node with the client drains; nil at that node
	cancel  context.CancelFunc // of the request; nil at the node that passes it on

	sent uint32 // frames; guarded by link.out

	// Owned by the goroutine that receives.
	got  uint32 // frames
	left bool   // leaving is closed

	// Owned by Relay.Drain.
	leaveAt time.Time // when the other node is told that the client leaves
	told    bool

	mu      sync.Mutex
	in      piece // what came and was not taken
	begun   bool  // the head of an answer has come
	whole   bool  // the last of it has come
	answers bool  // the beginning of the answer was sent: no more of the body will come
	err     error // why the stream is over
	window  int   // how many bytes may be sent
	allowed int   // how many may come
	taken   int   // how many were taken since the peer was last told
}

// A piece is what has arrived of a body and of what stands in front of it.
type piece struct {
	status int // of an answer, with its header; 0: there is none in this piece
	header http.Header
	bytes  []byte
	flush  bool
	last   bool
}

func (p *piece) empty() bool {
	return p.status == 0 && len(p.bytes) == 0 && !p.flush && !p.last
}

func newStream(l *link, k key) *stream {
	return &stream{
		link: l, key: k, window: window, allowed: window,
		arrived: wakeup.New(), room: wakeup.New(),
	}
}

// send sends a frame of the stream.
func (s *stream) send(k kind, f flags, payload, more []byte) error {
	return s.link.send(frame{kind: k, flags: f, payload: payload}, s, more)
}

// fail makes the stream over at this node.
func (s *stream) fail(err error) {
	s.mu.Lock()
	if s.err == nil {
		s.err = err
	}
	s.mu.Unlock()
	s.arrived.Set()
	s.room.Set()
	if s.cancel != nil {
		s.cancel()
	}
}

// abort makes the stream over at both nodes.
func (s *stream) abort(why reason) {
	s.mu.Lock()
	over := s.err != nil
	s.mu.Unlock()
	if over {
		return
	}
	if why == lost {
		s.link.relay.metrics.broken.Inc()
	}
	s.fail(why.err())
	_ = s.send(reset, 0, []byte{byte(why)}, nil)
}

// receive takes a frame of the other node.
func (s *stream) receive(f frame) {
	if f.kind == reset {
		s.fail(reason(f.payload[0]).err())
		return
	}
	if f.part != s.got+1 {
		s.abort(lost)
		return
	}
	s.got = f.part
	ok := true
	switch f.kind {
	case data:
		ok = s.put(f)
	case credit:
		ok = s.refill(int(binary.BigEndian.Uint32(f.payload)))
	case leave:
		if s.leaving != nil && !s.left {
			s.left = true
			close(s.leaving)
		}
	}
	if !ok {
		s.abort(lost)
	}
}

// put keeps what a frame brings. It is false if the other node may not send
// that.
func (s *stream) put(f frame) bool {
	p := piece{bytes: f.payload, flush: f.flags&flush != 0, last: f.flags&last != 0}
	if f.flags&head != 0 {
		var err error
		if p.status, p.header, p.bytes, err = readAnswer(f.payload); err != nil {
			return false
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.allowed -= len(p.bytes)
	if s.whole || s.allowed < 0 || s.asked && s.begun == (p.status != 0) {
		return false
	}
	if p.status != 0 {
		s.begun = true
		s.in.status, s.in.header = p.status, p.header
	}
	s.in.bytes = append(s.in.bytes, p.bytes...)
	s.in.flush = s.in.flush || p.flush
	s.in.last, s.whole = p.last, p.last
	s.arrived.Set()
	return true
}

// refill is told that the other node has taken n bytes.
func (s *stream) refill(n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.window += n
	s.room.Set()
	return s.window <= window
}

// poll returns what has arrived, if anything has, or the error with which the
// stream has ended. What came before an error is not worth anything, unless it
// was all.
func (s *stream) poll() (p piece, ok bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil && !s.whole {
		return piece{}, false, s.err
	}
	p, s.in = s.in, piece{}
	return p, !p.empty(), nil
}

// take waits until something has arrived.
func (s *stream) take(ctx context.Context) (piece, error) {
	for {
		p, ok, err := s.poll()
		if ok || err != nil {
			return p, err
		}
		select {
		case <-s.arrived:
		case <-ctx.Done():
			return piece{}, ctx.Err()
		}
	}
}

// took returns to the other node the room of n bytes, when it is worth it.
func (s *stream) took(n int) {
	s.mu.Lock()
	s.taken += n
	n = s.taken
	if n < window/2 || s.whole || s.err != nil {
		s.mu.Unlock()
		return
	}
	s.taken = 0
	s.allowed += n
	s.mu.Unlock()
	_ = s.send(credit, 0, binary.BigEndian.AppendUint32(nil, uint32(n)), nil)
}

// reserve takes n bytes of the window, and reports whether there are so many.
// For a chunk there always are in the end: what was taken and not yet returned
// is less than half of the window, and a chunk is no more than the other half.
func (s *stream) reserve(n int) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return false, s.err
	}
	if n > s.window {
		return false, nil
	}
	s.window -= n
	return true, nil
}

// await waits until n bytes may be sent.
func (s *stream) await(ctx context.Context, n int, deadline time.Time) error {
	var expired <-chan time.Time
	for {
		if ok, err := s.reserve(n); ok || err != nil {
			return err
		}
		if expired == nil && !deadline.IsZero() {
			t := time.NewTimer(time.Until(deadline))
			defer t.Stop()
			expired = t.C
		}
		select {
		case <-s.room:
		case <-expired:
			return os.ErrDeadlineExceeded
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
