package loop

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// An owned recorder is one of an owner.
type owned struct {
	*recorder
	owner string
}

func (h owned) Owner() string { return h.owner }

func attachOwned(g *Group, conn net.Conn, early []byte, owner string) *recorder {
	h := newRecorder(g)
	g.Attach(conn, early, func(s *Socket) Handler {
		h.socket = s
		close(h.opened)
		return owned{h, owner}
	})
	<-h.opened
	return h
}

// write writes to a connection from a goroutine, since nobody may read it yet.
func write(t *testing.T, to net.Conn, text string) {
	t.Helper()
	go func() {
		if _, err := io.WriteString(to, text); err != nil && !errors.Is(err, io.ErrClosedPipe) {
			t.Error(err)
		}
	}()
}

// While an owner is held nothing of its sockets is read, and all of it is
// afterwards. Sockets of others, and of nobody, on the same loop go on.
func TestHeldOwnerWaitsAndOthersDoNot(t *testing.T) {
	links(t, func(t *testing.T, g *Group, peer, conn net.Conn) {
		otherPeer, otherConn := pair(t, true)
		nobodyPeer, nobodyConn := pair(t, true)
		h := attachOwned(g, conn, nil, "one")
		other := attachOwned(g, otherConn, nil, "two")
		nobody := attach(g, nobodyConn, nil)
		write(t, peer, "before")
		h.read(len("before"))
		g.HoldOwner("one")
		write(t, peer, ", held")
		for i := range 100 {
			write(t, otherPeer, "x")
			write(t, nobodyPeer, "x")
			other.read(i + 1)
			nobody.read(i + 1)
		}
		h.send("still sent") // what goes out does not wait
		if got := h.all(); got != "before" {
			t.Errorf("while its owner was held the handler got %q", got)
		}
		buf := make([]byte, len(textFrame("still sent").Wire()))
		if _, err := io.ReadFull(peer, buf); err != nil {
			t.Error(err)
		}
		g.ReleaseOwner("one")
		h.read(len("before, held"))
		write(t, peer, ", after")
		if got := h.read(len("before, held, after")); got != "before, held, after" {
			t.Errorf("after the release the handler got %q", got)
		}
	})
}

// What came with the handshake waits like everything else.
func TestHeldOwnerWaitsFromTheBeginning(t *testing.T) {
	links(t, func(t *testing.T, g *Group, peer, conn net.Conn) {
		g.HoldOwner("one")
		h := attachOwned(g, conn, []byte("early,"), "one")
		write(t, peer, "late")
		h.do(func(*Socket) {})
		if got := h.all(); got != "" {
			t.Errorf("while its owner was held the handler got %q", got)
		}
		g.ReleaseOwner("one")
		if got := h.read(len("early,late")); got != "early,late" {
			t.Errorf("after the release the handler got %q", got)
		}
	})
}

// A handler that is not done with its input does not go on while it is held.
func TestHeldOwnerDoesNotGoOnWithInput(t *testing.T) {
	links(t, func(t *testing.T, g *Group, peer, conn net.Conn) {
		h := newRecorder(g)
		calls := 0
		h.onInput = func(s *Socket, _ []byte) {
			if calls++; calls < 10 {
				s.Continue()
			}
			if calls == 5 {
				g.HoldOwner("one")
			}
		}
		g.Attach(conn, nil, func(s *Socket) Handler {
			h.socket = s
			close(h.opened)
			return owned{h, "one"}
		})
		write(t, peer, "x")
		h.read(1)
		turns := 0
		for turns < 50 { // of the loop
			h.do(func(*Socket) { turns++ })
		}
		h.do(func(*Socket) {
			if calls > 5 {
				t.Errorf("the handler was called %d times, want 5 until it was held", calls)
			}
		})
		g.ReleaseOwner("one")
		for done := false; !done; {
			h.do(func(*Socket) { done = calls >= 10 })
		}
	})
}

// A socket that ends while it is held leaves no goroutine behind, whatever its
// peer has sent.
func TestHeldSocketEnds(t *testing.T) {
	links(t, func(t *testing.T, g *Group, peer, conn net.Conn) {
		g.HoldOwner("one")
		h := attachOwned(g, conn, []byte("early"), "one")
		go io.WriteString(peer, "never read")
		h.do(func(s *Socket) { s.Drop(nil) })
		if err := <-h.closed; err != nil {
			t.Errorf("Closed(%v), want nil", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := g.Stop(ctx); err != nil {
			t.Errorf("the group does not end: %v", err)
		}
	})
}

// A group ends while sockets are held whose peers have gone.
func TestGroupEndsWhileSocketsAreHeld(t *testing.T) {
	links(t, func(t *testing.T, g *Group, peer, conn net.Conn) {
		h := attachOwned(g, conn, nil, "one")
		g.HoldOwner("one")
		go io.WriteString(peer, "never read") // or refused, when the socket has ended
		for range 10 {                        // it may come or not; both are to end well
			h.do(func(*Socket) {})
		}
		peer.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := g.Stop(ctx); err != nil {
			t.Errorf("the group does not end: %v", err)
		}
		if got := h.all(); got != "" {
			t.Errorf("the handler got %q", got)
		}
	})
}

// However many sockets were held, others get their turn between.
func TestReleaseOfManyLetsOthersIn(t *testing.T) {
	g := newTestGroup(t, Config{Loops: 1})
	const many = 10 * releaseSlice
	released := 0
	g.HoldOwner("one")
	for range many {
		h := newRecorder(g)
		h.onInput = func(*Socket, []byte) { released++ }
		g.Open(func(*Socket) Link { return &tray{got: make(chan string, 1)} }, func(s *Socket) Handler {
			h.socket = s
			return owned{h, "one"}
		})
		g.Post(0, func(int) { h.socket.Continue() }, 1)
	}
	between := 0
	done := make(chan struct{})
	var look func(int)
	look = func(int) {
		switch {
		case released == many:
			close(done)
			return
		case released > 0:
			between++
		}
		g.Post(0, look, turnWeight) // once in a turn
	}
	for held := 0; held < many; { // all of them
		ask := make(chan int)
		g.Post(0, func(l int) { ask <- len(g.loops[l].held["one"]) }, 1)
		held = <-ask
	}
	g.ReleaseOwner("one")
	g.Post(0, look, 1)
	<-done
	if between < many/releaseSlice/2 {
		t.Errorf("others had %d turns while %d sockets were released, want one for each slice of %d", between, many, releaseSlice)
	}
}

// Who comes in by another way waits for its owner, and for no other.
func TestAdmissionOfAnOwner(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &Group{}
		g.HoldOwner("one")
		if err := g.AdmitOwner(t.Context(), "two"); err != nil {
			t.Errorf("another owner waits: %v", err)
		}
		if !g.Held("one") || g.Held("two") {
			t.Error("the wrong owner is held")
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := g.AdmitOwner(ctx, "one"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("AdmitOwner of the one that is held = %v", err)
		}
		admitted := make(chan error)
		go func() { admitted <- g.AdmitOwner(t.Context(), "one") }()
		time.Sleep(time.Second)
		g.ReleaseOwner("one")
		if err := <-admitted; err != nil {
			t.Error(err)
		}
		g.ReleaseOwner("one") // again is nothing
		g.Hold()
		if err := g.AdmitOwner(ctx, "two"); err == nil {
			t.Error("an owner does not wait for the node")
		}
		g.Release()
	})
}
