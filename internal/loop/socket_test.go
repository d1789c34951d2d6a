package loop

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// links runs a test over each kind of link.
func links(t *testing.T, test func(t *testing.T, g *Group, peer, conn net.Conn)) {
	tcp := func(t *testing.T) (peer, conn net.Conn) { return pair(t, true) }
	memory := func(t *testing.T) (peer, conn net.Conn) { return pair(t, false) }
	for name, kind := range map[string]struct {
		pair     func(t *testing.T) (peer, conn net.Conn)
		portable bool
	}{
		"descriptor":    {tcp, false},
		"stream":        {tcp, true},
		"in memory":     {memory, true},
		"pipe, polling": {memory, false},
		"TLS 1.3":       {tlsPair(tls.VersionTLS13), false},
		"TLS 1.2":       {tlsPair(tls.VersionTLS12), false},
		"TLS, stream":   {tlsPair(tls.VersionTLS13), true},
	} {
		t.Run(name, func(t *testing.T) {
			peer, conn := kind.pair(t)
			test(t, newTestGroup(t, Config{Loops: 1, Portable: kind.portable, SendBuffer: 8 << 20}), peer, conn)
		})
	}
}

func TestInputComesInOrder(t *testing.T) {
	links(t, func(t *testing.T, g *Group, peer, conn net.Conn) {
		h := attach(g, conn, []byte("early,"))
		sent := make([]byte, 1<<20)
		rand.Read(sent)
		go func() {
			for b := sent; len(b) > 0; {
				n := min(1+len(b)/3, len(b))
				if _, err := peer.Write(b[:n]); err != nil {
					t.Error(err)
				}
				b = b[n:]
			}
		}()
		if got := h.read(len("early,") + len(sent)); got != "early,"+string(sent) {
			t.Errorf("the handler got %d bytes, other than those that were sent", len(got))
		}
	})
}

func TestOutputLeavesInOrder(t *testing.T) {
	links(t, func(t *testing.T, g *Group, peer, conn net.Conn) {
		h := attach(g, conn, nil)
		var texts []string
		for i := range 700 { // more frames than one system call takes, small and large
			texts = append(texts, strings.Repeat(string(rune('a'+i%26)), i*i%9000))
		}
		go func() {
			for i := 0; i < len(texts); i += 100 {
				h.send(texts[i : i+100]...)
			}
		}()
		want := wire(texts...)
		got := make([]byte, len(want))
		if _, err := io.ReadFull(peer, got); err != nil || string(got) != want {
			t.Errorf("the peer got something else than %d frames in order (%v)", len(texts), err)
		}
	})
}

// Bytes that the peer takes slowly, a few at a time, are neither lost nor
// repeated.
func TestOutputToASlowPeer(t *testing.T) {
	links(t, func(t *testing.T, g *Group, peer, conn net.Conn) {
		h := attach(g, conn, nil)
		var texts []string
		for i := range 60 {
			texts = append(texts, strings.Repeat(string(rune('a'+i%26)), 100_000))
		}
		h.send(texts...) // 6 MB: no kernel takes them at once
		var got bytes.Buffer
		small := make([]byte, 70_001)
		want := wire(texts...)
		for got.Len() < len(want) {
			n, err := peer.Read(small)
			if err != nil {
				t.Fatal(err)
			}
			got.Write(small[:n])
		}
		if got.String() != want {
			t.Error("a slow peer got something else than what was sent")
		}
	})
}

func TestFinishFlushesFirst(t *testing.T) {
	links(t, func(t *testing.T, g *Group, peer, conn net.Conn) {
		h := attach(g, conn, nil)
		large := strings.Repeat("x", 4<<20)
		h.do(func(s *Socket) {
			s.Send(textFrame(large))
			s.Finish()
			s.Send(textFrame("goodbye")) // still goes out
		})
		got, err := io.ReadAll(peer)
		if err != nil || string(got) != wire(large, "goodbye") {
			t.Errorf("the peer got %d bytes, %v; want all that was sent, and the end", len(got), err)
		}
		if err := <-h.closed; err != nil {
			t.Errorf("Closed(%v), want nil: the handler ended it", err)
		}
	})
}

// What is sent on a socket that ends anyway is no reason to end it.
func TestFinishingSocketDoesNotOverflow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newTestGroup(t, Config{Loops: 1, Portable: true, SendBuffer: 1000})
		peer, conn := net.Pipe()
		h := attach(g, conn, nil)
		text := strings.Repeat("x", 900)
		h.send(text)
		h.do(func(s *Socket) {
			s.Finish()
			s.Send(textFrame(text))
		})
		synctest.Wait()
		got, err := io.ReadAll(peer)
		if err != nil || string(got) != wire(text, text) || len(h.overflow) != 0 {
			t.Errorf("the peer got %d bytes, %v, after %d overflows; want all and none", len(got), err, len(h.overflow))
		}
	})
}

func TestFinishWithNothingToSend(t *testing.T) {
	links(t, func(t *testing.T, g *Group, peer, conn net.Conn) {
		h := attach(g, conn, nil)
		h.do(func(s *Socket) { s.Finish() })
		if err := <-h.closed; err != nil {
			t.Errorf("Closed(%v), want nil", err)
		}
		if got, err := io.ReadAll(peer); err != nil || len(got) > 0 {
			t.Errorf("the peer reads %q, %v; want the end", got, err)
		}
	})
}

func TestDropDoesNotFlush(t *testing.T) {
	links(t, func(t *testing.T, g *Group, peer, conn net.Conn) {
		h := attach(g, conn, nil)
		reason := errors.New("reason")
		h.do(func(s *Socket) {
			s.Send(textFrame("never"))
			s.Drop(reason)
			s.Drop(errors.New("later"))
			s.Send(textFrame("never"))
			s.SetDeadline(time.Now())
		})
		if err := <-h.closed; err != reason {
			t.Errorf("Closed(%v), want the first reason", err)
		}
		if got, err := io.ReadAll(peer); err != nil || len(got) > 0 {
			t.Errorf("the peer reads %q, %v; want nothing and the end", got, err)
		}
		h.do(func(s *Socket) { s.Send(textFrame("never")); s.Drop(nil); s.Finish() }) // after the end
		if got := g.Sockets(); got != 0 {
			t.Errorf("Sockets() = %d, want 0", got)
		}
	})
}

// What the handler was asked to forget does not leave, but a frame that has
// begun to leave does to its end.
func TestDiscard(t *testing.T) {
	links(t, func(t *testing.T, g *Group, peer, conn net.Conn) {
		h := attach(g, conn, nil)
		first := strings.Repeat("x", 6<<20)
		h.send(first) // is on its way, and stuck
		h.do(func(s *Socket) {
			s.Send(textFrame("forgotten"))
			s.Discard()
			s.Send(textFrame("kept"))
			s.Finish()
		})
		got, err := io.ReadAll(peer)
		if err != nil || string(got) != wire(first, "kept") {
			t.Errorf("the peer got %d bytes, %v; want the frame that had begun and the one that came after", len(got), err)
		}
		if err := <-h.closed; err != nil {
			t.Errorf("Closed(%v), want nil", err)
		}
	})
}

func TestEndByThePeer(t *testing.T) {
	links(t, func(t *testing.T, g *Group, peer, conn net.Conn) {
		h := attach(g, conn, nil)
		if _, err := peer.Write([]byte("last words")); err != nil {
			t.Fatal(err)
		}
		peer.Close()
		if err := <-h.closed; !errors.Is(err, io.EOF) {
			t.Errorf("Closed(%v), want %v", err, io.EOF)
		}
		if got := h.all(); got != "last words" {
			t.Errorf("the handler got %q, want all that was sent before the end", got)
		}
	})
}

func TestWriteToAPeerThatIsGone(t *testing.T) {
	links(t, func(t *testing.T, g *Group, peer, conn net.Conn) {
		h := attach(g, conn, nil)
		<-h.opened
		if tcp, ok := peer.(*net.TCPConn); ok {
			tcp.SetLinger(0) // a reset
		}
		peer.Close()
		h.send(strings.Repeat("x", 100))
		if err := <-h.closed; err == nil {
			t.Error("Closed(nil), want why")
		}
		select {
		case err := <-h.closed:
			t.Errorf("Closed(%v) a second time", err)
		default:
		}
	})
}

// A handler may end the socket while it gets input, and gets no more then.
func TestDropWhileReading(t *testing.T) {
	links(t, func(t *testing.T, g *Group, peer, conn net.Conn) {
		h := newRecorder(g)
		h.onInput = func(s *Socket, _ []byte) { s.Drop(nil) }
		h.attach(conn, nil)
		go func() {
			for {
				if _, err := peer.Write([]byte("x")); err != nil {
					return
				}
			}
		}()
		if err := <-h.closed; err != nil {
			t.Errorf("Closed(%v), want nil", err)
		}
		if got := strings.Count(h.all(), "x"); got == 0 {
			t.Error("the handler got nothing")
		}
		peer.Close()
	})
}

func TestStuckWriteIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newTestGroup(t, Config{Loops: 1, Portable: true, WriteTimeout: 7 * time.Second})
		peer, conn := net.Pipe()
		defer peer.Close()
		h := attach(g, conn, nil)
		h.send("nobody reads this")
		start := time.Now()
		if err := <-h.closed; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Closed(%v), want %v", err, os.ErrDeadlineExceeded)
		}
		if got := time.Since(start); got < 7*time.Second || got > 7*time.Second+2*stuckCheck {
			t.Errorf("the write was given up after %v, want 7s, by the second", got)
		}
	})
}

// A socket that does not take its bytes is reported, and the others are not
// delayed by it.
func TestOverflow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text := strings.Repeat("x", 98)
		g := newTestGroup(t, Config{Loops: 1, Portable: true, SendBuffer: 10 * textFrame(text).Cost()})
		stuckPeer, stuckConn := net.Pipe()
		peer, conn := net.Pipe()
		defer stuckPeer.Close()
		defer peer.Close()
		stuck, quick := attach(g, stuckConn, nil), attach(g, conn, nil)
		for range 10 {
			stuck.send(text)
		}
		synctest.Wait()
		if len(stuck.overflow) != 0 {
			t.Error("Overflow at the limit, want it above")
		}
		stuck.send("y")
		quick.send(text)
		got := make([]byte, len(wire(text)))
		if _, err := io.ReadFull(peer, got); err != nil || string(got) != wire(text) {
			t.Errorf("the other peer got %q, %v", got, err)
		}
		if err := <-stuck.closed; err != nil || len(stuck.overflow) != 1 {
			t.Errorf("Closed(%v) after %d overflows, want nil after one", err, len(stuck.overflow))
		}
	})
}

// A handler that says goodbye when the buffer is full is heard, once the peer
// reads again, even if what is already on its way fills the buffer.
func TestOverflowLeavesRoomForAGoodbye(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := strings.Repeat("x", 994)
		g := newTestGroup(t, Config{Loops: 1, Portable: true, SendBuffer: textFrame(first).Cost() + 2})
		peer, conn := net.Pipe()
		h := newRecorder(g)
		h.onOverflow = func(s *Socket) {
			if len(h.overflow) == 1 { // the goodbye itself may be one
				s.Discard()
				s.Send(textFrame("goodbye"))
			}
		}
		h.attach(conn, nil)
		h.send(first)
		synctest.Wait() // the writer has it
		h.send("too much")
		synctest.Wait()
		h.do(func(s *Socket) { s.Finish() })
		got, err := io.ReadAll(peer)
		if err != nil || string(got) != wire(first, "goodbye") {
			t.Errorf("the peer got %q, %v; want the frame that was on its way and the goodbye", got, err)
		}
	})
}

// Of the answers to a peer that asks and does not read, the last is kept. It goes
// out when the peer reads again, and what a peer that reads asks is all answered.
func TestOfAnswersThatAreNotTakenTheLastIsKept(t *testing.T) {
	links(t, func(t *testing.T, g *Group, peer, conn net.Conn) {
		h := attach(g, conn, nil)
		h.do(func(s *Socket) { s.Answer(textFrame("first answer")) })
		got := make([]byte, len(wire("first answer")))
		if _, err := io.ReadFull(peer, got); err != nil || string(got) != wire("first answer") {
			t.Fatalf("the peer got %q, %v", got, err)
		}
		large := strings.Repeat("x", 6<<20)
		h.send(large) // is on its way, and stuck
		h.do(func(s *Socket) {
			before := s.pending
			for i := range 100_000 {
				s.Answer(textFrame(strconv.Itoa(i)))
			}
			if got, want := s.pending-before, textFrame("99999").Cost(); got != want {
				t.Errorf("answers that wait cost %d, want %d", got, want)
			}
			s.Send(textFrame("later"))
			s.Finish()
		})
		all, err := io.ReadAll(peer)
		if want := wire(large, "99999", "later"); err != nil || string(all) != want {
			t.Errorf("the peer got %d bytes that end with %q, %v; want what was sent and the last answer", len(all), all[max(0, len(all)-50):], err)
		}
	})
}

func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newTestGroup(t, Config{Loops: 1, Portable: true})
		peer, conn := net.Pipe()
		defer peer.Close()
		h := attach(g, conn, nil)
		start := time.Now()
		set := func(in time.Duration) { h.do(func(s *Socket) { s.SetDeadline(start.Add(in)) }) }
		fired := func() time.Duration { return (<-h.expired).Sub(start) }
		set(time.Minute)
		set(10 * time.Second) // instead
		if got := fired(); got < 10*time.Second || got > 10*time.Second+tick {
			t.Errorf("Expired after %v, want 10s", got)
		}
		set(5 * time.Minute) // more than a turn of the wheel
		if got := fired(); got < 5*time.Minute || got > 5*time.Minute+tick {
			t.Errorf("Expired after %v, want 5m", got)
		}
		set(time.Second) // in the past: soon
		if got := fired(); got > 5*time.Minute+3*tick {
			t.Errorf("a deadline in the past expired after %v, want at once", got)
		}
		set(6 * time.Minute)
		h.do(func(s *Socket) { s.SetDeadline(time.Time{}) })
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(h.expired) != 0 {
			t.Error("a deadline that was cleared has expired")
		}
	})
}
