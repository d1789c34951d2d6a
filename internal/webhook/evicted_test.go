package webhook

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/cluster/roster"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/webhook/delivery"
	"github.com/belfryhq/belfry/internal/webhook/queue"
	"github.com/belfryhq/belfry/internal/webhook/queue/queuetest"
)

// A node that was given up forgets what was decided and what it had queued,
// and goes on with what it has observed itself, under its next name.
func TestNodeThatWasGivenUp(t *testing.T) {
	onMember(t, Config{}, func(b *bench, r *scripted) {
		down := b.receiver("a", always(500))
		b.Decide(decision(1, "news", nodeA))
		b.Observe(b.app, clientEvent("private-a", "queued"))
		pass(10 * time.Second)
		if r.through() != 1 || len(down.all()) == 0 {
			b.Fatalf("told through %d after %d requests, want 1 after some", r.through(), len(down.all()))
		}
		b.memory.Refuse(queuetest.ErrDown)
		b.Decide(decision(2, "news", nodeA))
		b.Observe(b.app, clientEvent("private-a", "under way"))
		pass(time.Second)
		b.Observe(b.app, clientEvent("private-a", "in the outbox"))
		b.Decide(decision(3, "news", nodeA))
		pass(time.Second)

		n := len(down.all())
		r.id = nodeC
		b.Evicted(nodeC)
		b.memory.Refuse(nil)
		b.hosts.serve("a", newReceiver(b.T, nil))
		up := b.receiver("a", nil)
		pass(time.Hour)
		if got := len(down.all()); got != n {
			b.Errorf("%d requests came to the old endpoint, want none", got-n)
		}
		b.want(up, "client_event private-a client-e under way", "client_event private-a client-e in the outbox")
		if r.through() != 1 {
			b.Errorf("told through %d, want 1", r.through())
		}
		left, err := b.memory.Owners(b.Context())
		if err != nil || !slices.Equal(left, []queue.Owner{queue.Owner(nodeA)}) {
			b.Errorf("queues of %q have something (%v), want that of A for its successor", left, err)
		}
		b.Decide(decision(5, "news", nodeC))
		synctest.Wait()
		if got := up.events()[2:]; !slices.Equal(got, []string{"channel_occupied news"}) || r.through() != 5 {
			b.Errorf("afterwards %q came and it is told through %d, want the new decision", got, r.through())
		}
	})
}

// What was under way to the engine when the node was given up may arrive under
// the old name. It is not delivered from here, and told under the new one.
func TestRecordUnderWayWhileGivenUp(t *testing.T) {
	onMember(t, Config{}, func(b *bench, r *scripted) {
		up := b.receiver("a", nil)
		b.memory.LoseAnswers(1)
		b.Observe(b.app, clientEvent("private-a", "x"))
		b.Decide(decision(1, "news", nodeA))
		synctest.Wait() // it is there, and nobody here knows
		b.Evicted(nodeB)
		pass(time.Minute)
		b.want(up, "client_event private-a client-e x")
		if r.through() != 0 {
			b.Errorf("told through %d, want nothing", r.through())
		}
	})
}

// Its answer may come afterwards, and changes nothing any more.
func TestAnswerToANodeThatWasGivenUp(t *testing.T) {
	onMember(t, Config{}, func(b *bench, r *scripted) {
		up := b.receiver("a", nil)
		hold := make(chan struct{})
		b.memory.HoldAnswers(hold)
		b.Observe(b.app, clientEvent("private-a", "x"))
		synctest.Wait()
		b.Decide(decision(1, "news", nodeA))
		b.Evicted(nodeB)
		b.memory.HoldAnswers(nil)
		close(hold)
		pass(time.Minute)
		b.want(up, "client_event private-a client-e x")
		left, err := b.memory.Owners(b.Context())
		if err != nil || !slices.Equal(left, []queue.Owner{queue.Owner(nodeA)}) {
			b.Errorf("queues of %q have something (%v), want that of A for its successor", left, err)
		}
		if r.through() != 0 {
			b.Errorf("told through %d, want nothing", r.through())
		}
	})
}

// While others may have given the node up nothing is published and no attempt
// starts, not even one that is due; then all goes on.
func TestNodeThatMayHaveBeenGivenUp(t *testing.T) {
	onMember(t, Config{}, func(b *bench, r *scripted) {
		in := b.receiver("a", failFirst(1))
		b.Decide(decision(1, "first", nodeA))
		synctest.Wait()
		r.suspend(true)
		b.Decide(decision(3, "news", nodeA))
		b.Observe(b.app, clientEvent("private-a", "x"))
		pass(time.Minute)
		if got := len(in.all()); got != 1 || r.through() != 1 {
			b.Errorf("%d requests came and it is told through %d, want 1 and 1", got, r.through())
		}
		if records, _ := b.memory.Left(); records != 1 {
			b.Errorf("%d records are queued, want the one from before", records)
		}
		r.suspend(false)
		pass(time.Second)
		got := in.events()[1:]
		slices.Sort(got)
		if want := []string{"channel_occupied first", "channel_occupied news", "client_event private-a client-e x"}; !slices.Equal(got, want) {
			b.Errorf("then %q came, want %q", got, want)
		}
		if r.through() != 3 {
			b.Errorf("told through %d, want 3", r.through())
		}
	})
}

// An event is not given up while others may do so.
func TestNothingIsGivenUpMeanwhile(t *testing.T) {
	onMember(t, Config{}, func(b *bench, r *scripted) {
		b.receiver("a", always(500))
		b.Decide(decision(1, "news", nodeA))
		pass(time.Minute)
		r.suspend(true)
		pass(time.Hour)
		if _, letters := b.memory.Left(); letters != 0 {
			b.Errorf("%d letters, want none", letters)
		}
		r.suspend(false)
		pass(time.Minute)
		if _, letters := b.memory.Left(); letters != 1 {
			b.Errorf("%d letters, want one", letters)
		}
	})
}

// A subject is told to the roster while somebody wants to know, and in any
// case when it ends.
func TestWhatTheRosterHears(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hook := func(e apps.WebhookEvents) *apps.App {
			return newApp("1", apps.Webhook{ID: "main", URL: "http://a", Events: e, ChannelPrefixes: []string{"presence-"}})
		}
		silent, channels, both := newApp("1"), hook(apps.ChannelStates), hook(everything)
		reg := registry(t, silent)
		r := &scripted{id: nodeA}
		holds := func(app string, each func(roster.Subject)) {
			each(roster.Subject{App: app, Channel: "news"})
			each(roster.Subject{App: app, Channel: "presence-a"})
			each(roster.Subject{App: app, Channel: "presence-a", User: "7", Member: true})
		}
		s := start(t, Config{Apps: reg, Roster: r, Holdings: holds, Store: queuetest.New().Store(), Delivery: delivery.Policy{Transport: &roundTrip{}}})
		tell := func(kinds ...apps.WebhookEvents) {
			for _, k := range kinds {
				n := hub.News{Kind: k, Channel: "presence-a"}
				if k == apps.MemberAdded || k == apps.MemberRemoved {
					n.UserID = "7"
				}
				s.Observe(silent, n) // the hub does not know better yet
			}
		}
		put := func(app *apps.App) {
			t.Helper()
			if err := reg.Put(app); err != nil {
				t.Fatal(err)
			}
		}
		want := func(sets ...string) {
			t.Helper()
			r.mu.Lock()
			defer r.mu.Unlock()
			if !slices.Equal(r.sets, sets) {
				t.Errorf("the roster heard %q, want %q", r.sets, sets)
			}
			r.sets = nil
		}
		tell(apps.ChannelOccupied, apps.MemberAdded, apps.MemberRemoved, apps.ChannelVacated)
		want()
		put(channels)
		want("1 presence-a present=true quiet=true")
		tell(apps.ChannelOccupied, apps.MemberAdded)
		want("1 presence-a present=true quiet=false")
		put(both)
		want("1 presence-a7 present=true quiet=true")
		put(silent)
		want()
		tell(apps.MemberRemoved, apps.ChannelVacated, apps.ChannelOccupied)
		want("1 presence-a7 present=false quiet=false", "1 presence-a present=false quiet=false")
		put(both)
		want("1 presence-a present=true quiet=true", "1 presence-a7 present=true quiet=true")
		if err := reg.Remove("1"); err != nil {
			t.Fatal(err)
		}
		tell(apps.ChannelVacated)
		want("1 presence-a present=false quiet=false")
	})
}

// A stakes is what TestToldIsSafe does, and checks.
type stakes struct {
	*bench
	roster *scripted

	mu    sync.Mutex
	open  []roster.Decision // since the node was given up last
	order uint64
	errs  []error
}

// told checks that everything up to a number is in the queues of all that want
// it. It is called by the sender.
func (s *stakes) told(through uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.open {
		if d.Order > through {
			continue
		}
		for _, name := range []string{"one", "two"} {
			had := s.memory.Had(queue.Address{App: "1", Endpoint: name}, queue.EventID{Origin: d.ID.Log, Number: d.ID.Number})
			if strings.Contains(d.Channel, name) && !had {
				s.errs = append(s.errs, fmt.Errorf("told through %d, but %s does not have %v", through, name, d.ID))
			}
		}
	}
}

func (s *stakes) decide(number uint64, channel string) {
	d := decision(number, channel, nodeA)
	s.mu.Lock()
	s.order++
	d.Order = s.order
	s.open = append(s.open, d)
	s.mu.Unlock()
	s.Decide(d)
}

// evict gives the node up. All it has decided is somebody else's.
func (s *stakes) evict(next node.ID) {
	s.Evicted(next)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = nil
}

// Told never says more than what the engine has acknowledged, whatever the
// engine does, and says everything in the end.
func TestToldIsSafe(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		steps := rapid.SliceOfN(rapid.IntRange(0, 11), 1, 60).Draw(rt, "steps")
		var errs []error
		synctest.Test(t, func(t *testing.T) { errs = playStakes(t, steps) })
		if err := errors.Join(errs...); err != nil {
			rt.Fatal(err)
		}
	})
}

// playStakes does the steps, and returns what was wrong.
func playStakes(t *testing.T, steps []int) []error {
	hooks := []apps.Webhook{
		{ID: "one", URL: "http://a", Events: everything, ChannelPrefixes: []string{"one", "both-one"}},
		{ID: "two", URL: "http://b", Events: everything, ChannelSuffixes: []string{"two"}},
	}
	app := newApp("1", hooks...)
	s := &stakes{roster: &scripted{id: nodeA}}
	s.roster.onTold = s.told
	b := &bench{T: t, memory: queuetest.New(), app: app, registry: registry(t, app), hosts: &roundTrip{}}
	s.bench = b
	b.receiver("a", nil)
	b.receiver("b", nil)
	b.Sender = start(t, Config{Apps: b.registry, Roster: s.roster, Clustered: true, Store: b.memory.Store(), Delivery: delivery.Policy{Transport: b.hosts}})
	channels := []string{"one", "two", "both-one-two", "nobody"}
	number := uint64(10)
	for i, step := range steps {
		switch step {
		case 0, 1, 2, 3:
			number += 2
			s.decide(number, channels[step])
		case 4: // of somebody who is gone, from before
			s.decide(number-1, channels[i%4])
			number += 2
		case 5:
			b.Observe(app, clientEvent("one", "x"))
		case 6:
			b.memory.Refuse(queuetest.ErrDown)
		case 7:
			b.memory.Refuse(nil)
		case 8:
			b.memory.LoseAnswers(2)
		case 9:
			pass(publishAgain)
		case 10:
			s.roster.suspend(s.roster.Current())
		case 11:
			s.evict(node.NewID())
		}
	}
	b.memory.Refuse(nil)
	s.roster.suspend(false)
	number += 2
	s.decide(number, "both-one-two")
	pass(time.Minute)
	if got := s.roster.through(); got != s.order {
		s.errs = append(s.errs, fmt.Errorf("told through %d in the end, want %d", got, s.order))
	}
	if n := s.decisions.Open(); n != 0 {
		s.errs = append(s.errs, fmt.Errorf("%d decisions are not told in the end", n))
	}
	stop(t, b.Sender)
	return s.errs
}
