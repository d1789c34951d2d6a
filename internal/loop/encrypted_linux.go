package loop

import (
	"crypto/tls"
	"errors"
	"net"
	"slices"
)

// maxReplies is how much may wait of what TLS itself answers, to a peer that
// does not take it.
const maxReplies = 4 << 10

var errReplies = errors.New("loop: the peer asks for new keys and does not take them")

// An encrypted is the link of a TLS connection over TCP that the loop polls: no
// goroutine, and no memory but that of crypto/tls while nothing happens.
//
// What crypto/tls reads and writes goes through the poller's [ciphertext], which
// never blocks. Frames wait in the outbox, shared with other sockets, until the
// peer takes more; then one record is made of as many as fit. So nothing is
// encrypted before it can leave, and only one record waits for a slow peer.
type encrypted struct {
	descriptor
	conn *tls.Conn
	left []byte // records, or the end of one, that the peer does not have
	cost int    // of the frames in left
	more bool   // what was read from the descriptor may hold more records
}

// A switcher stands between TLS and the connection that can be replaced.
type switcher interface {
	NetConn() net.Conn
	Switch(to net.Conn)
}

// newEncrypted takes a TLS connection, whose handshake is over, from whoever
// has read it until now. It reports whether it can: the connection must let what
// is beneath it be replaced.
func newEncrypted(s *Socket, p *poller, conn *tls.Conn) (*encrypted, bool) {
	below, ok := conn.NetConn().(switcher)
	if !ok || !conn.ConnectionState().HandshakeComplete {
		return nil, false
	}
	tcp, ok := below.NetConn().(*net.TCPConn)
	if !ok {
		return nil, false
	}
	fd, err := detach(tcp)
	if err != nil {
		return nil, false
	}
	below.Switch(&p.ciphertext)
	return &encrypted{descriptor: descriptor{socket: s, poller: p, fd: fd, slot: -1}, conn: conn}, true
}

func (e *encrypted) Start() {
	if err := e.poller.add(e); err != nil {
		e.socket.Lost(err)
		return
	}
	e.read() // records that came with the end of the handshake, which nobody announces
}

// read hands over what the records hold that one turn reads.
func (e *encrypted) read() {
	e.poller.ciphertext.begin(e.fd)
	lent := lend(e.conn, e.poller.records)
	e.receive()
	reclaim(e.conn, lent)
}

func (e *encrypted) receive() {
	s, p := e.socket, e.poller
	for !s.dropped {
		if e.more = s.unread || s.hold(nil); e.more {
			e.rest()
			return
		}
		n, err := e.conn.Read(p.buf)
		e.reply()
		if n > 0 {
			s.Receive(p.buf[:n])
		}
		switch {
		case errors.Is(err, errLater):
			return
		case err != nil:
			s.Lost(err)
		}
	}
}

// Resume goes on with what was read, and lets more be announced.
func (e *encrypted) Resume() {
	e.descriptor.Resume()
	if e.more {
		e.read()
	}
}

// reply sends what crypto/tls has to say while it reads: that it has new keys
// too, or what is wrong.
func (e *encrypted) reply() {
	out := e.poller.ciphertext.take()
	if len(out) == 0 {
		return
	}
	if len(e.left)+len(out) > recordSize+maxReplies {
		e.socket.Lost(errReplies)
		return
	}
	e.left = append(e.left, out...)
	e.socket.Wake()
}

// Flush writes all that the peer takes, a record at a time.
func (e *encrypted) Flush() {
	s := e.socket
	for !e.blocked && !s.dropped {
		switch {
		case len(e.left) > 0:
			e.put(e.left)
		case len(s.outbox) > 0:
			e.put(e.seal())
		default:
			return
		}
	}
}

// put writes records, and keeps what the peer does not take.
func (e *encrypted) put(out []byte) {
	n, errno := rawWrite(e.fd, out)
	switch {
	case waits(errno):
		n = 0
	case errno != 0:
		e.socket.Lost(errno)
		return
	}
	if out = out[n:]; len(out) == 0 {
		e.socket.taken(e.cost)
		e.left, e.cost = nil, 0
		return
	}
	if len(e.left) == 0 {
		out = slices.Clone(out) // it is in the memory of all
	}
	e.left = out
	e.block()
}

// seal makes a record of the frames that wait, as many as fit. It is valid
// until the next one is made.
func (e *encrypted) seal() []byte {
	s := e.socket
	text := s.outbox[0].Wire()[e.offset:]
	frames := 1
	if len(text) > recordSize {
		text, frames = text[:recordSize], 0
		e.offset += recordSize
	} else {
		text, frames = e.gather(text)
	}
	e.cost += s.take(frames)
	_, err := e.conn.Write(text)
	out := e.poller.ciphertext.take()
	if err != nil { // with keys that are used up, or after an alert
		s.Lost(err)
	}
	return out
}

// gather adds what fits of the frames behind the first to its text. It returns
// how many frames are in the result to their ends.
func (e *encrypted) gather(text []byte) (joined []byte, frames int) {
	outbox := e.socket.outbox
	e.offset = 0
	if len(outbox) == 1 {
		return text, 1
	}
	joined = append(e.poller.joined[:0], text...)
	for frames = 1; frames < len(outbox) && len(joined) < recordSize; frames++ {
		text = outbox[frames].Wire()
		if room := recordSize - len(joined); len(text) > room {
			joined = append(joined, text[:room]...)
			e.offset = room
			break
		}
		joined = append(joined, text...)
	}
	e.poller.joined = joined
	return joined, frames
}

// Close says goodbye, if that does not have to wait.
func (e *encrypted) Close() {
	_ = e.conn.Close() // which leaves the descriptor alone
	if out := append(e.left, e.poller.ciphertext.take()...); !e.blocked && len(out) > 0 {
		_, _ = rawWrite(e.fd, out)
	}
	e.descriptor.Close()
}
