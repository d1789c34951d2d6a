package natsroster

import (
	"bytes"
	"slices"

	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/cluster/roster"
)

// check holds the end to what it has to be.
func (s *sim) check() {
	s.same()
	var live []node.ID
	want := make(map[key]bool)
	for _, n := range s.nodes {
		if !n.participant.current(s.now.Add(-simTiming.beat)) {
			s.Errorf("%s is not current", n.name)
		}
		live = append(live, n.participant.id)
		for k := range n.holds {
			want[k] = true
		}
	}
	l := s.nodes[0].participant.ledger
	for id := range l.byID {
		if !slices.Contains(live, id) {
			s.Errorf("incarnation %s is still there", id)
		}
	}
	for k := range want {
		if h, ok := l.subjects[k]; !ok || h.empty() {
			s.Errorf("%q is held but not decided to be present", k)
		}
	}
	for k := range l.subjects {
		if !want[k] {
			s.Errorf("%q is decided to be present, but nobody holds it", k)
		}
	}
	s.alternate(want)
	s.tellers()
}

// same checks that everybody who has read the same knows the same, also who
// has not read it from the beginning.
func (s *sim) same() {
	var snapshot []byte
	for _, n := range s.nodes {
		got := n.participant.ledger.snapshot(true)
		if snapshot == nil {
			snapshot = got
		}
		if !bytes.Equal(snapshot, got) {
			s.Fatalf("%s has read the same and knows something else", n.name)
		}
	}
	if s.snapshot == nil {
		return
	}
	late, err := parseSnapshot(s.snapshot)
	if err != nil {
		s.Fatal(err)
	}
	late.maxUntold = simUntold
	for _, r := range s.log[late.seq:] {
		b, err := parseBatch(r.data)
		if err != nil {
			s.Fatal(err)
		}
		late.apply(r.seq, r.author, b)
	}
	if !bytes.Equal(snapshot, late.snapshot(true)) {
		s.Fatal("who begins with the snapshot knows something else")
	}
}

// alternate checks what was told, subject by subject.
func (s *sim) alternate(want map[key]bool) {
	gone := make(map[roster.Subject]bool)
	for _, d := range s.decided() {
		if before, known := gone[d.Subject]; known && before == d.Gone {
			s.Errorf("%v %v gone=%v twice in a row", d.ID, d.Subject, d.Gone)
		} else if !known && d.Gone {
			s.Errorf("%v %v gone, and was never there", d.ID, d.Subject)
		}
		gone[d.Subject] = d.Gone
		s.inside(gone, d)
	}
	for subject, is := range gone {
		if want[makeKey(subject)] == is {
			s.Errorf("%v is gone=%v for those who were told", subject, is)
		}
	}
	for k := range want {
		subject, _ := parse(k)
		if _, told := gone[subject]; !told {
			s.Errorf("%v is held, and nobody was told", subject)
		}
	}
}

// inside checks that members are in a channel that is occupied.
func (s *sim) inside(gone map[roster.Subject]bool, d roster.Decision) {
	if s.blips < maxBlips {
		return // a channel may have come and gone unnoticed, but not its member
	}
	channel := roster.Subject{App: d.App, Channel: d.Channel}
	if is, known := gone[channel]; d.Member && !d.Gone && (!known || is) {
		s.Errorf("%v %v is added to a channel that is empty", d.ID, d.Subject)
	}
	for subject, is := range gone {
		if d.Subject == channel && d.Gone && subject.Channel == d.Channel && !is {
			s.Errorf("%v %v is vacated before %v is removed", d.ID, channel, subject)
		}
	}
}

// decided returns every decision that a host was given, once, in order.
func (s *sim) decided() []roster.Decision {
	var list []roster.Decision
	for id, tellings := range s.told {
		first := tellings[0]
		for i, t := range tellings {
			if t.d.Subject != first.d.Subject || t.d.Gone != first.d.Gone || t.of != first.of {
				s.Errorf("%v is two decisions: %v and %v", id, first.d, t.d)
			}
			for _, other := range tellings[:i] {
				if other.by == t.by {
					s.Errorf("%v was given twice to %s", id, t.by)
				}
			}
			if t.by == t.of && i > 0 && t.current {
				s.Errorf("%v is told by %s, who was to tell it first, after %s", id, t.by, tellings[i-1].by)
			}
		}
		list = append(list, first.d)
	}
	slices.SortFunc(list, func(a, b roster.Decision) int { return int(int64(a.ID.Number) - int64(b.ID.Number)) })
	return list
}
