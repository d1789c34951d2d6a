package loop

import (
	"bytes"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/frame"
)

// A recorder is a handler that keeps what it was called with. What a test
// wants done on the socket's loop it gives to do.
type recorder struct {
	group    *Group
	socket   *Socket // of the loop
	opened   chan struct{}
	closed   chan error
	drained  chan time.Time
	overflow chan struct{}
	expired  chan time.Time // the loop's time

	onInput    func(s *Socket, b []byte) // on the loop; may be nil
	onOverflow func(s *Socket)           // instead of Drop

	mu   sync.Mutex
	cond *sync.Cond
	got  bytes.Buffer
}

func newRecorder(g *Group) *recorder {
	h := &recorder{
		group:   g,
		opened:  make(chan struct{}),
		closed:  make(chan error, 2), // a second one would be a mistake to see
		drained: make(chan time.Time, 10), overflow: make(chan struct{}, 10), expired: make(chan time.Time, 100),
	}
	h.cond = sync.NewCond(&h.mu)
	return h
}

// attach hands conn to the group, with a recorder as its handler.
func attach(g *Group, conn net.Conn, early []byte) *recorder {
	h := newRecorder(g)
	h.attach(conn, early)
	return h
}

func (h *recorder) attach(conn net.Conn, early []byte) {
	h.group.Attach(conn, early, func(s *Socket) Handler {
		h.socket = s
		close(h.opened)
		return h
	})
}

// do runs something on the socket's loop, and waits for it.
func (h *recorder) do(run func(s *Socket)) {
	<-h.opened
	done := make(chan struct{})
	h.group.Post(h.socket.Loop().Index(), func(int) {
		defer close(done)
		run(h.socket)
	}, 1)
	<-done
}

// send sends frames of text on the socket's loop.
func (h *recorder) send(texts ...string) {
	h.do(func(s *Socket) {
		for _, text := range texts {
			s.Send(textFrame(text))
		}
	})
}

// textFrame is a frame whose wire bytes are not all header.
func textFrame(text string) *frame.Frame {
	return frame.Text(func(b []byte) []byte { return append(b, text...) })
}

// wire is what leaves for frames of those texts.
func wire(texts ...string) string {
	var b strings.Builder
	for _, text := range texts {
		b.Write(textFrame(text).Wire())
	}
	return b.String()
}

func (h *recorder) Input(b []byte) {
	h.mu.Lock()
	h.got.Write(b)
	h.cond.Broadcast()
	h.mu.Unlock()
	if h.onInput != nil {
		h.onInput(h.socket, b)
	}
	clear(b) // it is the handler's to change
}

func (h *recorder) Expired()           { h.expired <- h.socket.Loop().Now() }
func (h *recorder) Drain(at time.Time) { h.drained <- at }
func (h *recorder) Closed(err error)   { h.closed <- err }

func (h *recorder) Overflow() {
	h.overflow <- struct{}{}
	if h.onOverflow != nil {
		h.onOverflow(h.socket)
		return
	}
	h.socket.Drop(nil)
}

// all is what the handler got so far.
func (h *recorder) all() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.got.String()
}

// read waits until the handler got n bytes, and returns them all.
func (h *recorder) read(n int) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	for h.got.Len() < n {
		h.cond.Wait()
	}
	return h.got.String()
}

// pair returns both ends of a connection, over TCP or in memory. They are
// closed when the test ends.
func pair(t *testing.T, tcp bool) (peer, conn net.Conn) {
	t.Helper()
	if !tcp {
		peer, conn = net.Pipe()
	} else {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if peer, err = net.Dial("tcp", l.Addr().String()); err != nil {
			t.Fatal(err)
		}
		if conn, err = l.Accept(); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { peer.Close() })
	return peer, conn
}
