package loop

import (
	"context"
	"net"
	"sync/atomic"

	"github.com/belfryhq/belfry/internal/frame"
)

// A stream moves a socket's bytes where the loop cannot do it by itself:
// in-memory connections, systems without epoll, and TLS there. One goroutine reads, and hands
// what it read to the loop; another writes, and exists only while there is
// something to write. Both are counted by the loop, which outlives them.
type stream struct {
	socket *Socket
	conn   net.Conn

	// Owned by the loop.
	writing bool
	chunked bool // the reader waits until chunk was handled
	given   bool // the handler has got it, and is not done

	// For the handover of reader to loop: the reader sets chunk, posts
	// deliver, and waits for handled before it touches chunk again.
	chunk   []byte
	handled chan struct{}
	// Counted by the writer.
	written atomic.Int64
}

// readSize is how much a reader asks for at once.
const readSize = 4 << 10

func newStream(s *Socket, conn net.Conn) *stream {
	return &stream{socket: s, conn: conn, handled: make(chan struct{}, 1)}
}

func (st *stream) Start() {
	st.socket.loop.running++
	go st.read()
}

// read is the reading goroutine. It reads no further while the node has too
// much to do, so that clients are slowed down and not the memory filled.
func (st *stream) read() {
	l := st.socket.loop
	buf := make([]byte, readSize)
	deliver := st.deliver
	for {
		_ = l.group.gate.wait(context.Background()) // opens at the latest when the loops stop
		n, err := st.conn.Read(buf)
		if n > 0 {
			st.chunk = buf[:n]
			l.Post(deliver, 1)
			<-st.handled
		}
		if err != nil {
			l.Post(func(int) {
				l.running--
				st.socket.Lost(err)
			}, 1)
			return
		}
	}
}

func (st *stream) deliver(int) {
	st.chunked = true
	if st.socket.at < 0 {
		st.release() // the connection is closed, and the reader finds out
		return
	}
	if st.socket.unread || st.socket.hold(nil) {
		return // not done yet with what came before the link was started, or held
	}
	st.socket.Receive(st.chunk)
	st.given = true
	if !st.socket.unread {
		st.release()
	}
}

// Resume goes on with what the reader has read, or lets it read on.
func (st *stream) Resume() {
	switch {
	case st.given:
		st.release()
	case st.chunked:
		st.deliver(0)
	}
}

// release lets the reader read on.
func (st *stream) release() {
	if st.chunked {
		st.chunked, st.given = false, false
		st.handled <- struct{}{}
	}
}

// Flush hands all that is in the outbox to a writing goroutine, unless there
// is one: then it gets its turn when that has ended.
func (st *stream) Flush() {
	s := st.socket
	if st.writing || len(s.outbox) == 0 {
		return
	}
	st.writing = true
	s.loop.running++
	s.loop.stuck.watch(st)
	batch := s.outbox
	s.outbox, s.answer = nil, 0 // the goroutine has it now
	go st.write(batch)
}

// write is the writing goroutine, for one batch. It has no deadline of its own:
// if the peer takes nothing for too long, the loop ends the connection.
func (st *stream) write(batch []*frame.Frame) {
	l := st.socket.loop
	err := st.writeAll(batch)
	l.Post(func(int) {
		l.running--
		l.stuck.forget(st)
		st.writing = false
		cost := costOf(batch)
		l.traffic.sendFrames(len(batch), cost)
		st.socket.taken(cost)
		st.socket.Wake()
		if err != nil {
			st.socket.Lost(err)
		}
	}, 1)
}

const (
	// recordSize is how much one call writes where each costs a record of its
	// own, as with TLS; vectorSize is that of one that takes many buffers.
	recordSize = 16 << 10
	vectorSize = 64 << 10
)

// writeAll writes the batch in pieces, so that progress is seen.
func (st *stream) writeAll(batch []*frame.Frame) error {
	_, vectored := st.conn.(*net.TCPConn)
	most := recordSize
	if vectored {
		most = vectorSize
	}
	w := pieces{stream: st, vectored: vectored}
	for _, f := range batch {
		for b := f.Wire(); len(b) > 0; {
			n := min(len(b), most-w.size)
			w.parts = append(w.parts, b[:n])
			w.size += n
			b = b[n:]
			if w.size == most {
				if err := w.flush(); err != nil {
					return err
				}
			}
		}
	}
	return w.flush()
}

// pieces is what is written in one call.
type pieces struct {
	stream   *stream
	vectored bool // the connection takes several buffers in one call
	parts    net.Buffers
	size     int
	joined   []byte
}

func (w *pieces) flush() error {
	if w.size == 0 {
		return nil
	}
	var err error
	switch {
	case len(w.parts) == 1:
		_, err = w.stream.conn.Write(w.parts[0])
	case w.vectored:
		parts := w.parts // which the call moves on
		_, err = parts.WriteTo(w.stream.conn)
	default:
		w.joined = w.joined[:0]
		for _, part := range w.parts {
			w.joined = append(w.joined, part...)
		}
		_, err = w.stream.conn.Write(w.joined)
	}
	w.stream.written.Add(int64(w.size))
	w.parts, w.size = w.parts[:0], 0
	return err
}

// taken implements taker: what the writer wrote, but for what the system has.
func (st *stream) taken() int64 { return st.written.Load() - int64(unsent(st.conn)) }

func (st *stream) lost(err error) { st.socket.Lost(err) }

// Busy reports whether there is a writing goroutine.
func (st *stream) Busy() bool { return st.writing }

// Partial is false: what a writing goroutine has is not in the outbox.
func (st *stream) Partial() bool { return false }

// Close ends the connection, and with it both goroutines. A TLS connection
// says goodbye first, which can block, so that is not left to the loop.
func (st *stream) Close() {
	st.release() // to learn that the connection has ended
	l := st.socket.loop
	l.stuck.forget(st)
	l.running++
	go func() {
		st.conn.Close()
		l.Post(func(int) { l.running-- }, 1)
	}()
}
