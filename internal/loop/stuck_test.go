package loop

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A peer that reads slowly, but does not stop to, gets everything and stays,
// however long that takes: here 1 MiB at 400 kbit/s, to which no system lends
// its buffers.
func TestSlowReaderStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newTestGroup(t, Config{Loops: 1, Portable: true, SendBuffer: 4 << 20})
		peer, conn := net.Pipe()
		h := attach(g, conn, nil)
		var texts []string
		for range 10 {
			texts = append(texts, strings.Repeat("x", 1000))
		}
		texts = append(texts, strings.Repeat("x", 1<<20)) // one frame
		h.send(texts...)
		want := wire(texts...)
		var got strings.Builder
		for buf := make([]byte, 5000); got.Len() < len(want); {
			time.Sleep(100 * time.Millisecond)
			n, err := peer.Read(buf)
			if err != nil {
				t.Fatalf("the connection ended with %v after %d bytes", err, got.Len())
			}
			got.Write(buf[:n])
		}
		if got.String() != want {
			t.Error("a slow peer got something else than what was sent")
		}
		peer.Close()
		if err := <-h.closed; !errors.Is(err, io.EOF) {
			t.Errorf("Closed(%v), want %v", err, io.EOF)
		}
	})
}

// A peer that has taken something, and then takes nothing, is given up in time.
func TestReaderThatStopsIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newTestGroup(t, Config{Loops: 1, Portable: true, SendBuffer: 4 << 20})
		peer, conn := net.Pipe()
		defer peer.Close()
		h := attach(g, conn, nil)
		h.send(strings.Repeat("x", 1<<20))
		for range 30 {
			time.Sleep(time.Second)
			if _, err := io.CopyN(io.Discard, peer, recordSize); err != nil {
				t.Fatal(err)
			}
		}
		start := time.Now()
		if err := <-h.closed; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("Closed(%v), want %v", err, os.ErrDeadlineExceeded)
		}
		if got := time.Since(start); got < DefaultWriteTimeout-stuckCheck || got > DefaultWriteTimeout+2*stuckCheck {
			t.Errorf("the peer was given up %v after it had taken something, want %v, by the second", got, DefaultWriteTimeout)
		}
	})
}

// The system says that a socket can be written to when a third of its buffer is
// free, which may be long after the peer has begun to take what is in it.
func TestPeerThatTakesLittleIsNotStuck(t *testing.T) {
	for name, portable := range map[string]bool{"descriptor": false, "stream": true} {
		t.Run(name, func(t *testing.T) {
			peer, conn := pair(t, true)
			if unsent(conn) != 0 {
				t.Fatal("bytes wait that nobody sent")
			}
			if err := conn.(*net.TCPConn).SetWriteBuffer(1 << 20); err != nil {
				t.Fatal(err)
			}
			if err := peer.(*net.TCPConn).SetReadBuffer(64 << 10); err != nil {
				t.Fatal(err)
			}
			g := newTestGroup(t, Config{Loops: 1, SendBuffer: 64 << 20, Portable: portable})
			h := attach(g, conn, nil)
			h.send(strings.Repeat("x", 8<<20))
			link := func() taker { return h.socket.link.(taker) }
			var before int64
			settled := func() bool {
				var now int64
				h.do(func(*Socket) { now = link().taken() })
				same := now == before
				before = now
				return same
			}
			for !settled() { // until all buffers are full
				time.Sleep(50 * time.Millisecond)
			}
			if before == 0 {
				t.Skip("this system does not say what it holds")
			}
			later := func(by time.Duration) { // what is stuck is looked at
				h.do(func(s *Socket) {
					s.loop.now = s.loop.now.Add(by)
					s.loop.stuck.expired()
				})
			}
			later(0)
			buf := make([]byte, 32<<10)
			for settled() { // less than lets a system write on
				if _, err := io.ReadFull(peer, buf); err != nil {
					t.Fatal(err)
				}
			}
			later(time.Minute) // more than the write timeout
			h.do(func(s *Socket) {
				if s.dropped {
					t.Error("a peer was given up that had taken something")
				}
			})
			for !settled() {
				time.Sleep(50 * time.Millisecond)
			}
			later(2 * time.Minute)
			later(3 * time.Minute)
			if err := <-h.closed; !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("Closed(%v), want %v: the peer took nothing", err, os.ErrDeadlineExceeded)
			}
		})
	}
}
