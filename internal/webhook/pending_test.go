package webhook

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/cluster/roster"
	"github.com/belfryhq/belfry/internal/webhook/delivery"
	"github.com/belfryhq/belfry/internal/webhook/queue"
	"github.com/belfryhq/belfry/internal/webhook/queue/queuetest"
)

// What package handover does not tell anybody.
const (
	pendingTime = 2 * time.Second
	expireEvery = 100 * time.Millisecond
	maxPending  = 10_000
)

// late is a decision about the app 2, which comes later.
func late(number uint64, channel string) roster.Decision {
	d := decision(number, channel, nodeA)
	d.App = "2"
	return d
}

func (b *bench) put(app *apps.App) {
	b.Helper()
	if err := b.registry.Put(app); err != nil {
		b.Fatal(err)
	}
}

func (b *bench) wantThrough(r *scripted, through uint64) {
	b.Helper()
	synctest.Wait()
	if got := r.through(); got != through {
		b.Errorf("told through %d, want %d", got, through)
	}
}

func (b *bench) wantUnwanted(n int) {
	b.Helper()
	if got := counted(b, b.Sender, "belfry_webhook_unwanted_decisions_total"); got != n {
		b.Errorf("%d decisions were unwanted, want %d", got, n)
	}
}

// What is decided before the node hears of the app is told as soon as it does,
// and nothing is said to be safe before.
func TestDecisionsComeBeforeTheirApp(t *testing.T) {
	onMember(t, Config{}, func(b *bench, r *scripted) {
		in, other := b.receiver("b", nil), b.receiver("a", nil)
		b.Decide(decision(1, "x", nodeA))
		b.Decide(late(3, "news"))
		pass(time.Second)
		b.Decide(late(4, "news"))
		b.Decide(decision(5, "y", nodeA))
		b.want(other, "channel_occupied x", "channel_occupied y")
		b.wantThrough(r, 1)
		b.put(newApp("2", hookTo("http://b/")))
		b.want(in, "channel_occupied news", "channel_vacated news")
		b.Decide(late(7, "news"))
		b.want(in, "channel_occupied news", "channel_vacated news", "channel_occupied news")
		if got, want := in.eventIDs(), []string{"L-3", "L-4", "L-7"}; !slices.Equal(got, want) {
			t.Errorf("ids = %q, want %q", got, want)
		}
		b.wantThrough(r, 7)
		b.wantUnwanted(0)
	})
}

// An app that is known may get the webhook later. A change that does not
// bring it changes nothing.
func TestDecisionsComeBeforeTheWebhook(t *testing.T) {
	onMember(t, Config{}, func(b *bench, r *scripted) {
		in := b.receiver("b", nil)
		b.put(newApp("2"))
		b.Decide(late(1, "news"))
		narrow := hookTo("http://b/")
		narrow.ChannelPrefixes = []string{"olds"}
		b.put(newApp("2", narrow))
		b.wantThrough(r, 0)
		pass(1900 * time.Millisecond)
		b.wantThrough(r, 0)
		b.memory.Refuse(queuetest.ErrDown)
		b.put(newApp("2", hookTo("http://b/")))
		pass(time.Minute)
		b.wantThrough(r, 0) // it is in an outbox
		b.memory.Refuse(nil)
		pass(publishAgain)
		b.want(in, "channel_occupied news")
		b.wantThrough(r, 1)
	})
}

// A decision that nobody comes to want is told to nobody, after a while.
func TestDecisionThatNobodyWants(t *testing.T) {
	onMember(t, Config{}, func(b *bench, r *scripted) {
		in := b.receiver("b", nil)
		b.Decide(late(1, "news"))
		pass(pendingTime - time.Millisecond)
		b.wantThrough(r, 0)
		b.wantUnwanted(0)
		pass(expireEvery + time.Millisecond)
		b.wantThrough(r, 1)
		b.wantUnwanted(1)
		b.put(newApp("2", hookTo("http://b/")))
		b.want(in)
		if b.decisions.Open() != 0 || !b.decisions.Oldest().IsZero() {
			t.Error("something is pending after the only one was told to nobody")
		}
		b.Decide(late(3, "news"))
		b.want(in, "channel_occupied news")
	})
}

// Nothing waits on a node that is alone, nor for an endpoint that wants to know
// of beginnings only.
func TestDecisionsThatDoNotWait(t *testing.T) {
	hook := apps.Webhook{ID: "main", Events: apps.ChannelOccupied}
	for _, clustered := range []bool{false, true} {
		r := &scripted{id: nodeA}
		onBench(t, Config{Roster: r, Clustered: clustered}, hook, func(b *bench) {
			in := b.receiver("a", nil)
			order := uint64(2)
			b.Decide(decision(order, "news", nodeA))
			if !clustered {
				order = 3
				b.Decide(late(order, "news"))
			}
			b.wantThrough(r, order)
			b.Decide(decision(5, "news", nodeA))
			b.want(in, "channel_occupied news")
			b.wantThrough(r, 5)
			b.wantUnwanted(0)
		})
	}
}

// What somebody wants does not overtake what nobody wants yet.
func TestOrderInPending(t *testing.T) {
	onMember(t, Config{}, func(b *bench, r *scripted) {
		in := b.receiver("b", nil)
		hook := hookTo("http://b/")
		hook.Events = apps.MemberStates
		b.put(newApp("2", hook))
		b.Decide(late(1, "presence-a"))
		joined := late(3, "presence-a")
		joined.User, joined.Member = "7", true
		b.Decide(joined)
		b.want(in)
		pass(time.Second)
		b.Decide(late(4, "presence-a"))
		b.Decide(late(5, "presence-b"))
		pass(time.Second + expireEvery)
		b.want(in, "member_added presence-a 7")
		b.wantThrough(r, 3)
		b.put(newApp("2", hookTo("http://b/")))
		synctest.Wait()
		got := in.events()[1:]
		slices.Sort(got)
		if want := []string{"channel_occupied presence-b", "channel_vacated presence-a"}; !slices.Equal(got, want) {
			t.Errorf("then %q came, want %q", got, want)
		}
		b.wantThrough(r, 5)
		b.wantUnwanted(1)
	})
}

// What waits on a node that was given up is somebody else's.
func TestPendingOfANodeThatWasGivenUp(t *testing.T) {
	onMember(t, Config{}, func(b *bench, r *scripted) {
		in := b.receiver("b", nil)
		b.Decide(late(1, "news"))
		b.Evicted(nodeB)
		b.put(newApp("2", hookTo("http://b/")))
		pass(time.Minute)
		b.want(in)
		b.wantThrough(r, 0)
		b.Decide(late(3, "news"))
		b.want(in, "channel_occupied news")
		b.wantThrough(r, 3)
		b.wantUnwanted(0)
	})
}

// What waits on a node that stops is left to the others, and so is what is
// decided afterwards, whether anybody wants it or not.
func TestPendingOfANodeThatStops(t *testing.T) {
	onMember(t, Config{}, func(b *bench, r *scripted) {
		in := b.receiver("b", nil)
		b.Decide(decision(1, "news", nodeA))
		b.Decide(late(3, "news"))
		stop(t, b.Sender)
		b.Decide(late(4, "news"))
		b.put(newApp("2", hookTo("http://b/")))
		b.Decide(late(5, "news"))
		b.Decide(decision(7, "news", nodeA))
		pass(time.Minute)
		b.want(in)
		b.wantThrough(r, 1)
		if untold, pending := b.decisions.Open(), b.recorder.pending(); untold != 4 || pending != 0 {
			t.Errorf("%d decisions are untold and %d are in outboxes, want 4 and none", untold, pending)
		}
	})
}

// That does not depend on anything that waits.
func TestDecisionsAfterTheStop(t *testing.T) {
	onMember(t, Config{}, func(b *bench, r *scripted) {
		b.Decide(decision(1, "news", nodeA))
		stop(t, b.Sender)
		b.Decide(late(3, "news"))
		b.Decide(decision(4, "news", nodeA))
		pass(time.Minute)
		b.wantThrough(r, 1)
	})
}

// A node that is cut off does not hear of apps, so nothing waits in vain
// meanwhile.
func TestPendingOfANodeThatIsCutOff(t *testing.T) {
	onMember(t, Config{}, func(b *bench, r *scripted) {
		in := b.receiver("b", nil)
		b.Decide(late(1, "news"))
		r.suspend(true)
		pass(time.Minute)
		r.suspend(false)
		pass(pendingTime - expireEvery - time.Millisecond)
		b.wantThrough(r, 0)
		b.put(newApp("2", hookTo("http://b/")))
		pass(expireEvery)
		b.want(in, "channel_occupied news")
		b.wantThrough(r, 1)
	})
}

// When very many wait, what nobody wants does not, and what somebody wants ends
// the wait of its channel.
func TestFullPending(t *testing.T) {
	onMember(t, Config{}, func(b *bench, r *scripted) {
		in := b.receiver("b", nil)
		hook := hookTo("http://b/")
		hook.Events = apps.MemberStates
		b.put(newApp("2", hook))
		order := uint64(0)
		decide := func(channel string, member bool) {
			order++
			d := late(order, channel)
			d.Member = member
			b.Decide(d)
		}
		for i := range maxPending {
			decide(fmt.Sprint("presence-", i), false)
		}
		b.wantUnwanted(0)
		decide("presence-x", false)
		decide("presence-0", false)
		b.wantUnwanted(3) // the one that waited of presence-0 too
		decide("presence-0", true)
		decide("presence-1", false)
		b.wantUnwanted(3)
		decide("presence-1", true)
		b.wantUnwanted(5)
		synctest.Wait()
		if got := len(in.events()); got != 2 {
			t.Errorf("events = %q, want one of two channels", in.events())
		}
		b.wantThrough(r, 2)
		pass(pendingTime + expireEvery)
		b.wantThrough(r, order)
		b.wantUnwanted(maxPending + 3)
	})
}

// Whatever comes and goes: what somebody wants while it waits comes, in order
// and once; what nobody wants waits its time; and nothing is said to be safe
// before that.
func TestPendingKeepsItsPromise(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		steps := rapid.SliceOfN(rapid.IntRange(0, 9), 1, 60).Draw(rt, "steps")
		var errs []error
		synctest.Test(t, func(t *testing.T) { errs = playPending(t, steps) })
		if err := errors.Join(errs...); err != nil {
			rt.Fatal(err)
		}
	})
}

// A played is what TestPendingKeepsItsPromise has decided.
type played struct {
	order  uint64
	at     time.Time
	wanted bool // by somebody, surely before it was given up
	maybe  bool // at the moment in which it was given up
}

func playPending(t *testing.T, steps []int) (errs []error) {
	r := &scripted{id: nodeA}
	b := &bench{T: t, memory: queuetest.New(), registry: registry(t, newApp("1")), hosts: &roundTrip{}}
	in := b.receiver("a", nil)
	b.Sender = start(t, Config{Apps: b.registry, Roster: r, Clustered: true, Store: b.memory.Store(), publishEvery: -1, Delivery: delivery.Policy{Transport: b.hosts}})
	narrow := hookTo("http://a/")
	narrow.ChannelPrefixes = []string{"olds"}
	var all []*played
	wants, order := false, uint64(0)
	look := func() {
		for _, p := range all {
			switch age := time.Since(p.at); {
			case !wants:
			case age < pendingTime:
				p.wanted = true
			case age <= pendingTime+expireEvery:
				p.maybe = true
			}
		}
	}
	for _, step := range steps {
		switch step {
		case 0, 1, 2, 3:
			order++
			all = append(all, &played{order: order, at: time.Now()})
			b.Decide(decision(order, fmt.Sprint(step%2), nodeA))
		case 4:
			wants = true
			b.put(newApp("1", hookTo("http://a/")))
		case 5:
			wants = false
			b.put(newApp("1", narrow))
		case 6:
			pass(100 * time.Millisecond)
		case 7, 8:
			pass(700 * time.Millisecond)
		case 9: // the others have them now
			b.Evicted(nodeB)
			synctest.Wait()
			all = nil
		}
		synctest.Wait()
		look()
		errs = append(errs, safe(b, all, r.through())...)
	}
	pass(time.Minute)
	for _, p := range all {
		if p.wanted && !b.stored(p.order) {
			errs = append(errs, fmt.Errorf("decision %d was wanted and did not come", p.order))
		}
	}
	if len(all) > 0 && r.through() != order {
		errs = append(errs, fmt.Errorf("told through %d in the end, want %d", r.through(), order))
	}
	stop(t, b.Sender)
	return append(errs, inOrderOnce(in)...)
}

// safe checks what was said to be safe.
func safe(b *bench, all []*played, through uint64) (errs []error) {
	for _, p := range all {
		stored, age := b.stored(p.order), time.Since(p.at)
		switch {
		case stored && !p.wanted && !p.maybe:
			errs = append(errs, fmt.Errorf("decision %d came, and nobody wanted it", p.order))
		case p.order <= through && !stored && (p.wanted || age < pendingTime):
			errs = append(errs, fmt.Errorf("told through %d after %v, and %d did not come", through, age, p.order))
		}
	}
	return errs
}

// stored reports whether a decision was in the queue at any time.
func (b *bench) stored(number uint64) bool {
	return b.memory.Had(queue.Address{App: "1", Endpoint: "main"}, queue.EventID{Origin: "L", Number: number})
}

// inOrderOnce checks that decisions of each channel came in order, and once.
func inOrderOnce(in *receiver) (errs []error) {
	last := make(map[string]uint64)
	for _, d := range in.all() {
		for i, e := range d.events {
			var number uint64
			if _, err := fmt.Sscanf(d.ids[i], "L-%d", &number); err != nil {
				errs = append(errs, err)
			}
			if number <= last[e.Channel] {
				errs = append(errs, fmt.Errorf("%d of %s came after %d", number, e.Channel, last[e.Channel]))
			}
			last[e.Channel] = number
		}
	}
	return errs
}
