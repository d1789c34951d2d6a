package loop

import (
	"net"
	"strings"
	"testing"
	"time"
)

// A handler that is not done with its input in one turn goes on in the next.
// Others get their turn between, and nothing overtakes what is put off.
func TestInputOfOneTurnIsNotMoreThanItTakes(t *testing.T) {
	links(t, func(t *testing.T, g *Group, peer, conn net.Conn) {
		const parts = 50
		var others int // of the loop's turns in which there was something else to do
		var late []byte
		h := newRecorder(g)
		left := parts
		h.onInput = func(s *Socket, b []byte) {
			if left == 0 {
				return
			}
			late = append(late, b...)
			if left--; left == 0 {
				return
			}
			s.Continue()
			s.Loop().Post(func(int) {
				if left > 0 {
					others++
				}
			}, 1)
		}
		h.attach(conn, []byte("early,"))
		go func() {
			for _, text := range []string{"then", "this"} {
				if _, err := peer.Write([]byte(text)); err != nil {
					t.Error(err)
				}
			}
		}()
		h.read(len("early,thenthis"))
		h.do(func(*Socket) {
			if string(late) != "early," {
				t.Errorf("while the handler was not done with %q it got %q", "early,", late)
			}
			if others < parts/2 {
				t.Errorf("others had %d turns while the handler worked for %d", others, parts)
			}
		})
	})
}

// A socket that ends while its handler is not done leaves nothing behind.
func TestEndWhileInputIsPutOff(t *testing.T) {
	links(t, func(t *testing.T, g *Group, peer, conn net.Conn) {
		h := newRecorder(g)
		h.onInput = func(s *Socket, _ []byte) { s.Continue() }
		h.attach(conn, nil)
		if _, err := peer.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		h.read(1)
		h.do(func(s *Socket) { s.Drop(nil) })
		if err := <-h.closed; err != nil {
			t.Errorf("Closed(%v), want nil", err)
		}
	})
}

// Input that was put off waits like all other while the node has too much to do.
func TestOverloadedNodeDoesNotGoOnWithInput(t *testing.T) {
	links(t, func(t *testing.T, g *Group, peer, conn net.Conn) {
		h := newRecorder(g)
		calls, shut := 0, 0
		h.onInput = func(s *Socket, b []byte) {
			calls++
			if calls == 1 {
				g.gate.close()
			}
			if calls < 3 {
				s.Continue()
			}
		}
		h.attach(conn, []byte("x"))
		<-h.opened
		for range 10 {
			h.do(func(*Socket) { shut = calls })
		}
		g.gate.open()
		if _, err := peer.Write([]byte("y")); err != nil {
			t.Fatal(err)
		}
		if got := h.read(2); got != "xy" || shut != 1 {
			t.Errorf("the handler was called %d times by an overloaded node, and got %q in the end", shut, got)
		}
		h.do(func(*Socket) {
			if calls != 4 {
				t.Errorf("the handler was called %d times, want 4", calls)
			}
		})
	})
}

// What a peer has sent when it goes is not worth seconds of work.
func TestLittleWaitsToBeReadOfAPeer(t *testing.T) {
	peer, conn := pair(t, true)
	if err := peer.(*net.TCPConn).SetWriteBuffer(32 << 10); err != nil {
		t.Fatal(err)
	}
	g := newTestGroup(t, Config{Loops: 1})
	const warm = 16 << 20 // by when the system would hold more
	release := make(chan struct{})
	h, read := newRecorder(g), 0
	h.onInput = func(_ *Socket, b []byte) {
		h.got.Reset()
		if before := read; before < warm {
			if read += len(b); read >= warm {
				// A system that takes more takes it sooner than that.
				if err := peer.SetWriteDeadline(time.Now().Add(time.Second / 2)); err != nil {
					t.Error(err)
				}
				<-release
			}
		}
	}
	h.attach(conn, nil)
	chunk := []byte(strings.Repeat("x", 16<<10))
	sent := 0
	for {
		n, err := peer.Write(chunk)
		sent += n
		if err != nil {
			break
		}
	}
	close(release)
	if got := sent - warm; got > 2*unread {
		t.Errorf("the system took %d bytes that nobody reads, want at most twice %d", got, unread)
	}
}
