package natsroster

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"pgregory.net/rapid"

	"github.com/belfryhq/belfry/internal/cluster/node"
)

// A writer writes the batches of one incarnation to a ledger.
type writer struct {
	l      *ledger
	id     node.ID
	number uint64
}

func (w *writer) hello(name string) *effects {
	w.number = 1
	return w.l.apply(w.l.seq+1, w.id, &batch{hello: true, number: 1, name: name, begin: foundEmpty})
}

func (w *writer) say(entries ...entry) *effects {
	w.number++
	return w.l.apply(w.l.seq+1, w.id, &batch{number: w.number, entries: entries})
}

// told returns what effects make incarnations tell, like "A+news".
func (did *effects) told() string {
	var list []string
	for _, m := range did.matters {
		s, _ := parse(m.key)
		sign := "+"
		if m.gone {
			sign = "-"
		}
		list = append(list, string(m.by[:1])+sign+s.Channel+s.User)
	}
	return strings.Join(list, " ")
}

func want(t *testing.T, did *effects, told string) {
	t.Helper()
	if did.void {
		t.Error("the batch is void")
	}
	if got := did.told(); got != told {
		t.Errorf("decisions = %q, want %q", got, told)
	}
}

func three(t *testing.T) (l *ledger, a, b, c *writer) {
	l = newLedger()
	list := []*writer{}
	for i, id := range anyIDs {
		w := &writer{l: l, id: id}
		want(t, w.hello(fmt.Sprint("node", i)), "")
		list = append(list, w)
	}
	return l, list[0], list[1], list[2]
}

var (
	news, mine = makeKey(subject("", "p")), makeKey(subject("1", "p")) // told by C, of three
	byA        = makeKey(subject("", "o"))                             // told by A, and without it by C
	add        = func(k key) entry { return entry{kind: entryAdd, key: k} }
	remove     = func(k key) entry { return entry{kind: entryRemove, key: k} }
	settle     = func(k key) entry { return entry{kind: entrySettle, key: k} }
	leave      = entry{kind: entryLeave}
)

// The one who was the last to hold a channel settles it, and before it the
// members that another one should have settled.
func TestMembersOfOthersGoBeforeTheirChannel(t *testing.T) {
	l, a, b, _ := three(t)
	want(t, a.say(add(news), add(mine)), "C+p C+p1")
	want(t, b.say(add(news)), "")
	want(t, a.say(remove(mine), remove(news)), "")
	want(t, b.say(remove(news)), "")
	want(t, a.say(settle(news)), "") // not its own
	want(t, b.say(settle(news)), "C-p1 C-p")
	want(t, a.say(settle(mine)), "")
	if len(l.pending)+len(l.absent)+len(l.subjects) > 0 {
		t.Error("something is left")
	}
}

func TestDropIsVoidIfTheOtherHasWritten(t *testing.T) {
	l, a, b, c := three(t)
	want(t, a.say(add(news), add(byA)), "C+p A+o")
	seen := l.seq
	c.say()
	a.say() // it lives
	want(t, b.say(entry{kind: entryDrop, id: a.id, seen: seen}), "")
	if l.live(a.id) == nil {
		t.Fatal("it was dropped")
	}
	did := b.say(entry{kind: entryDrop, id: a.id, seen: l.seq})
	want(t, did, "B+o C-o C-p") // what is decided now, the dead one does not tell
	if !slices.Equal(did.dropped, []node.ID{a.id}) || !slices.Equal(did.takeovers, []takeover{{b.id, a.id}}) {
		t.Errorf("dropped %q, takeovers %q", did.dropped, did.takeovers)
	}
	want(t, c.say(entry{kind: entryDrop, id: a.id, seen: l.seq}), "")
	if did := a.say(add(news)); !did.void {
		t.Error("a batch of a dropped incarnation is not void")
	}
}

// What a chain of incarnations has left comes to the last one.
func TestSuccessorsSucceedEachOther(t *testing.T) {
	l, a, b, c := three(t)
	want(t, a.say(add(byA)), "A+o")
	did := a.say(leave)
	want(t, did, "B+o")
	did = b.say(leave)
	want(t, did, "C+o")
	if !slices.Equal(did.takeovers, []takeover{{c.id, a.id}, {c.id, b.id}}) {
		t.Errorf("takeovers = %q", did.takeovers)
	}
	want(t, c.say(leave), "") // to nobody
	d := &writer{l: l, id: "DDDDDDDDDDDDDDDD"}
	did = d.hello("node3")
	want(t, did, "D+o")
	if len(did.takeovers) != 3 {
		t.Errorf("takeovers = %q, want three", did.takeovers)
	}
	for _, x := range []*writer{a, b, c} {
		did = d.say(entry{kind: entryDrop, id: x.id, seen: l.seq})
		if x == a {
			want(t, did, "D-o")
		}
		if len(did.takeovers) > 0 {
			t.Errorf("taken over again: %q", did.takeovers)
		}
	}
	if len(l.byID) != 1 {
		t.Errorf("%d incarnations are left, want one", len(l.byID))
	}
}

func TestGapsAndRepeatsAreVoid(t *testing.T) {
	l, a, _, _ := three(t)
	for _, number := range []uint64{1, 3, 0} {
		if did := l.apply(l.seq+1, a.id, &batch{number: number, entries: []entry{add(news)}}); !did.void {
			t.Errorf("batch %d after 1 is not void", number)
		}
	}
	for _, b := range []*batch{nil, {hello: true, number: 1, begin: foundAnew}, {hello: true, number: 2}} {
		if did := l.apply(l.seq+1, a.id, b); !did.void || len(l.byID) != 3 {
			t.Errorf("%+v is not void", b)
		}
	}
	want(t, a.say(add(news)), "C+p")
}

func TestTooManyIncarnations(t *testing.T) {
	l := newLedger()
	for i := range maxIncarnations {
		w := &writer{l: l, id: node.NewID()}
		want(t, w.hello(fmt.Sprint(i)), "")
	}
	last := &writer{l: l, id: anyIDs[0]}
	if did := last.hello("last"); !did.void || l.byID[last.id] != nil {
		t.Error("there is one more than there is room for")
	}
	some := l.slots[7].id
	w := &writer{l: l, id: l.slots[8].id, number: 1}
	want(t, w.say(entry{kind: entryDrop, id: some, seen: l.seq}), "")
	want(t, last.hello("last"), "")
}

// Only so many decisions wait to be told, and they can be told in part.
func TestUntoldDecisionsAreBounded(t *testing.T) {
	l, a, b, _ := three(t)
	l.maxUntold = 10
	var entries []entry
	for i := range 15 {
		entries = append(entries, add(makeKey(subject(fmt.Sprint(i), "o"))))
	}
	if did := a.say(entries...); did.forgotten != 5 || len(did.matters) != 15 {
		t.Errorf("%d were forgotten of %d, want 5 of 15", did.forgotten, len(did.matters))
	}
	a.number++
	l.apply(l.seq+1, a.id, &batch{number: a.number, told: l.byID[a.id].untold[6].order})
	want(t, b.say(entry{kind: entryDrop, id: a.id, seen: l.seq}),
		"B+o12 B+o13 B+o14 C-o0 C-o1 C-o10 C-o11 C-o12 C-o13 C-o14 C-o2 C-o3 C-o4 C-o5 C-o6 C-o7 C-o8 C-o9")
}

// TestOwnTellsTheLog: whatever changes merge, the log hears what holds in the
// end, never the same twice in a row, and of everything that came while there
// was room for it.
func TestOwnTellsTheLog(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := newOwn()
		o.limit = rapid.SampledFrom([]int{0, 2, maxBlips}).Draw(t, "limit")
		holds, logged, came, heard := make(map[key]bool), make(map[key]bool), make(map[key]int), make(map[key]int)
		take := func(room int) {
			for _, e := range o.take(nil, room) {
				is := e.kind == entryAdd || e.kind == entryAddQuiet
				if logged[e.key] == is {
					t.Fatalf("%q: %d twice in a row", e.key, e.kind)
				}
				if logged[e.key] = is; is {
					heard[e.key]++
				}
			}
		}
		keys := simKeys()
		for range rapid.IntRange(0, 100).Draw(t, "steps") {
			switch rapid.IntRange(0, 9).Draw(t, "step") {
			case 0:
				take(rapid.IntRange(0, 50).Draw(t, "room"))
			case 1:
				o.resync(rapid.Bool().Draw(t, "quiet"))
				clear(logged)
				for k := range holds {
					came[k] += 100 // once more
				}
			default:
				k := rapid.SampledFrom(keys).Draw(t, "key")
				is := rapid.Bool().Draw(t, "present")
				o.set(k, is, rapid.IntRange(0, 3).Draw(t, "quiet") == 0, false)
				if is && !holds[k] {
					came[k]++
				}
				holds[k] = is
			}
		}
		for i := range rapid.SampledFrom([]int{0, 1000}).Draw(t, "toggles") {
			for _, k := range keys {
				o.set(k, holds[k] == (i%2 == 1), false, false)
			}
			if most := max(64, 4*len(o.queued)) + 1; len(o.ops)-o.head > most {
				t.Fatalf("%d changes are kept of %d subjects", len(o.ops), len(o.queued))
			}
		}
		for _, k := range keys {
			came[k] += 1000
		}
		for o.dirty() {
			take(batchBytes)
		}
		for _, k := range keys {
			if holds[k] != logged[k] {
				t.Errorf("%q: held %v, logged %v", k, holds[k], logged[k])
			}
			if heard[k] > came[k] {
				t.Errorf("%q: came %d times, the log heard of %d", k, came[k], heard[k])
			}
			if h := o.of[k]; (h != 0) != holds[k] {
				t.Errorf("%q: holding %d is kept", k, h)
			}
		}
		if o.blips != 0 || len(o.ops) != 0 || len(o.queued) != 0 {
			t.Errorf("%d blips, %d changes and %d queued are left", o.blips, len(o.ops), len(o.queued))
		}
	})
}

// What comes and goes before the log could hear of it is heard of, too.
func TestShortVisitIsNoticed(t *testing.T) {
	on(t, 1, func(b *bench) {
		b.Channel(0, "p", true)
		b.Member(0, "p", "1", true)
		b.Member(0, "p", "1", false)
		b.Channel(0, "p", false)
		b.Want("p", "occupied", "added 1", "removed 1", "vacated")
		b.Check()
	})
}

// Two processes use one name: each gives the other one up, but not in a hurry.
func TestNameIsUsedTwice(t *testing.T) {
	on(t, 0, func(b *bench) {
		b.add("same", nil)
		b.add("same", nil)
		b.pass(time.Minute)
		total := len(b.nodes[0].Evictions()) + len(b.nodes[1].Evictions())
		if total < 2 || total > 2*int(time.Minute/lease)+2 {
			t.Errorf("they gave each other up %d times in a minute", total)
		}
	})
}

func TestStatusAndMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	on(t, 1, func(b *bench) {
		n := b.add("watched", func(c *Config) { c.Registerer = reg })
		a, c := b.toldBy(1, "a"), b.toldBy(1, "c")
		b.Channel(1, a, true)
		b.Channel(1, c, true)
		b.Want(c, "occupied")
		b.Channel(0, c, true)
		b.pass(time.Second)
		b.Channel(1, a, false)
		b.pass(time.Second)
		b.Channel(1, a, true) // in time
		b.pass(time.Second)
		b.Channel(1, a, false)
		b.pass(time.Second)
		s := n.Status()
		if !s.Current || s.ID != n.ID() || s.Subjects != 2 || s.Pending != 1 || s.Position != b.log.last() || s.Lag != 0 || len(s.Incarnations) != 2 {
			t.Errorf("status = %+v", s)
		}
		for _, i := range s.Incarnations {
			if i.ID == n.ID() && (i.Name != "watched" || i.Contributions != 1 || i.Pending != 1 || i.Suspect || i.Silent < 0 || i.Silent > 2) {
				t.Errorf("own incarnation = %+v", i)
			}
		}
		b.nodes[0].kill()
		b.pass(lease + 2*time.Second)
		if s := n.Status(); !slices.ContainsFunc(s.Incarnations, func(i Incarnation) bool { return i.Name == "node0" && i.Suspect }) {
			t.Errorf("the dead one is no suspect: %+v", s.Incarnations)
		}
		b.pass(time.Minute)
		b.on(1).Want(a, "occupied", "vacated")
	})
	for name, want := range map[string]float64{
		"belfry_roster_decisions_total": 3, "belfry_roster_debounced_total": 1, "belfry_roster_drops_total": 1,
		"belfry_roster_evictions_total": 0, "belfry_roster_pending": 0, "belfry_roster_subjects": 1,
	} {
		if got := value(t, reg, name); got != want {
			t.Errorf("%s = %v, want %v", name, got, want)
		}
	}
}

// value returns the sum of a metric over its labels.
func value(t *testing.T, g prometheus.Gatherer, name string) (sum float64) {
	t.Helper()
	families, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name {
				found = true
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	if !found {
		t.Errorf("there is no %s", name)
	}
	return sum
}
