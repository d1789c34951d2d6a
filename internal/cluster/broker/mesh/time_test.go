package mesh_test

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfryhq/belfry/internal/cluster/broker"
	"github.com/belfryhq/belfry/internal/cluster/broker/membroker"
)

const (
	lease    = 5 * time.Second
	grace    = 4 * time.Second
	interval = time.Second // between beats
)

// A station is a node in a bubble: a broker and its receiver.
type station struct {
	name   string
	broker *membroker.Broker

	mu sync.Mutex
	story
	pause chan struct{} // closed when receiving goes on; nil: it does
}

// story is what a station has heard.
type story struct {
	link   broker.Link // to the last one that has joined
	heard  []heard
	joined int
	left   int
	lost   int
}

// heard is a message, or that some were lost.
type heard struct {
	count uint64
	lost  bool
}

// call is around every call.
func (s *station) call(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if pause := s.pause; pause != nil {
		s.mu.Unlock()
		<-pause
		s.mu.Lock()
	}
	f()
}

func (s *station) Joined(l broker.Link) { s.call(func() { s.joined++; s.link = l }) }
func (s *station) Left(broker.Link)     { s.call(func() { s.left++ }) }
func (s *station) Lost(broker.Link) {
	s.call(func() {
		s.lost++
		s.story.heard = append(s.story.heard, heard{lost: true})
	})
}
func (s *station) Receive(_ broker.Link, m *broker.Message) {
	s.call(func() { s.story.heard = append(s.story.heard, heard{count: m.Count}) })
}

// see returns what was heard until now.
func (s *station) see() story {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.story
}

// suspend makes receiving take as long as until resume.
func (s *station) suspend() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pause = make(chan struct{})
}

func (s *station) resume() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pause != nil {
		close(s.pause)
		s.pause = nil
	}
}

func (s *station) send(n uint64) {
	s.see().link.Send(&broker.Message{Kind: broker.Subscribers, Count: n})
}

func (s story) counts() (counts []uint64) {
	for _, h := range s.heard {
		if !h.lost {
			counts = append(counts, h.count)
		}
	}
	return counts
}

func start(t *testing.T, n *membroker.Network, name string) *station {
	s := &station{name: name, broker: n.Join(name)}
	if err := s.broker.Start(s); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *station) close(t *testing.T) {
	if err := s.broker.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

// pair runs a test with two nodes that know each other, in a bubble.
func pair(t *testing.T, test func(t *testing.T, n *membroker.Network, a, b *station)) {
	synctest.Test(t, func(t *testing.T) {
		n := membroker.NewNetwork(membroker.Options{Lease: lease, Grace: grace, MaxPending: 1 << 20})
		a, b := start(t, n, "a"), start(t, n, "b")
		synctest.Wait()
		if a.see().joined != 1 || b.see().joined != 1 {
			t.Fatalf("a heard %d join and b %d, want one each at once", a.see().joined, b.see().joined)
		}
		test(t, n, a, b)
		a.close(t)
		b.close(t)
	})
}

// pass lets time pass, and what happens then.
func pass(d time.Duration) {
	time.Sleep(d) // all callers are in bubbles
	synctest.Wait()
}

func TestMessagesGoAtOnce(t *testing.T) {
	pair(t, func(t *testing.T, _ *membroker.Network, a, b *station) {
		begin := time.Now()
		for n := range uint64(3) {
			a.send(n)
			synctest.Wait()
		}
		var confirmed atomic.Bool
		a.see().link.Sync(func() { confirmed.Store(true) })
		synctest.Wait()
		if d := time.Since(begin); d != 0 || len(b.see().heard) != 3 || !confirmed.Load() {
			t.Errorf("after %v three messages are %v at b, confirmed: %t; want them at once", d, b.see().heard, confirmed.Load())
		}
	})
}

func TestSilentNodeIsSuspectAndThenDead(t *testing.T) {
	pair(t, func(t *testing.T, n *membroker.Network, a, b *station) {
		n.Cut("a", "b")
		pass(lease - interval)
		if p := a.broker.Peers(); p[0].Suspect || p[0].LastHeard < lease-2*interval {
			t.Errorf("before the lease is over: %+v, want no suspect", p[0])
		}
		pass(2 * interval)
		if p := a.broker.Peers(); !p[0].Suspect {
			t.Errorf("after the lease: %+v, want a suspect", p[0])
		}
		pass(grace - 2*interval)
		if a.see().left != 0 {
			t.Error("b is dead before the grace is over")
		}
		pass(2 * interval)
		if a.see().left != 1 || b.see().left != 1 || len(a.broker.Peers()) != 0 {
			t.Errorf("after the grace a heard %d leave and b %d, and a has %d peers; want 1, 1, 0", a.see().left, b.see().left, len(a.broker.Peers()))
		}
		n.Heal("a", "b")
		pass(interval)
		if a.see().joined != 2 || b.see().joined != 2 {
			t.Errorf("after it is healed, a heard %d join and b %d, want 2", a.see().joined, b.see().joined)
		}
	})
}

func TestSuspectIsHeardAgain(t *testing.T) {
	pair(t, func(t *testing.T, n *membroker.Network, a, b *station) {
		n.Cut("a", "b")
		pass(lease + interval)
		n.Heal("a", "b")
		pass(lease + grace)
		if p := a.broker.Peers(); len(p) != 1 || p[0].Suspect || a.see().left != 0 || a.see().joined != 1 {
			t.Errorf("a has %+v and heard b leave %d times, want the same peer as before", p, a.see().left)
		}
		if a.see().lost != 0 || b.see().lost != 0 {
			t.Errorf("losses: %d and %d, want none: there were no messages", a.see().lost, b.see().lost)
		}
	})
}

func TestLeaverIsGoneAfterTheGrace(t *testing.T) {
	pair(t, func(t *testing.T, _ *membroker.Network, a, b *station) {
		b.send(1)
		b.broker.Leave(t.Context())
		b.send(2)
		b.close(t)
		synctest.Wait()
		if p := a.broker.Peers(); !p[0].Leaving || !slices.Equal(a.see().counts(), []uint64{1}) {
			t.Errorf("a got %v and has %+v, want one message and a peer that leaves", a.see().counts(), p[0])
		}
		pass(grace - interval)
		if a.see().left != 0 {
			t.Error("the leaver is gone before the grace is over")
		}
		pass(2 * interval)
		if a.see().left != 1 {
			t.Error("the leaver is there after the grace")
		}
	})
}

// TestLeaverThatStays does not join again by what it still says.
func TestLeaverThatStays(t *testing.T) {
	pair(t, func(t *testing.T, _ *membroker.Network, a, b *station) {
		b.broker.Leave(t.Context())
		pass(3 * (lease + grace))
		if a.see().left != 1 || a.see().joined != 1 || b.see().left != 0 {
			t.Errorf("a heard b leave %d times and join %d times, and b a leave %d times; want 1, 1, 0", a.see().left, a.see().joined, b.see().left)
		}
	})
}

// TestLeaveDoesNotWaitForever: not for a peer that does not take what is for
// it, and not longer than ctx.
func TestLeaveDoesNotWaitForever(t *testing.T) {
	pair(t, func(t *testing.T, n *membroker.Network, a, b *station) {
		b.suspend()
		for range 2000 {
			a.see().link.Send(&broker.Message{Kind: broker.Event, Text: make([]byte, 1000)})
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		a.broker.Leave(ctx)
		if ctx.Err() == nil {
			t.Error("Leave returned before its messages had left, or ctx ended")
		}
		a.close(t)
		b.resume()
		pass(grace + interval)
		if b.see().left != 1 {
			t.Error("the node that left in a hurry is not gone after the grace")
		}
	})
}

func TestLostTailComesAgain(t *testing.T) {
	pair(t, func(t *testing.T, n *membroker.Network, a, b *station) {
		a.send(1)
		synctest.Wait()
		n.Drop("a", "b", 1)
		a.send(2)
		pass(interval)
		a.send(3)
		synctest.Wait()
		if want := []heard{{count: 1}, {count: 2}, {count: 3}}; !slices.Equal(b.see().heard, want) {
			t.Errorf("b heard %v, want %v", b.see().heard, want)
		}
	})
}

// numbers are those from one to another.
func numbers(from, to uint64) (list []uint64) {
	for n := from; n <= to; n++ {
		list = append(list, n)
	}
	return list
}

// TestCutsShorterThanTheLeaseLoseNothing: 500 messages a second arrive, in
// order, whether one way is cut or both are, and also if the first ones that
// are sent again are lost.
func TestCutsShorterThanTheLeaseLoseNothing(t *testing.T) {
	for cut := interval / 2; cut < lease; cut += interval / 2 {
		pair(t, func(t *testing.T, n *membroker.Network, a, b *station) {
			sent := uint64(0)
			stream := func(d time.Duration) {
				for range d / (2 * time.Millisecond) {
					sent++
					a.send(sent)
					b.send(sent)
					pass(2 * time.Millisecond)
				}
			}
			stream(interval)
			n.Cut("a", "b")
			stream(cut)
			n.Heal("a", "b")
			n.Drop("a", "b", 3)
			stream(2 * interval)
			pass(2 * interval)
			for _, s := range []*station{a, b} {
				if see := s.see(); !slices.Equal(see.counts(), numbers(1, sent)) || see.lost > 0 || see.left > 0 {
					t.Errorf("after a cut of %v %s has %d of %d messages, %d losses, and heard %d leave", cut, s.name, len(see.counts()), sent, see.lost, see.left)
				}
				if p := s.broker.Peers()[0]; p.PendingBytes > 0 || p.DroppedMessages > 0 {
					t.Errorf("in the end %s keeps %d bytes, and has dropped %d messages; want none", s.name, p.PendingBytes, p.DroppedMessages)
				}
			}
		})
	}
}

// TestWhatFindsNoRoomInACutIsLostInItsPlace: what was sent before arrives, and
// the receiver hears of the loss before what was sent later.
func TestWhatFindsNoRoomInACutIsLostInItsPlace(t *testing.T) {
	pair(t, func(t *testing.T, n *membroker.Network, a, b *station) {
		n.Cut("a", "b")
		const size, sent = 10_000, 300 // of which 1 MiB has room for a third
		for i := range uint64(sent) {
			a.see().link.Send(&broker.Message{Kind: broker.Subscribers, Count: i + 1, Name: string(make([]byte, size))})
			synctest.Wait()
		}
		p := a.broker.Peers()[0]
		if p.DroppedMessages == 0 || p.PendingBytes > 1<<20 {
			t.Fatalf("in a cut %d messages were dropped, and %d bytes are kept; want some, and 1 MiB at most", p.DroppedMessages, p.PendingBytes)
		}
		n.Heal("a", "b")
		pass(2 * interval)
		a.send(sent + 1)
		synctest.Wait()
		kept := sent - p.DroppedMessages
		want := append(numbers(1, kept), sent+1)
		if see := b.see(); !slices.Equal(see.counts(), want) || see.lost != 1 || !see.heard[kept].lost {
			t.Errorf("b has %d messages and %d losses, want %d, one loss, and the last message", len(see.counts()), see.lost, kept)
		}
	})
}

// TestSlowReceiverIsNotDead: neither is it silent, nor are the others, to
// whom it does not listen.
func TestSlowReceiverIsNotDead(t *testing.T) {
	pair(t, func(t *testing.T, _ *membroker.Network, a, b *station) {
		b.suspend()
		a.send(1)
		pass(10 * (lease + grace))
		if a.see().left != 0 || a.broker.Peers()[0].Suspect {
			t.Error("a node whose receiver takes long counts as silent")
		}
		b.resume()
		pass(interval)
		if b.see().left != 0 || b.broker.Peers()[0].Suspect || b.see().lost != 0 {
			t.Errorf("after its receiver took long, a node heard %d leave and %d losses; want none", b.see().left, b.see().lost)
		}
	})
}

func TestConfirmationsHaveATimeout(t *testing.T) {
	pair(t, func(t *testing.T, n *membroker.Network, a, b *station) {
		n.Cut("a", "b")
		begin := time.Now()
		confirm := func() time.Duration {
			called := make(chan struct{})
			a.see().link.Sync(func() { close(called) })
			<-called
			return time.Since(begin)
		}
		a.send(1)
		if d := confirm(); d != broker.SyncTimeout {
			t.Errorf("without a confirmation, called after %v, want %v", d, broker.SyncTimeout)
		}
		a.send(2)
		if d := confirm(); d != broker.SyncTimeout {
			t.Errorf("while a confirmation is overdue, called after another %v, want at once", d-broker.SyncTimeout)
		}
		n.Heal("a", "b")
		pass(interval)
		begin = time.Now()
		b.suspend()
		a.send(3)
		if d := confirm(); d != broker.SyncTimeout {
			t.Errorf("when the peer was heard again, called after %v, want to wait again", d)
		}
		b.resume()
	})
}

func TestConfirmationsEndWithSuspicion(t *testing.T) {
	pair(t, func(t *testing.T, n *membroker.Network, a, b *station) {
		n.Cut("a", "b")
		pass(lease - interval/10)
		a.send(1)
		var called atomic.Int64
		a.see().link.Sync(func() { called.Add(1) })
		pass(interval)
		a.send(2)
		a.see().link.Sync(func() { called.Add(1) })
		if got := called.Load(); got != 2 {
			t.Errorf("%d confirmations were called, want both: the peer is suspect", got)
		}
	})
}
