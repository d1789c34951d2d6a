package natsroster

import (
	"slices"
	"strings"
	"time"

	"github.com/belfryhq/belfry/internal/cluster/node"
)

// A Status is what operators are shown of a roster.
type Status struct {
	ID       node.ID `json:"id"`
	Current  bool    `json:"current"`
	Log      string  `json:"log"`      // which life of the log
	Position uint64  `json:"position"` // what was read of it
	Lag      uint64  `json:"lag"`      // how much followed when that was read
	// GivenUp is how often the others have given this node up since its start,
	// so that it began again, and GivenUpAt when they did last.
	GivenUp   int       `json:"given_up"`
	GivenUpAt time.Time `json:"given_up_at"`
	// Unwritten is how many subjects of this node have a change that the log
	// does not have yet.
	Unwritten    int           `json:"unwritten"`
	Decisions    uint64        `json:"decisions"` // that this node was to tell, since its start
	Subjects     int           `json:"subjects"`  // that are present in the cluster
	Pending      int           `json:"pending"`   // of them, gone for less than the grace
	Incarnations []Incarnation `json:"incarnations"`
}

// An Incarnation is one that the log knows.
type Incarnation struct {
	ID   node.ID `json:"id"`
	Name string  `json:"name"`
	// Silent is how long ago it was heard of in the log, in seconds; negative
	// if it was not since this node began to read.
	Silent        float64 `json:"silent"`
	Suspect       bool    `json:"suspect"` // silent for longer than the lease
	Ended         bool    `json:"ended"`   // and what it held will be taken away
	Successor     node.ID `json:"successor,omitempty"`
	Contributions int     `json:"contributions"`
	Untold        int     `json:"untold"`
	Pending       int     `json:"pending"`
}

// Status returns how things are.
func (r *Roster) Status() Status {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.participant
	s := Status{
		ID: p.id, Current: p.current(now), Log: p.ledger.log, Position: p.ledger.seq, Lag: r.more,
		GivenUp: r.givenUp, GivenUpAt: r.givenUpAt,
		Unwritten: len(p.own.queued), Decisions: r.metrics.all.Load(), Subjects: len(p.ledger.subjects), Pending: len(p.ledger.pending),
	}
	pending := make(map[slot]int)
	for _, by := range p.ledger.pending {
		pending[by]++
	}
	for _, x := range p.ledger.byID {
		i := Incarnation{
			ID: x.id, Name: x.name, Silent: -1, Ended: x.lapsed, Successor: x.successor,
			Contributions: x.holds, Untold: len(x.untold), Pending: pending[x.slot],
		}
		if at, ok := p.heard[x.id]; ok {
			i.Silent = now.Sub(at).Seconds()
			i.Suspect = !x.lapsed && now.Sub(at) > p.lease
		}
		s.Incarnations = append(s.Incarnations, i)
	}
	slices.SortFunc(s.Incarnations, func(a, b Incarnation) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return s
}

// Known reports whether the log has that incarnation: it lives, or what it has
// left is still to be given away or taken.
func (r *Roster) Known(id node.ID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.participant.ledger.byID[id] != nil
}

// Stream is the name of the log in the engine.
func (r *Roster) Stream() string { return r.cfg.Prefix + "-roster" }
