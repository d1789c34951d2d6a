package loop

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// While the node has too much to do its clients are not read, so that they are
// slowed down and the memory is not filled.
func TestOverloadedNodeDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newTestGroup(t, Config{Loops: 2, MailboxWeight: 10, Portable: true})
		peer, conn := net.Pipe()
		defer peer.Close()
		h := attach(g, conn, nil)
		<-h.opened
		release := make(chan struct{})
		g.Post(0, func(int) { <-release }, 11) // the socket is on loop 1
		var written atomic.Int32
		go func() {
			for range 10 {
				if _, err := peer.Write([]byte("x")); err != nil {
					t.Error(err)
				}
				written.Add(1)
			}
		}()
		synctest.Wait()
		if got := written.Load(); got > 1 {
			t.Errorf("%d messages were read by an overloaded node, want at most the one that was awaited", got)
		}
		close(release)
		if got := h.read(10); got != strings.Repeat("x", 10) {
			t.Errorf("the handler got %q when the load was gone", got)
		}
	})
}

func TestReadingGoesOnAfterOverload(t *testing.T) {
	links(t, func(t *testing.T, g *Group, peer, conn net.Conn) {
		h := attach(g, conn, nil)
		<-h.opened
		g.gate.close()
		for range 3 { // turns that must not wait for the gate
			h.do(func(*Socket) {})
		}
		if err := peer.SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		sent := make(chan error)
		go func() {
			_, err := peer.Write([]byte("hello"))
			sent <- err
		}()
		h.send("out")
		got := make([]byte, len(wire("out")))
		if _, err := peer.Read(got); err != nil || string(got) != wire("out") {
			t.Errorf("an overloaded node wrote %q, %v; want what was sent", got, err)
		}
		g.gate.open()
		if got := h.read(5); got != "hello" {
			t.Errorf("the handler got %q", got)
		}
		if err := <-sent; err != nil {
			t.Error(err)
		}
	})
}

// A peer over TCP that takes nothing is given up; the check comes by the
// second.
func TestStuckDescriptorIsGivenUp(t *testing.T) {
	g := newTestGroup(t, Config{Loops: 1, SendBuffer: 64 << 20, WriteTimeout: time.Millisecond})
	_, conn := pair(t, true)
	h := attach(g, conn, nil)
	h.send(strings.Repeat("x", 32<<20))
	if err := <-h.closed; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("Closed(%v), want %v", err, os.ErrDeadlineExceeded)
	}
}

// A tray is a link of a transport's own, which takes one frame at a time.
type tray struct {
	socket          *Socket
	got             chan string
	started, closed bool
}

func (l *tray) Start()        { l.started = true }
func (l *tray) Resume()       {}
func (l *tray) Busy() bool    { return false }
func (l *tray) Partial() bool { return false }
func (l *tray) Close()        { l.closed = true; close(l.got) }

func (l *tray) Flush() {
	if out := l.socket.Outbox(); len(out) > 0 {
		l.got <- string(out[0].Message())
		l.socket.Took(1)
		l.socket.Wake()
	}
}

func TestLinkOfItsOwn(t *testing.T) {
	g := NewGroup(Config{Loops: 1})
	h, l := newRecorder(g), &tray{got: make(chan string, 10)}
	g.Open(func(s *Socket) Link {
		l.socket = s
		return l
	}, func(s *Socket) Handler {
		h.socket = s
		if l.started {
			t.Error("the link was started before its handler was in place")
		}
		close(h.opened)
		return h
	})
	h.send("a", "b", "c")
	h.do(func(s *Socket) { s.Receive([]byte("in")); s.Finish() })
	var got string
	for text := range l.got {
		got += text
	}
	if got != "abc" || h.all() != "in" {
		t.Errorf("the link took %q and its handler got %q, want abc and in", got, h.all())
	}
	if err := <-h.closed; err != nil {
		t.Errorf("Closed(%v), want nil", err)
	}
	if err := g.Stop(context.Background()); err != nil {
		t.Error(err)
	}
	if !l.started || !l.closed {
		t.Errorf("the link was started: %t, and closed: %t; want both", l.started, l.closed)
	}
}
