package natsroster

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/cluster/roster"
)

// tellers returns who tells of many channels.
func (l *ledger) tellers(author node.ID) (list []node.ID) {
	for i := range 3000 {
		list = append(list, l.teller(l.byID[author], makeKey(subject("", fmt.Sprint("channel-", i)))).id)
	}
	return list
}

// Who tells is one for a channel and its members. Each incarnation has its
// share, and one that comes or goes moves no other than that.
func TestTellersShareChannels(t *testing.T) {
	l, a, _, c := three(t)
	before := l.tellers(a.id)
	for _, id := range anyIDs {
		if n := count(before, id); n < 800 || n > 1200 {
			t.Errorf("%s tells of %d channels of 3000", id, n)
		}
	}
	for i := range 100 {
		name := fmt.Sprint(i)
		if ch, m := l.teller(l.byID[a.id], makeKey(subject("", name))), l.teller(l.byID[c.id], makeKey(subject("1", name))); ch != m {
			t.Fatalf("%s tells of %q, and %s of its members", ch.id, name, m.id)
		}
	}
	moved := func(before, after []node.ID, who node.ID) {
		t.Helper()
		for i := range before {
			if before[i] != after[i] && before[i] != who && after[i] != who {
				t.Fatalf("channel %d went from %s to %s when it was %s that came or went", i, before[i], after[i], who)
			}
		}
	}
	c.say(leave)
	without := l.tellers(a.id)
	if slices.Contains(without, c.id) {
		t.Error("one that has left tells")
	}
	moved(before, without, c.id)
	d := &writer{l: l, id: "DDDDDDDDDDDDDDDD"}
	d.hello("node3")
	with := l.tellers(a.id)
	moved(without, with, d.id)
	if n := count(with, d.id); n < 800 || n > 1200 {
		t.Errorf("a new one tells of %d channels of 3000", n)
	}
}

// Who has not written since the third-last beat of anybody gets nothing to
// tell, whoever writes, until it writes again; what it has stays its own.
func TestSilentIncarnationGetsNothingToTell(t *testing.T) {
	l, a, b, c := three(t)
	beat := func(w *writer) {
		w.number++
		l.apply(l.seq+1, w.id, &batch{number: w.number, beat: true})
	}
	want(t, b.say(add(byA)), "A+o")
	beat(b)
	beat(b)
	want(t, c.say(add(makeKey(subject("1", "o")))), "A+o1")
	beat(b)
	want(t, b.say(add(makeKey(subject("2", "o")))), "C+o2")
	if n := len(l.byID[a.id].untold); n != 2 {
		t.Errorf("the silent one has %d matters, want 2", n)
	}
	want(t, a.say(add(makeKey(subject("3", "o")))), "A+o3")
	for range recentBeats {
		beat(c)
	}
	want(t, b.say(add(makeKey(subject("4", "o")))), "C+o4") // now that one is silent, as b would be if it were not the author
}

// While nodes stay, whatever happens on them, a channel has one teller, and no
// node is thought to be silent that only takes its time to write.
func TestChannelHasOneTeller(t *testing.T) {
	on(t, 3, func(b *bench) {
		for _, n := range b.nodes {
			n.set(func() {
				n.journal.delay = func() time.Duration { return time.Duration(rand.Int64N(int64(lease/beatsOfLease) * 9 / 10)) }
			})
		}
		const channels = 30
		for i := range 600 {
			b.Channel(rand.IntN(3), fmt.Sprint(rand.IntN(channels)), rand.IntN(3) > 0)
			b.Member(rand.IntN(3), fmt.Sprint(rand.IntN(channels)), fmt.Sprint(rand.IntN(3)), rand.IntN(3) > 0)
			if i%10 == 0 {
				b.pass(time.Duration(rand.Int64N(int64(5 * time.Second))))
			}
		}
		b.pass(time.Minute)
		tellers := make(map[string][]int)
		for i, h := range b.Hosts {
			for _, d := range h.Decisions() {
				if !slices.Contains(tellers[d.Channel], i) {
					tellers[d.Channel] = append(tellers[d.Channel], i)
				}
			}
		}
		for channel, list := range tellers {
			if len(list) != 1 {
				t.Errorf("nodes %v tell of channel %s, want one", list, channel)
			}
		}
		if len(tellers) < channels {
			t.Errorf("there is news of %d channels, want %d", len(tellers), channels)
		}
		b.Check()
		b.same(0, 1, 2)
	})
}

// A node is killed: what it would tell of is told by others long before they
// give it up.
func TestKilledNodeHoldsNothingUp(t *testing.T) {
	on(t, 3, func(b *bench) {
		b.pass(lease)
		name := b.toldBy(0, "news")
		b.Channel(1, name, true)
		b.on(0).Want(name, "occupied")
		b.nodes[0].kill()
		b.pass(recentBeats*lease/beatsOfLease + 100*time.Millisecond)
		b.Member(2, name, "1", true)
		b.pass(100 * time.Millisecond)
		if got := b.on(1, 2).News(name); !slices.Equal(got, []string{"added 1"}) {
			t.Errorf("news = %q, want that of the member", got)
		}
		for i := range 2 {
			if n := len(b.nodes[i+1].Predecessors()); n != 0 {
				t.Errorf("node %d has taken over %d others", i+1, n)
			}
		}
		b.Check()
	})
}

// stillness replays the log and says, apart from the ledger, who could be
// expected to tell.
type stillness struct {
	l     *ledger
	beats map[node.ID]map[node.ID]int // of others, since one has written
}

// lively are those who have not ended, and have written since the third-last
// beat of any other.
func (s *stillness) lively() string {
	var list []string
	for id, x := range s.l.byID {
		silent := x.lapsed
		for _, n := range s.beats[id] {
			silent = silent || n >= 3
		}
		if !silent {
			list = append(list, string(id))
		}
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

// heard counts the beats of a batch that was not void.
func (s *stillness) heard(author node.ID, b *batch, did *effects) {
	if did.began {
		clear(s.beats)
	}
	s.beats[author] = make(map[node.ID]int)
	for id := range s.l.byID {
		if id != author && b.beat {
			if s.beats[id] == nil {
				s.beats[id] = make(map[node.ID]int)
			}
			s.beats[id][author]++
		}
	}
}

// tellers checks that the decisions of a channel and its members have one
// teller as long as the same incarnations are lively, that it is one of them,
// and that every decision has come to a host.
func (s *sim) tellers() {
	st := &stillness{l: newLedger(), beats: make(map[node.ID]map[node.ID]int)}
	st.l.maxUntold = simUntold
	tellers := make(map[string]node.ID)
	for _, r := range s.log {
		b, err := parseBatch(r.data)
		if err != nil {
			s.Fatal(err)
		}
		did := st.l.apply(r.seq, r.author, b)
		if did.void {
			continue
		}
		st.heard(r.author, b, did)
		lively := st.lively()
		for _, m := range did.matters {
			if _, told := s.told[roster.DecisionID{Log: st.l.log, Number: m.number}]; !told {
				s.Errorf("decision %d about %q has come to nobody", m.number, m.key)
			}
			if m.number != m.order || len(did.lapsed)+len(did.dropped) > 0 {
				continue // an old one, or of a batch in which the nodes change
			}
			if m.of != m.by || !strings.Contains(lively, string(m.by)) {
				s.Errorf("decision %d of %s is told by %s first, of %s", m.number, m.of, m.by, lively)
			}
			channel, _ := place(m.key)
			if was, known := tellers[lively+channel]; known && was != m.by {
				s.Errorf("of channel %q %s and %s tell, though nothing has happened to %s", channel, was, m.by, lively)
			}
			tellers[lively+channel] = m.by
		}
	}
}
