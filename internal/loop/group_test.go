package loop

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// newTestGroup starts a group that is stopped when the test ends.
func newTestGroup(t *testing.T, cfg Config) *Group {
	t.Helper()
	g := NewGroup(cfg)
	t.Cleanup(func() {
		if err := g.Stop(context.Background()); err != nil {
			t.Errorf("Stop: %v", err)
		}
	})
	return g
}

// both runs a test with loops that poll, where there are such, and with those
// that do not.
func both(t *testing.T, test func(t *testing.T, portable bool)) {
	t.Run("polling", func(t *testing.T) { test(t, false) })
	t.Run("portable", func(t *testing.T) { test(t, true) })
}

func TestPostedWorkRunsInOrderOnItsLoop(t *testing.T) {
	both(t, func(t *testing.T, portable bool) {
		g := newTestGroup(t, Config{Loops: 3, Portable: portable})
		const each = 2000
		got := make([][]int, g.Len())
		var posted, ran sync.WaitGroup
		for loop := range g.Len() {
			ran.Add(each)
			posted.Go(func() {
				for i := range each {
					g.Post(loop, func(on int) {
						defer ran.Done()
						if on != loop {
							t.Errorf("work for loop %d ran on %d", loop, on)
						}
						got[loop] = append(got[loop], i)
					}, 1+i%3*turnWeight/2)
				}
			})
		}
		posted.Wait()
		ran.Wait()
		for loop := range got {
			if !slices.IsSorted(got[loop]) || len(got[loop]) != each {
				t.Errorf("loop %d ran %d jobs, sorted: %t; want %d in order", loop, len(got[loop]), slices.IsSorted(got[loop]), each)
			}
		}
	})
}

// What is posted while a loop has more than a turn's worth left to do must not
// be forgotten when that is done.
func TestWorkPostedBetweenTurnsRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newTestGroup(t, Config{Loops: 1, Portable: true})
		ran := false
		begin := make(chan struct{})
		g.Post(0, func(int) { <-begin }, 1)
		g.Post(0, func(int) {
			g.Post(0, func(int) { ran = true }, 1)
		}, turnWeight)
		g.Post(0, func(int) {}, 1) // is left for the next turn
		close(begin)
		synctest.Wait()
		if !ran {
			t.Error("a job that was posted while others were left over has not run, and the loop sleeps")
		}
	})
}

// A loop that is about to sleep when work is posted does not sleep.
func TestNoPostIsSleptThrough(t *testing.T) {
	both(t, func(t *testing.T, portable bool) {
		g := newTestGroup(t, Config{Loops: 1, Portable: portable})
		var all sync.WaitGroup
		for range 2 {
			all.Go(func() {
				done := make(chan struct{}, 1)
				for range 50_000 {
					g.Post(0, func(int) { done <- struct{}{} }, 1)
					<-done // the loop has nothing more to do, unless the other posts
				}
			})
		}
		all.Wait()
	})
}

func TestLoopsOfAGroup(t *testing.T) {
	for _, tt := range []struct{ asked, want int }{{1, 1}, {5, 5}, {MaxLoops, MaxLoops}, {MaxLoops + 1, MaxLoops}} {
		if got := newTestGroup(t, Config{Loops: tt.asked, Portable: true}).Len(); got != tt.want {
			t.Errorf("Len() of a group of %d = %d, want %d", tt.asked, got, tt.want)
		}
	}
	if got := newTestGroup(t, Config{Portable: true}).Len(); got < 1 {
		t.Errorf("Len() by default = %d, want some", got)
	}
}

func TestStopEndsEverySocket(t *testing.T) {
	both(t, func(t *testing.T, portable bool) {
		g := NewGroup(Config{Loops: 3, Portable: portable})
		var peers []net.Conn
		var handlers []*recorder
		for i := range 3 * turnFlushes / 100 {
			peer, conn := pair(t, i%2 == 0)
			peers = append(peers, peer)
			handlers = append(handlers, attach(g, conn, nil))
		}
		for _, h := range handlers {
			<-h.opened
		}
		if got := g.Sockets(); got != len(peers) {
			t.Errorf("Sockets() = %d, want %d", got, len(peers))
		}
		if err := g.Stop(t.Context()); err != nil {
			t.Errorf("Stop: %v", err)
		}
		if got := g.Sockets(); got != 0 {
			t.Errorf("Sockets() after Stop = %d, want 0", got)
		}
		for i, h := range handlers {
			if err := <-h.closed; !errors.Is(err, ErrStopped) {
				t.Errorf("socket %d was closed with %v, want %v", i, err, ErrStopped)
			}
			if _, err := io.ReadAll(peers[i]); err != nil && !errors.Is(err, net.ErrClosed) {
				t.Errorf("the peer of socket %d: %v, want the end", i, err)
			}
		}
	})
}

// A connection may come while the loop stops: it is closed, like the others.
func TestAttachWhileStopping(t *testing.T) {
	both(t, func(t *testing.T, portable bool) {
		g := NewGroup(Config{Loops: 1, Portable: portable})
		peer, conn := pair(t, true)
		begin := make(chan struct{})
		g.Post(0, func(int) { <-begin }, 1)
		g.loops[0].Post(g.loops[0].stop, turnWeight) // what follows is for the next turn
		h := attach(g, conn, []byte("early"))
		close(begin)
		if err := <-h.closed; !errors.Is(err, ErrStopped) {
			t.Errorf("the socket was closed with %v, want %v", err, ErrStopped)
		}
		if got := h.all(); got != "" {
			t.Errorf("the handler got %q, want nothing any more", got)
		}
		if _, err := io.ReadAll(peer); err != nil {
			t.Errorf("the peer reads %v, want the end", err)
		}
		if err := g.Stop(t.Context()); err != nil {
			t.Errorf("Stop: %v", err)
		}
	})
}

func TestStopDoesNotWaitLongerThanItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newTestGroup(t, Config{Loops: 2, Portable: true})
		release := make(chan struct{})
		g.Post(1, func(int) { <-release }, 1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := g.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Stop beside a stuck loop = %v, want %v", err, context.DeadlineExceeded)
		}
		close(release)
	})
}

func TestEachSeesEverySocketOnItsLoop(t *testing.T) {
	g := newTestGroup(t, Config{Loops: 4, Portable: true})
	const many = 40
	handlers := make([]*recorder, many)
	for i := range handlers {
		_, conn := pair(t, false)
		handlers[i] = attach(g, conn, nil)
	}
	for _, h := range handlers {
		<-h.opened
	}
	at := time.Now()
	var all sync.WaitGroup
	all.Add(many)
	perLoop := make([]int, g.Len())
	g.Each(func(s *Socket) {
		defer all.Done()
		perLoop[s.Loop().Index()]++ // only ever by that loop, says the race detector
		s.Handler().Drain(at)
	})
	all.Wait()
	for i, n := range perLoop {
		if n != many/g.Len() {
			t.Errorf("loop %d has %d sockets, want an even share of %d", i, n, many)
		}
	}
	for _, h := range handlers {
		if got := <-h.drained; !got.Equal(at) {
			t.Errorf("Drain(%v), want %v", got, at)
		}
	}
}
