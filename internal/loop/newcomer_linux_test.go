package loop

import (
	"io"
	"net"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/belfryhq/belfry/internal/frame"
)

// newcomer attaches one end of a TCP connection as a newcomer, with a recorder
// as its handler, and returns the other end.
func newcomer(t *testing.T, g *Group) (*recorder, net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	peer, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { peer.Close() })
	_ = peer.SetDeadline(time.Now().Add(10 * time.Second))
	own, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	fd, err := detach(own.(*net.TCPConn))
	if err != nil {
		t.Fatal(err)
	}
	h := newRecorder(g)
	if !g.Next().AttachDescriptor(fd, func(s *Socket) Handler {
		h.socket = s
		close(h.opened)
		return h
	}) {
		unix.Close(fd)
		t.Fatal("the loop has ended")
	}
	return h, peer
}

// A newcomer is read and counts for nothing, until it is a client's.
func TestNewcomerBecomesAClient(t *testing.T) {
	g := newTestGroup(t, Config{Loops: 1})
	if !g.Polls() {
		t.Skip("the loops do not poll")
	}
	first, peer := newcomer(t, g)
	if _, err := io.WriteString(peer, "hello"); err != nil {
		t.Fatal(err)
	}
	first.read(len("hello"))
	if n := g.Sockets(); n != 0 {
		t.Errorf("there are %d sockets beside a newcomer", n)
	}
	second := newRecorder(g)
	first.do(func(s *Socket) {
		s.Send(frame.Bytes([]byte("head")))
		s.Become([]byte("early"), func(s *Socket) Handler {
			second.socket = s
			close(second.opened)
			return second
		})
		if n := g.loops[0].traffic.received.Load(); n != 0 {
			t.Errorf("%d bytes count as a client's", n)
		}
	})
	if n := g.Sockets(); n != 1 {
		t.Errorf("there are %d sockets, want the client's", n)
	}
	if _, err := io.WriteString(peer, " more"); err != nil {
		t.Fatal(err)
	}
	if got := second.read(len("early more")); got != "early more" {
		t.Errorf("the client says %q", got)
	}
	head := make([]byte, 4)
	if _, err := io.ReadFull(peer, head); err != nil || string(head) != "head" {
		t.Errorf("the peer got %q, %v", head, err)
	}
	peer.Close()
	if err := <-second.closed; err != io.EOF {
		t.Errorf("closed with %v", err)
	}
}

// A connection goes on elsewhere when all that was sent has been taken, and what
// the peer sends from then on is not lost.
func TestNewcomerLeaves(t *testing.T) {
	g := newTestGroup(t, Config{Loops: 1, SendBuffer: 8 << 20})
	if !g.Polls() {
		t.Skip("the loops do not poll")
	}
	h, peer := newcomer(t, g)
	<-h.opened
	left := make(chan net.Conn, 1)
	large := make([]byte, 4<<20)
	h.do(func(s *Socket) {
		s.Send(frame.Bytes(large))
		s.Leave(func(nc net.Conn, err error) {
			if err != nil {
				t.Error(err)
			}
			left <- nc
		})
	})
	if _, err := io.WriteString(peer, "for the next"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(peer, large); err != nil {
		t.Fatal(err)
	}
	nc := <-left
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(10 * time.Second))
	got := make([]byte, len("for the next"))
	if _, err := io.ReadFull(nc, got); err != nil || string(got) != "for the next" {
		t.Errorf("the next owner reads %q, %v", got, err)
	}
	if _, err := io.WriteString(nc, "answer"); err != nil {
		t.Error(err)
	}
	if _, err := io.ReadFull(peer, got[:6]); err != nil || string(got[:6]) != "answer" {
		t.Errorf("the peer reads %q, %v", got[:6], err)
	}
	select {
	case err := <-h.closed:
		t.Errorf("its former handler was told that it ended: %v", err)
	default:
	}
}
