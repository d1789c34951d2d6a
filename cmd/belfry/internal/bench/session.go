package bench

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
)

// A phase is how far a session has come.
type phase int

const (
	upgrading phase = iota // waits for the answer to its request
	greeting               // waits for pusher:connection_established
	joining                // waits for its subscriptions
	joined
)

// A session is the client's end of one connection: it takes in the bytes that
// arrive and says what to answer. It does no I/O.
type session struct {
	// Immutable after newSession; read by anyone.
	id       int
	fleet    *fleet
	plan     *plan
	shard    *shard
	channels []int

	// Set by the opener before the network has the session.
	intended int64 // when the schedule wanted it
	wire     wire

	heard atomic.Int64 // when something last arrived

	// Owned by the reader.
	phase     phase
	input     reassembly
	head      []byte // the answer to the upgrade, while it is not whole
	missing   int    // subscriptions not yet answered
	sequences []sequence

	// Guarded by mu.
	mu       sync.Mutex
	socketID string
	present  bool   // on its presence channel
	scratch  []byte // of senders
}

// A wire carries what a session sends.
type wire interface {
	// send sends all of b or, if it returns an error, perhaps nothing of it.
	// It keeps nothing of b. Anyone may call it.
	send(b []byte) error
}

func newSession(id int, f *fleet, h *shard) *session {
	s := &session{id: id, fleet: f, plan: f.plan, shard: h, channels: f.plan.channelsOf(id)}
	if f.plan.counts(id) {
		s.sequences = make([]sequence, len(s.channels)*f.plan.streams)
	}
	return s
}

// A closedError is a connection that the service closed with a code.
type closedError struct {
	code   int
	reason string
}

func (e *closedError) Error() string {
	if e.reason == "" {
		return fmt.Sprintf("closed by the service with %d", e.code)
	}
	return fmt.Sprintf("closed by the service with %d: %s", e.code, e.reason)
}

var errHungUp = errors.New("closed by the service without a word")

// receive takes in what has arrived, appends what to answer to out, and
// returns an error if the connection is of no use any more.
func (s *session) receive(b []byte, now int64, out []byte) ([]byte, error) {
	s.heard.Store(now)
	s.shard.mu.Lock()
	defer s.shard.mu.Unlock()
	defer s.shard.flush()
	if s.phase == upgrading {
		var err error
		if b, err = s.upgraded(b); err != nil || s.phase == upgrading {
			return out, err
		}
	}
	err := s.input.take(b, func(opcode byte, payload []byte) error {
		switch opcode {
		case opText:
			var err error
			out, err = s.text(payload, now, out)
			return err
		case opPing:
			out = appendFrame(out, opPong, payload)
		case opClose:
			if len(payload) < 2 {
				return errHungUp
			}
			return &closedError{int(payload[0])<<8 | int(payload[1]), string(payload[2:])}
		}
		return nil
	})
	return out, err
}

// deaf reports whether nothing more is to be read. The reader asks.
func (s *session) deaf() bool { return s.phase == joined && s.plan.slow(s.id) }

// The key of every upgrade, and what the service must make of it.
const (
	upgradeKey    = "YmVsZnJ5LWJlbmNoLWtleQ=="
	maxAnswerHead = 16 << 10
)

// request is what asks for the WebSocket.
func (s *session) request() []byte { return s.fleet.request }

// upgraded reads the answer to the request, and returns what follows it.
func (s *session) upgraded(b []byte) ([]byte, error) {
	s.head = append(s.head, b...)
	end := bytes.Index(s.head, []byte("\r\n\r\n"))
	if end < 0 {
		if len(s.head) > maxAnswerHead {
			return nil, errors.New("the service does not answer with HTTP")
		}
		return nil, nil
	}
	head, rest := string(s.head[:end]), s.head[end+len("\r\n\r\n"):]
	s.head = nil
	status, _, _ := strings.Cut(head, "\r\n")
	if !strings.HasPrefix(status, "HTTP/1.1 101") {
		return nil, fmt.Errorf("the service answered %q instead of speaking WebSocket; is the address right?", strings.TrimPrefix(status, "HTTP/1.1 "))
	}
	if !strings.Contains(head, s.fleet.accept) {
		return nil, errors.New("the service answered the WebSocket handshake with a wrong Sec-WebSocket-Accept")
	}
	s.phase = greeting
	return rest, nil
}

// ended tells that the connection is over. The reader calls it once.
func (s *session) ended(err error) {
	s.fleet.ended(s, s.phase != joined, err)
}

// settle compares what the session received with what was sent. All senders
// and readers have ended.
func (s *session) settle(l *tally) balance {
	var sum balance
	for i, channel := range s.channels {
		for stream := range s.plan.streams {
			if s.sequences != nil && !s.plan.own(s.id, stream) {
				sum.add(l.settle(channel, stream, &s.sequences[i*s.plan.streams+stream]))
			}
		}
	}
	return sum
}
