package loop

import (
	"context"
	"net"
	"time"

	"github.com/belfryhq/belfry/internal/frame"
)

// A stream moves a socket's bytes where the loop cannot do it by itself: TLS,
// in-memory connections, systems without epoll. One goroutine reads, and hands
// what it read to the loop; another writes, and exists only while there is
// something to write. Both are counted by the loop, which outlives them.
type stream struct {
	socket *Socket
	conn   net.Conn

	// Owned by the loop.
	writing bool
	unread  bool // the reader waits for the handler to be done with chunk

	// For the handover of reader to loop: the reader sets chunk, posts
	// deliver, and waits for taken before it touches chunk again.
	chunk []byte
	taken chan struct{}
}

// readSize is how much a reader asks for at once.
const readSize = 4 << 10

func newStream(s *Socket, conn net.Conn) *stream {
	return &stream{socket: s, conn: conn, taken: make(chan struct{}, 1)}
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
			<-st.taken
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
	st.socket.Receive(st.chunk)
	st.unread = true
	if !st.socket.unread {
		st.Resume()
	}
}

// Resume lets the reader read on.
func (st *stream) Resume() {
	if st.unread {
		st.unread = false
		st.taken <- struct{}{}
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
	batch := s.outbox
	s.outbox = nil // the goroutine has it now
	go st.write(batch)
}

// write is the writing goroutine, for one batch.
func (st *stream) write(batch []*frame.Frame) {
	l := st.socket.loop
	size := 0
	for _, f := range batch {
		size += f.Size()
	}
	err := st.conn.SetWriteDeadline(time.Now().Add(l.group.cfg.WriteTimeout))
	if err == nil {
		err = writeAll(st.conn, batch, size)
	}
	l.Post(func(int) {
		l.running--
		st.writing = false
		st.socket.Took(0, size)
		st.socket.Wake()
		if err != nil {
			st.socket.Lost(err)
		}
	}, 1)
}

// writeAll writes the batch in one call where the connection can, and in few
// large ones where each call costs a record of its own, as with TLS.
func writeAll(conn net.Conn, batch []*frame.Frame, size int) error {
	if len(batch) == 1 {
		_, err := conn.Write(batch[0].Wire())
		return err
	}
	if _, ok := conn.(*net.TCPConn); ok {
		bufs := make(net.Buffers, len(batch))
		for i, f := range batch {
			bufs[i] = f.Wire()
		}
		_, err := bufs.WriteTo(conn)
		return err
	}
	const most = 16 << 10
	buf := make([]byte, 0, min(size, most))
	for _, f := range batch {
		if len(buf)+f.Size() > most && len(buf) > 0 {
			if _, err := conn.Write(buf); err != nil {
				return err
			}
			buf = buf[:0]
		}
		buf = append(buf, f.Wire()...)
	}
	_, err := conn.Write(buf)
	return err
}

// Partial is false: what a writing goroutine has is not in the outbox.
func (st *stream) Partial() bool { return false }

// Close ends the connection, and with it both goroutines. A TLS connection
// says goodbye first, which can block, so that is not left to the loop.
func (st *stream) Close() {
	st.Resume() // to learn that the connection has ended
	l := st.socket.loop
	l.running++
	go func() {
		st.conn.Close()
		l.Post(func(int) { l.running-- }, 1)
	}()
}
