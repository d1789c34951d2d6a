package webhook

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/webhook/queue"
	"github.com/belfryhq/belfry/internal/webhook/queue/queuetest"
)

// eventIDs are the ids of the events of all requests, in order.
func (r *receiver) eventIDs() []string {
	var list []string
	for _, d := range r.all() {
		list = append(list, d.ids...)
	}
	return list
}

func ids(from, to int) (list []string) {
	for i := from; i <= to; i++ {
		list = append(list, fmt.Sprint("L-", i))
	}
	return list
}

// What a node has queued is delivered by whoever takes it over, and by nobody
// else. What it had queued before it died is not queued again.
func testQueueOfADeadNode(t *testing.T) {
	e := openEngine(t, "")
	a, rosterA, inA := member(t, e, nodeA, always(500))
	const own = 300
	for i := range own {
		a.Observe(a.cfg.Apps.ByID("1"), clientEvent("private-a", fmt.Sprint(i)))
	}
	for i := range uint64(4) {
		a.Decide(decision(i+1, "news", nodeA))
	}
	until(t, "all is queued", func() bool { return a.recorder.pending() == 0 && rosterA.through() == 4 })
	inA.await(1)
	stop(t, a)

	y := newTally(t, own)
	b, rosterB, inB := member(t, e, nodeB, func(_ int, d arrival) int {
		if d.events[0].Channel == "private-a" {
			y.take(d)
		}
		return 200
	})
	b.Observe(b.cfg.Apps.ByID("1"), clientEvent("private-b", "0"))
	inB.await(1)
	if got := len(inB.events()); got != 1 {
		t.Errorf("%d events came before the queue was taken over, want one", got)
	}
	b.TakeOver(nodeA)
	for i := range uint64(7) {
		b.Decide(decision(i+1, "news", nodeA))
	}
	y.await()
	until(t, "the decisions are told", func() bool { return rosterB.through() == 7 })
	until(t, "the queue is empty", func() bool {
		left, err := b.store.Queue.Owners(t.Context())
		return err == nil && len(left) == 0
	})
	if y.repeats != 0 {
		t.Errorf("%d events came twice", y.repeats)
	}
	got := slices.DeleteFunc(inB.eventIDs(), func(id string) bool { return !strings.HasPrefix(id, "L-") })
	if want := ids(1, 7); !slices.Equal(got, want) {
		t.Errorf("decisions came as %q, want %q", got, want)
	}
}

// Whoever takes over the queue of a node takes over those that it had taken
// over.
func TestSuccessorOfASuccessor(t *testing.T) {
	e := openEngine(t, "")
	for i, id := range []node.ID{nodeA, nodeB} {
		s, r, in := member(t, e, id, always(500))
		if id == nodeB {
			s.TakeOver(nodeA)
		}
		s.Decide(decision(uint64(i+1), "news", id))
		until(t, "it is queued", func() bool { return r.through() == uint64(i+1) })
		in.await(1)
		stop(t, s)
	}
	c, r, in := member(t, e, nodeC, nil)
	c.TakeOver(nodeB)
	for i := range uint64(3) {
		c.Decide(decision(i+1, "news", nodeB))
	}
	until(t, "all is told", func() bool { return r.through() == 3 })
	in.await(3)
	if got, want := in.eventIDs(), ids(1, 3); !slices.Equal(got, want) {
		t.Errorf("decisions came as %q, want %q", got, want)
	}
	until(t, "the queues are empty", func() bool {
		left, err := c.store.Queue.Owners(t.Context())
		return err == nil && len(left) == 0
	})
	claims, err := c.store.Claims.All(t.Context())
	if err != nil || len(claims) != 2 || claims[queue.Owner(nodeA)].By != queue.Owner(nodeC) {
		t.Errorf("claims are %v (%v), want C of A and B", claims, err)
	}
	for of, by := range claims {
		if err := c.store.Claims.Forget(t.Context(), of, by); err != nil {
			t.Error(err)
		}
	}
	if claims, err := c.store.Claims.All(t.Context()); err != nil || len(claims) != 0 {
		t.Errorf("claims are %v (%v), want none any more", claims, err)
	}
	if err := c.store.Claims.Claim(t.Context(), queue.Owner(nodeA), queue.Owner(nodeB), 0); err != nil {
		t.Errorf("a claim of a queue that was forgotten = %v", err)
	}
}

// Only one of two takes a queue over.
func TestTwoSuccessors(t *testing.T) {
	e := openEngine(t, "")
	a, _, _ := member(t, e, nodeA, nil)
	if err := a.store.Claims.Claim(t.Context(), "%", queue.Owner(nodeA), 0); err != nil {
		t.Fatal(err)
	}
	for _, revision := range []uint64{0, 99} {
		if err := a.store.Claims.Claim(t.Context(), "%", queue.Owner(nodeB), revision); err != queue.ErrTaken {
			t.Errorf("the second claim after %d = %v, want %v", revision, err, queue.ErrTaken)
		}
	}
	claims, err := a.store.Claims.All(t.Context())
	if err != nil || claims["%"].By != queue.Owner(nodeA) {
		t.Fatalf("claims are %v (%v), want A", claims, err)
	}
	if err := a.store.Claims.Claim(t.Context(), "%", queue.Owner(nodeB), claims["%"].Revision); err != nil {
		t.Errorf("the claim after the first = %v", err)
	}
}

// What an earlier, lonely life of the node has left comes too.
func TestNodeThatJoinsACluster(t *testing.T) {
	for _, name := range []string{"", "old.name"} {
		e := openEngine(t, "")
		down := receive(t, always(500))
		alone := start(t, Config{Apps: registry(t, newApp("1", hookTo(down.url))), Engine: e, Node: name})
		alone.Observe(alone.cfg.Apps.ByID("1"), clientEvent("private-a", "left"))
		down.await(1)
		stop(t, alone)
		up := receive(t, nil)
		start(t, Config{Apps: registry(t, newApp("1", hookTo(up.url))), Engine: e, Node: name, Clustered: true, Roster: &scripted{id: nodeA}})
		up.await(1)
	}
}

// An endpoint hears what a dead node left before what others have added to it
// since, as far as it has not begun with that.
func TestOrderAcrossQueues(t *testing.T) {
	onMember(t, Config{}, func(b *bench, r *scripted) {
		var up atomic.Bool
		in := b.receiver("a", func(int, arrival) int {
			if up.Load() {
				return 200
			}
			return 500
		})
		order := uint64(0)
		decide := func(number uint64, of node.ID) {
			d := decision(number, "news", of)
			order++
			d.Order = order
			b.Decide(d)
		}
		b.leave(nodeB, decision(1, "news", nodeB), decision(2, "news", nodeB))
		decide(4, nodeA)
		decide(5, nodeA) // waits for that
		synctest.Wait()
		b.TakeOver(nodeB)
		decide(2, nodeB) // is there
		decide(3, nodeB)
		synctest.Wait()
		decide(1, nodeB) // likewise, and that is known now
		if r.through() != order {
			b.Errorf("told through %d, want %d", r.through(), order)
		}
		pass(10 * time.Second)
		n := len(in.all())
		up.Store(true)
		pass(time.Minute)
		var got []string
		for _, d := range in.all()[n:] {
			got = append(got, d.ids...)
		}
		if want := []string{"L-4", "L-1", "L-2", "L-5", "L-3"}; !slices.Equal(got, want) {
			b.Errorf("decisions came as %q, want %q", got, want)
		}
	})
}

// Also of more than what comes into memory at once.
func TestOrderAcrossLongQueues(t *testing.T) {
	onMember(t, Config{}, func(b *bench, _ *scripted) {
		const events = 60
		y := newTally(b.T, events)
		b.receiver("a", func(_ int, d arrival) int { y.take(d); return 200 })
		b.memory.SetClaim(queue.Owner(nodeC), queue.Claim{By: queue.Owner(nodeB), Revision: 1})
		for i := range events {
			n := clientEvent("private-a", fmt.Sprint(i))
			n.Event = "client-" + strings.Repeat("x", 200_000)
			e := newEvent(n, time.Now())
			e.ID = queue.EventID{Origin: "left", Number: uint64(i)}
			of := []queue.Owner{queue.Owner(nodeB), queue.Owner(nodeC)}[i/3%2]
			if _, err := b.memory.Publish(of, queue.Address{App: "1", Endpoint: "main"}, &queue.Record{ID: fmt.Sprint(i), Events: []queue.Event{e}, Bytes: e.Size()}); err != nil {
				b.Fatal(err)
			}
		}
		b.TakeOver(nodeB)
		pass(time.Minute)
		if y.missing != 0 || y.repeats != 0 {
			b.Errorf("%d events are missing and %d came twice", y.missing, y.repeats)
		}
	})
}

// What came into the queue of a dead node after its successor had looked is found.
func TestLateRecordsOfADeadNode(t *testing.T) {
	onMember(t, Config{}, func(b *bench, _ *scripted) {
		r := b.receiver("a", nil)
		b.leave(nodeB, decision(1, "news", nodeB))
		b.TakeOver(nodeB)
		synctest.Wait()
		b.leave(nodeB, decision(3, "late", nodeB))
		b.want(r, "channel_occupied news")
		pass(lookEvery + time.Second)
		b.want(r, "channel_occupied news", "channel_occupied late")
		pass(3 * lookEvery)
		if records, _ := b.memory.Left(); records != 0 || len(b.memory.Claims()) != 0 {
			b.Errorf("%d records and claims %v are left, want none", records, b.memory.Claims())
		}
	})
}

// The queue of a node that is in no log is found, but none of a node that
// lives, or whose successor does.
func TestQueuesThatNobodyDelivers(t *testing.T) {
	const nodeD, nodeE node.ID = "DDDDDDDDDDDDDDDD", "EEEEEEEEEEEEEEEE"
	known := func(id node.ID) bool { return id == nodeA || id == nodeB }
	onMember(t, Config{Known: known}, func(b *bench, _ *scripted) {
		r := b.receiver("a", nil)
		b.memory.SetClaim(queue.Owner(nodeC), queue.Claim{By: queue.Owner(nodeB), Revision: 7})
		b.memory.SetClaim(queue.Owner(nodeD), queue.Claim{By: queue.Owner(nodeE), Revision: 8})
		for i, id := range []node.ID{nodeB, nodeC, nodeD, nodeE} {
			b.leave(id, decision(uint64(2*i+1), "of-"+string(id[:1]), id))
		}
		pass(lookEvery / 2)
		b.want(r)
		pass(2 * lookEvery)
		got := r.events()
		slices.Sort(got)
		if want := []string{"channel_occupied of-D", "channel_occupied of-E"}; !slices.Equal(got, want) {
			b.Errorf("events = %q, want %q", got, want)
		}
	})
}

// While a takeover does not succeed nothing is told, and a stop leaves it to
// others.
func TestStopDuringATakeover(t *testing.T) {
	onMember(t, Config{}, func(b *bench, r *scripted) {
		in := b.receiver("a", nil)
		b.leave(nodeB, decision(1, "news", nodeB))
		b.memory.Break(queuetest.ErrDown)
		b.TakeOver(nodeB)
		b.Decide(decision(1, "news", nodeB))
		b.Observe(b.app, clientEvent("private-a", "x"))
		pass(time.Minute)
		b.want(in)
		stop(b.T, b.Sender)
		b.TakeOver(nodeC)
		b.Decide(decision(3, "other", nodeB))
		if r.through() != 0 {
			b.Errorf("decisions are told through %d, want none", r.through())
		}
		if b.memory.Had(queue.Address{App: "1", Endpoint: "main"}, queue.EventID{Origin: "L", Number: 3}) {
			b.Error("a decision was queued after the stop")
		}
	})
}

// A node that ends while the engine takes and removes nothing, since the other
// nodes end too, does not wait for it in vain: nothing of its own is lost.
func TestStopWithoutAnEngine(t *testing.T) {
	onMember(t, Config{}, func(b *bench, r *scripted) {
		in := b.receiver("a", nil)
		b.memory.Break(queuetest.ErrDown)
		b.Decide(decision(1, "news", nodeA))
		b.want(in, "channel_occupied news")
		b.memory.Refuse(queuetest.ErrDown)
		b.Decide(decision(3, "other", nodeA))
		pass(time.Second)
		r.suspend(true)
		b.Decide(decision(5, "other", nodeA))
		begin := time.Now()
		stop(b.T, b.Sender)
		if took := time.Since(begin); took > 2*stopPatience {
			b.Errorf("the stop took %v of that clock, want about %v", took, stopPatience)
		}
		if r.through() != 1 {
			b.Errorf("told through %d, want 1", r.through())
		}
	})
}

// lookEvery is how often package handover looks for queues.
const lookEvery = time.Minute

func TestNewsOfDecisions(t *testing.T) {
	for _, want := range []apps.WebhookEvents{apps.ChannelOccupied, apps.ChannelVacated, apps.MemberAdded, apps.MemberRemoved} {
		d := decision(1, "presence-a", nodeA)
		d.Member, d.Gone = want >= apps.MemberAdded, want == apps.ChannelVacated || want == apps.MemberRemoved
		if got := newsOf(d).Kind; got != want {
			t.Errorf("newsOf(%+v) = %v, want %v", d, got, want)
		}
	}
}
