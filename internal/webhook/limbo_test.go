package webhook

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	dto "github.com/prometheus/client_model/go"
	"pgregory.net/rapid"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/cluster/roster"
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
	var m dto.Metric
	if err := b.metrics.unwanted.Write(&m); err != nil {
		b.Fatal(err)
	}
	if got := int(m.Counter.GetValue()); got != n {
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
		b.queue.fail(errDown)
		b.put(newApp("2", hookTo("http://b/")))
		pass(time.Minute)
		b.wantThrough(r, 0) // it is in an outbox
		b.queue.fail(nil)
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
		pass(limboTime - time.Millisecond)
		b.wantThrough(r, 0)
		b.wantUnwanted(0)
		pass(limboTick + time.Millisecond)
		b.wantThrough(r, 1)
		b.wantUnwanted(1)
		b.put(newApp("2", hookTo("http://b/")))
		b.want(in)
		if b.limbo.ticking || len(b.limbo.apps) != 0 {
			t.Error("there is something in limbo after the only one has left it")
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
func TestOrderInLimbo(t *testing.T) {
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
		pass(time.Second + limboTick)
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
func TestLimboOfANodeThatWasGivenUp(t *testing.T) {
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
func TestLimboOfANodeThatStops(t *testing.T) {
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
		if untold, pending := b.ledger.untold(), b.recorder.pending(); untold != 4 || pending != 0 {
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
func TestLimboOfANodeThatIsCutOff(t *testing.T) {
	onMember(t, Config{}, func(b *bench, r *scripted) {
		in := b.receiver("b", nil)
		b.Decide(late(1, "news"))
		r.suspend(true)
		pass(time.Minute)
		r.suspend(false)
		pass(limboTime - limboTick - time.Millisecond)
		b.wantThrough(r, 0)
		b.put(newApp("2", hookTo("http://b/")))
		pass(limboTick)
		b.want(in, "channel_occupied news")
		b.wantThrough(r, 1)
	})
}

// When very many wait, what nobody wants does not, and what somebody wants ends
// the wait of its channel.
func TestFullLimbo(t *testing.T) {
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
		for i := range maxLimbo {
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
		pass(limboTime + limboTick)
		b.wantThrough(r, order)
		b.wantUnwanted(maxLimbo + 3)
	})
}

// Whatever comes and goes: what somebody wants while it waits comes, in order
// and once; what nobody wants waits its time; and nothing is said to be safe
// before that.
func TestLimboKeepsItsPromise(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		steps := rapid.SliceOfN(rapid.IntRange(0, 9), 1, 60).Draw(rt, "steps")
		var errs []error
		synctest.Test(t, func(t *testing.T) { errs = playLimbo(t, steps) })
		if err := errors.Join(errs...); err != nil {
			rt.Fatal(err)
		}
	})
}

// A played is what TestLimboKeepsItsPromise has decided.
type played struct {
	order  uint64
	at     time.Time
	wanted bool // by somebody, surely before it was given up
	maybe  bool // at the moment in which it was given up
}

func playLimbo(t *testing.T, steps []int) (errs []error) {
	r := &scripted{id: nodeA}
	b := &bench{T: t, queue: newMemQueue(), registry: registry(t, newApp("1")), hosts: &roundTrip{}}
	in := b.receiver("a", nil)
	b.Sender = start(t, Config{Apps: b.registry, Roster: r, Clustered: true, queue: b.queue, Transport: b.hosts, publishEvery: -1})
	narrow := hookTo("http://a/")
	narrow.ChannelPrefixes = []string{"olds"}
	var all []*played
	wants, order := false, uint64(0)
	look := func() {
		for _, p := range all {
			switch age := time.Since(p.at); {
			case !wants:
			case age < limboTime:
				p.wanted = true
			case age <= limboTime+limboTick:
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
		case p.order <= through && !stored && (p.wanted || age < limboTime):
			errs = append(errs, fmt.Errorf("told through %d after %v, and %d did not come", through, age, p.order))
		}
	}
	return errs
}

// stored reports whether a decision was in the queue at any time.
func (b *bench) stored(number uint64) bool {
	b.queue.mu.Lock()
	defer b.queue.mu.Unlock()
	return b.queue.ever[eventOf{address{"1", "main"}, eventID{"L", number}}]
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
