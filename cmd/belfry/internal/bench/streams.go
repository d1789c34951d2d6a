package bench

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// streams is a network with a goroutine for every connection. It works with
// everything that Go can connect to, and costs more.
type streams struct {
	fleet   *fleet
	ctx     context.Context // ends all connections; not for callers, so it may be kept
	cancel  context.CancelFunc
	readers sync.WaitGroup
}

func newStreams(f *fleet) *streams {
	n := &streams{fleet: f}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	return n
}

func (n *streams) open(s *session) {
	w := &stream{}
	s.wire = w
	n.readers.Go(func() { s.ended(n.serve(s, w)) })
}

func (n *streams) close() {
	n.cancel()
	n.readers.Wait()
}

// serve connects and reads until the connection ends, which it explains.
func (n *streams) serve(s *session, w *stream) error {
	conn, err := n.fleet.endpoint.dial(n.ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(n.ctx, func() { conn.Close() })()
	w.begin(conn)
	if err := w.send(s.request()); err != nil {
		return err
	}
	buf := make([]byte, 4<<10)
	for !s.deaf() {
		k, err := conn.Read(buf)
		if k > 0 {
			out, err := s.receive(buf[:k], n.fleet.rec.clock.now(), nil)
			if err == nil && len(out) > 0 {
				err = w.send(out)
			}
			if err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return errHungUp
		case err != nil:
			return err
		}
	}
	<-n.ctx.Done() // never reads again
	return net.ErrClosed
}

// A stream is the wire of one session.
type stream struct {
	mu   sync.Mutex
	conn net.Conn // nil before it is made; guarded by mu
}

func (w *stream) begin(conn net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.conn = conn
}

// writeTimeout is how long the service may take to read what a client sends.
const writeTimeout = 10 * time.Second

func (w *stream) send(b []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conn == nil {
		return net.ErrClosed
	}
	w.conn.SetWriteDeadline(time.Now().Add(writeTimeout)) // fails where the write does too
	_, err := w.conn.Write(b)
	return err
}
