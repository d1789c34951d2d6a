package natsroster

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/cluster/roster"
)

// A sim is several parts and a log, with a clock that goes when it is told to.
// Everything that the network may do is done to it: what is written is stored
// late, twice, or after its author was given up, and everybody reads in their
// own time.
type sim struct {
	*rapid.T
	now      time.Time
	log      []record // log[i] is at position i+1
	first    uint64   // what is before was forgotten
	snapshot []byte   // of a ledger, at first or later
	at       uint64
	nodes    []*simNode
	told     map[roster.DecisionID][]telling
	ids      int
	blips    int // the limit of them
}

// A simNode is one process, and its successors on the same data directory.
type simNode struct {
	name        string
	participant *participant // nil while it is not running
	holds       keys
	paused      bool // neither reads nor writes
	mail        []mail
	safe        uint64 // what its host has told for sure
	given       []roster.Decision
}

// mail is a batch that is on its way.
type mail struct {
	record
	flight *flight
}

// A telling is that a host was given a decision.
type telling struct {
	by node.ID
	of node.ID
	d  roster.Decision
	// current is whether the host was allowed to act.
	current bool
}

var simTiming = timing{lease: 5 * time.Second, grace: 5 * time.Second, settle: 3 * time.Second, beat: time.Second}

func newSim(t *rapid.T, nodes int) *sim {
	s := &sim{T: t, now: time.Unix(1e9, 0), first: 1, told: make(map[roster.DecisionID][]telling)}
	for i := range nodes {
		s.nodes = append(s.nodes, &simNode{name: fmt.Sprint("node", i)})
	}
	return s
}

// newID returns an id that rapid can make again. Parts that begin again choose
// their own.
func (s *sim) newID() node.ID {
	s.ids++
	id := []byte("AAAAAAAAAAAAAAAA")
	for i, n := 0, s.ids; n > 0; i, n = i+1, n/26 {
		id[(i*7+s.ids)%16] = byte('A' + n%26)
	}
	return node.ID(id)
}

func (s *sim) last() uint64 { return uint64(len(s.log)) }

// begin starts a process. It reads from the snapshot, or from the first batch.
func (s *sim) begin(n *simNode) {
	n.participant = newParticipant(s.newID(), n.name, simTiming)
	n.participant.newID = s.newID
	n.participant.own.limit = s.blips
	n.holds, n.mail, n.paused, n.safe = make(keys), nil, false, 0
	s.load(n)
}

// simUntold is above what a test leaves untold.
const simUntold = 1 << 20

func (s *sim) load(n *simNode) {
	if s.snapshot != nil {
		l, err := parseSnapshot(s.snapshot)
		if err != nil {
			s.Fatalf("parseSnapshot() = %v", err)
		}
		l.maxUntold = simUntold
		n.participant.load(l, 0, s.now)
	} else {
		n.participant.load(nil, s.first-1, s.now)
		n.participant.ledger.maxUntold = simUntold
	}
	s.calls(n)
}

// kill ends a process: what it has sent may still arrive.
func (s *sim) kill(n *simNode) {
	n.participant, n.holds = nil, nil
}

// read lets a process read up to some batches.
func (s *sim) read(n *simNode, most int) {
	p := n.participant
	if p == nil || n.paused {
		return
	}
	if p.ledger.seq+1 < s.first {
		s.load(n)
	}
	for ; most > 0 && p.ledger.seq < s.last(); most-- {
		r := s.log[p.ledger.seq]
		b, err := parseBatch(r.data)
		if err != nil {
			s.Fatalf("parseBatch() = %v", err)
		}
		p.read(r.seq, r.author, b, s.now)
		s.calls(n)
	}
	p.caughtUp = p.caughtUp || p.ledger.seq >= s.last()
}

// write lets a process compose, and sends what it says.
func (s *sim) write(n *simNode) {
	p := n.participant
	if p == nil || n.paused {
		return
	}
	if p.told = n.safe; n.safe > p.lastOrder {
		s.Fatalf("told %d, last %d", n.safe, p.lastOrder)
	}
	if f := p.flight; f != nil && f.stored == 0 && len(n.mail) == 0 {
		s.retry(n, f)
	}
	if f := p.compose(s.now); f != nil {
		data := f.batch.append(nil)
		n.mail = append(n.mail, mail{record{author: f.author, data: data}, f})
	}
}

// retry sends a batch again that no answer came to. If it was stored, that is
// the answer.
func (s *sim) retry(n *simNode, f *flight) {
	data := f.batch.append(nil)
	for i := len(s.log) - 1; i >= 0; i-- {
		if r := s.log[i]; r.author == f.author && bytes.Equal(r.data, data) {
			f.stored = r.seq
			n.participant.check(s.now)
			s.calls(n)
			return
		}
	}
	n.mail = append(n.mail, mail{record{author: f.author, data: data}, f})
}

// deliver stores the first batch that a node has sent, maybe not for the last
// time.
func (s *sim) deliver(n *simNode, again bool) {
	if len(n.mail) == 0 {
		return
	}
	m := n.mail[0]
	if !again {
		n.mail = n.mail[1:]
	}
	m.seq = s.last() + 1
	s.log = append(s.log, m.record)
	if p := n.participant; p != nil && p.flight == m.flight && !n.paused {
		m.flight.stored = m.seq
		p.check(s.now)
		s.calls(n)
	}
}

// set is a change on a node.
func (s *sim) set(n *simNode, k key, present bool) {
	if n.participant == nil {
		return
	}
	prefix, member := place(k)
	channel := prefix + string(rune(ofChannel))
	if present && member && !has(n.holds, channel) {
		s.set(n, channel, true)
	}
	for _, m := range sorted(n.holds) {
		if p, _ := place(m); !present && !member && m != k && p == prefix {
			s.set(n, m, false)
		}
	}
	n.participant.own.set(k, present, false, n.participant.draining)
	if present {
		n.holds[k] = struct{}{}
	} else {
		delete(n.holds, k)
	}
}

func has(set keys, k key) bool {
	_, ok := set[k]
	return ok
}

// calls is the host of a process.
func (s *sim) calls(n *simNode) {
	for _, c := range n.participant.calls {
		if c.kind == callDecide {
			d := c.decision
			n.given = append(n.given, d)
			s.told[d.ID] = append(s.told[d.ID], telling{n.participant.id, d.Of, d, n.participant.current(s.now)})
		}
	}
	n.participant.calls = nil
}

// keep makes a snapshot of what a node has read, and forgets what is before.
func (s *sim) keep(n *simNode) {
	if n.participant == nil || n.participant.ledger.log == "" || n.participant.ledger.seq < s.at {
		return
	}
	s.snapshot, s.at = n.participant.ledger.snapshot(false), n.participant.ledger.seq
	s.first = s.at + 1
}

// rest lets everything come to an end: all processes run, and all that was
// sent arrives.
func (s *sim) rest() {
	for range 60 {
		for range 4 {
			for _, n := range s.nodes {
				n.paused = false
				if n.participant == nil || n.participant.left {
					s.begin(n)
				}
				for len(n.mail) > 0 {
					s.deliver(n, false)
				}
				s.read(n, 1<<30)
				s.write(n)
			}
		}
		s.now = s.now.Add(simTiming.beat)
	}
}

// TestSimulation: whatever happens to nodes and to what they send, they agree,
// decisions alternate, and nothing is lost.
func TestSimulation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newSim(t, rapid.IntRange(1, 4).Draw(t, "nodes"))
		s.blips = rapid.SampledFrom([]int{0, 1, maxBlips}).Draw(t, "blips")
		keys := simKeys()
		for _, n := range s.nodes {
			s.begin(n)
		}
		steps := rapid.IntRange(10, 400).Draw(t, "steps")
		for range steps {
			n := s.nodes[rapid.IntRange(0, len(s.nodes)-1).Draw(t, "node")]
			switch rapid.SampledFrom(simSteps).Draw(t, "step") {
			case stepSet:
				k := rapid.SampledFrom(keys).Draw(t, "key")
				s.set(n, k, rapid.Bool().Draw(t, "present"))
			case stepWrite:
				s.write(n)
			case stepDeliver:
				s.deliver(n, false)
			case stepAgain:
				s.deliver(n, true)
			case stepRead:
				s.read(n, rapid.IntRange(1, 10).Draw(t, "batches"))
			case stepPass:
				s.now = s.now.Add(time.Duration(rapid.IntRange(1, 1500).Draw(t, "ms")) * time.Millisecond)
			case stepRun:
				s.run(rapid.IntRange(1, 8).Draw(t, "seconds"))
			case stepPause:
				n.paused = !n.paused
			case stepKill:
				s.kill(n)
			case stepBegin:
				if n.participant == nil {
					s.begin(n)
				}
			case stepKeep:
				s.keep(n)
			case stepLeave:
				if n.participant != nil && n.participant.joined {
					n.participant.leaving = true
				}
			case stepSafe:
				if n.participant != nil {
					n.safe = n.participant.lastOrder
				}
			}
			s.ended()
		}
		s.ended()
		s.rest()
		s.check()
	})
}

// ended takes away the processes that have left.
func (s *sim) ended() {
	for _, n := range s.nodes {
		if n.participant != nil && n.participant.left {
			s.kill(n)
		}
	}
}

// run lets those that are not paused go on for a while.
func (s *sim) run(seconds int) {
	for range seconds {
		for range 2 {
			for _, n := range s.nodes {
				s.write(n)
				if n.participant != nil && !n.paused {
					for len(n.mail) > 0 {
						s.deliver(n, false)
					}
				}
			}
			for _, n := range s.nodes {
				s.read(n, 1<<30)
			}
		}
		s.now = s.now.Add(simTiming.beat)
	}
}

type simStep int

const (
	stepSet simStep = iota
	stepWrite
	stepDeliver
	stepAgain
	stepRead
	stepPass
	stepRun
	stepPause
	stepKill
	stepBegin
	stepKeep
	stepLeave
	stepSafe
)

// simSteps has the steps as often as they shall happen.
var simSteps = []simStep{
	stepSet, stepSet, stepSet, stepSet, stepSet, stepSet, stepSet, stepSet,
	stepWrite, stepWrite, stepWrite, stepDeliver, stepDeliver, stepDeliver, stepAgain,
	stepRead, stepRead, stepRead, stepRead, stepPass, stepPass, stepRun, stepRun, stepRun,
	stepPause, stepKill, stepBegin, stepBegin, stepKeep, stepLeave, stepSafe, stepSafe,
}

func simKeys() (keys []key) {
	for _, channel := range []string{"a", "b"} {
		keys = append(keys, makeKey(roster.Subject{App: "1", Channel: channel}))
		for _, user := range []string{"", "1"} {
			keys = append(keys, makeKey(roster.Subject{App: "1", Channel: channel, User: user, Member: true}))
		}
	}
	return keys
}
