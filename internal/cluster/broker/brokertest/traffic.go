package brokertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/cluster/broker"
	"github.com/belfryhq/belfry/protocol"
)

func sample() *broker.Message {
	text := []byte(`{"event":"e","channel":"cache-c","data":"d"}`)
	id, _ := protocol.ParseSocketID("45481.3166671")
	return &broker.Message{
		Kind: broker.Cached, On: true, App: "app", Name: "cache-c",
		Text: text, Data: text[len(text)-4 : len(text)-1], Except: id, Number: 1 << 40, Stamp: 1 << 50, TTL: 1800_000,
	}
}

func numbers(from, n int) []uint64 {
	some := make([]uint64, n)
	for i := range some {
		some[i] = uint64(from + i)
	}
	return some
}

func testOrder(r *rig) {
	const n = 5000
	peers := r.joinAll("a", "b", "c")
	var sending sync.WaitGroup
	for _, from := range peers {
		for _, to := range peers {
			if to != from {
				sending.Go(func() { from.number(to.name, 1, n) })
			}
		}
	}
	sending.Wait()
	for _, from := range peers {
		for _, to := range peers {
			if to == from {
				continue
			}
			to.awaitNumber(from.name, n)
			if h := to.of(from.name); !slices.Equal(h.counts, numbers(1, n)) || h.lost > 0 {
				r.Errorf("%s got %d messages of %s and %d losses, want %d in order and none", to.name, len(h.counts), from.name, h.lost, n)
			}
		}
	}
}

func testOrderOfManySenders(r *rig) {
	const senders, n = 8, 1000
	peers := r.joinAll("a", "b")
	l := peers[0].awaitLink("b")
	var sending sync.WaitGroup
	for s := range senders {
		sending.Go(func() {
			for i := range n {
				l.Send(&broker.Message{Kind: broker.Subscribers, App: "app", Name: fmt.Sprint(s), Count: uint64(i)})
			}
		})
	}
	sending.Wait()
	r.eventually("all have come", func() bool { return len(peers[1].of("a").got) == senders*n })
	next := map[string]uint64{}
	for _, m := range peers[1].of("a").got {
		if m.Count != next[m.Name] {
			r.Fatalf("sender %s: got number %d, want %d", m.Name, m.Count, next[m.Name])
		}
		next[m.Name]++
	}
}

func testFieldsArrive(r *rig) {
	peers := r.joinAll("a", "b")
	l := peers[0].awaitLink("b")
	want := []broker.Message{
		*sample(),
		{Kind: broker.Event, App: "app", Name: "c", Text: []byte("{}")},
		{Kind: broker.Member, On: true, App: "app", Name: "presence-c", User: "u", Info: []byte("{}")},
		{Kind: broker.Load, App: "app", Count: 1, Used: [apps.Rates]uint64{2, 3}},
		{Kind: broker.Relay, On: true, Name: "d", Count: 3, Text: []byte("bytes")},
		{Kind: broker.Resync},
	}
	for _, m := range want {
		m.Text = slices.Clone(m.Text)
		l.Send(&m)
		clear(m.Text) // the link does not keep it
		m = broker.Message{}
	}
	r.eventually("all have come", func() bool { return len(peers[1].of("a").got) == len(want) })
	got := peers[1].of("a").got
	ids := cmp.Comparer(func(a, b protocol.SocketID) bool { return a == b })
	if diff := cmp.Diff(want, got, ids); diff != "" {
		r.Errorf("messages differ (-want +got):\n%s", diff)
	}
}

// testFullOutbox: a receiver that takes long makes messages pile up and get
// lost. Nobody waits for it, others do not notice, and it is told.
func testFullOutbox(r *rig) {
	peers := r.joinAll("a", "b", "c")
	a, b, c := peers[0], peers[1], peers[2]
	b.suspend()
	m := broker.Message{Kind: broker.Event, App: "app", Name: "c", Text: make([]byte, 1000)}
	l, n := a.awaitLink("b"), 4*r.network.MaxPending()/1000
	for range n {
		l.Send(&m)
	}
	a.number("c", 1, 100)
	c.awaitNumber("a", 100)
	b.resume()
	r.eventually("the loss is known", func() bool { return b.of("a").lost > 0 })
	// There may have been several, and what waits behind the first be many.
	if err := l.Room(r.context()); err != nil {
		r.Fatal(err)
	}
	a.number("b", 1, 10)
	b.awaitNumber("a", 10)
	if got := len(b.of("a").got); got == 0 || got >= n {
		r.Errorf("b got %d of %d messages, want some and not all", got, n)
	}
	if h := c.of("a"); h.lost > 0 || len(h.left) > 0 {
		r.Errorf("c heard of a: lost %d times, left %d times; want 0, 0", h.lost, len(h.left))
	}
}

func testSizes(r *rig) {
	peers := r.joinAll("a", "b")
	a, b := peers[0], peers[1]
	l := a.awaitLink("b")
	size := min(r.network.MaxMessage(), r.network.MaxPending()) / 2
	for _, n := range []int{0, 1, size, 10, size, size, 10} {
		if err := l.Room(r.context()); err != nil {
			r.Fatal(err)
		}
		l.Send(&broker.Message{Kind: broker.Event, App: "app", Name: "c", Text: bytes.Repeat([]byte("x"), n)})
	}
	r.eventually("messages of all sizes have come", func() bool { return len(b.of("a").got) == 7 })
	if h := b.of("a"); h.lost > 0 || string(h.got[5].Text) != fmt.Sprint("long, ", size) {
		r.Errorf("the sixth is %q with %d losses, want %d bytes and no loss", h.got[5].Text, h.lost, size)
	}
	l.Send(&broker.Message{Kind: broker.Event, App: "app", Name: "c", Text: make([]byte, r.network.MaxMessage())})
	a.number("b", 1, 1)
	b.awaitNumber("a", 1)
	if h := b.of("a"); h.lost == 0 || len(h.got) != 8 {
		r.Errorf("got %d messages and %d losses, want 8 and one: a message was too large", len(h.got), h.lost)
	}
}

// fill sends to a peer that does not receive until there is no room.
func fill(r *rig, l broker.Link) {
	m := broker.Message{Kind: broker.Event, App: "app", Name: "c", Text: make([]byte, 1000)}
	for range r.network.MaxPending() / 1000 {
		l.Send(&m)
	}
}

func testRoom(r *rig) {
	peers := r.joinAll("a", "b")
	a, b := peers[0], peers[1]
	l := a.awaitLink("b")
	if err := l.Room(r.context()); err != nil {
		r.Fatalf("Room of an idle link: %v", err)
	}
	b.suspend()
	fill(r, l)
	ctx, cancel := context.WithCancelCause(r.context())
	stop := errors.New("enough")
	waits := make(chan error, 1)
	go func() { waits <- l.Room(ctx) }()
	cancel(stop)
	if err := <-waits; !errors.Is(err, stop) {
		r.Errorf("Room until ctx ends = %v, want its cause", err)
	}
	go func() { waits <- l.Room(r.context()) }()
	b.resume()
	if err := <-waits; err != nil {
		r.Errorf("Room when there is some again = %v", err)
	}
}

func testRoomEnds(r *rig) {
	peers := r.joinAll("a", "b")
	a, b := peers[0], peers[1]
	l := a.awaitLink("b")
	b.suspend()
	fill(r, l)
	r.network.Cut(r, "a", "b")
	b.resume()
	if err := l.Room(r.context()); err == nil {
		r.eventually("there is room because all has come", func() bool { return len(b.of("a").got) > 0 })
	}
	r.eventually("b is gone", func() bool { return len(a.of("b").left) == 1 })
	if err := l.Room(r.context()); err == nil {
		r.Error("Room of a link that is dead is no error")
	}
}

func testSync(r *rig) {
	const n = 200
	peers := r.joinAll("a", "b")
	a, b := peers[0], peers[1]
	l := a.awaitLink("b")
	short := 0
	for i := range n {
		start, done := time.Now(), make(chan int)
		a.number("b", i+1, 1)
		l.Sync(func() { go func() { done <- len(b.of("a").counts) }() })
		got := <-done
		// After the timeout nothing is promised.
		if waited := time.Since(start); waited < broker.SyncTimeout {
			short++
			if got <= i {
				r.Errorf("confirmed when b had %d messages, want %d", got, i+1)
			}
		}
		if i%10 == 0 {
			b.awaitNumber("a", i+1)
		}
	}
	if short == 0 {
		r.Errorf("none of %d confirmations came before its timeout", n)
	}
	b.awaitNumber("a", n)
	idle := make(chan struct{})
	l.Sync(func() { close(idle) })
	<-idle
}

// testSyncEnds: confirmations are not waited for when they can not come.
func testSyncEnds(r *rig) {
	peers := r.joinAll("a", "b")
	a := peers[0]
	l := a.awaitLink("b")
	r.network.Cut(r, "a", "b")
	var called atomic.Int64
	for i := range 10 {
		a.number("b", i, 1)
		l.Sync(func() { called.Add(1) })
	}
	r.eventually("all are confirmed", func() bool { return called.Load() == 10 })
	r.eventually("b is gone", func() bool { return len(a.of("b").left) == 1 })
	l.Sync(func() { called.Add(1) })
	if n := called.Load(); n != 11 {
		r.Errorf("%d confirmations were called, want 11, the last one at once", n)
	}
}

func testNoCallsAfterClose(r *rig) {
	peers := r.joinAll("a", "b")
	a, b := peers[0], peers[1]
	a.number("b", 1, 1000)
	b.close() // from here on b fails the test when it is called
	a.number("b", 1001, 1000)
	r.eventually("b is gone", func() bool { return len(a.of("b").left) == 1 })
}

func testLinksDie(r *rig) {
	peers := r.joinAll("a", "b")
	a := peers[0]
	l := a.awaitLink("b")
	a.close()
	l.Send(sample())
	done := make(chan struct{})
	l.Sync(func() { close(done) })
	<-done
	if err := l.Room(r.context()); err == nil {
		r.Error("Room of a node that is closed is no error")
	}
}
