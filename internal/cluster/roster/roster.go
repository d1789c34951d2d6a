// Package roster is the contract between a node and what decides, once for all
// nodes, that a channel is occupied or vacated, and a member added or removed.
//
// Each node says what holds on itself ([Roster.Set]). The roster decides what
// that means for the cluster and tells exactly one node ([Host.Decide]), which
// tells the backends. A channel that is empty, or a member that is absent, is
// so for a grace before it is decided: who comes back within it was never
// gone.
//
// The state that clients see does not wait for any of this; it is the hub's,
// and goes by package broker.
//
// local decides for a node that is alone; natsroster by the order of one log
// that all nodes read. rostertest holds both to this contract.
package roster

import (
	"context"
	"strconv"
	"time"

	"github.com/belfryhq/belfry/internal/cluster/node"
)

// A Subject is what is decided about: a channel, or a member of one.
type Subject struct {
	App, Channel string
	User         string // the member's id; empty also for a user whose id is
	Member       bool
}

// A Decision is that a channel has become occupied or vacated, or a member was
// added or removed, in the whole cluster.
type Decision struct {
	Subject
	Gone bool // vacated, removed
	ID   DecisionID
	// Order grows with every call of Decide in the life of the process, unlike
	// the number of a decision that another incarnation was to tell of first.
	Order uint64
	// Of is the incarnation that was to tell of it first. If that is not this
	// node's own, the other one may have told already, up to where it died.
	Of node.ID
}

// A DecisionID is the same on every node, and never given twice.
type DecisionID struct {
	Log    string // of which life of the log; letters and digits
	Number uint64 // grows with every new decision
}

// String returns the id as backends see it.
func (id DecisionID) String() string { return id.Log + "-" + strconv.FormatUint(id.Number, 10) }

// Kind names what is decided: occupied, vacated, added or removed.
func Kind(member, gone bool) string {
	switch {
	case member && gone:
		return "removed"
	case member:
		return "added"
	case gone:
		return "vacated"
	default:
		return "occupied"
	}
}

// A Host is the part of a node that acts on decisions. Its methods are called
// one at a time, in the order of the log. They do not block for long, and of
// the roster they call only Acknowledge, Current, CurrentSince, Suspended and ID.
type Host interface {
	// Decide makes this node the one that tells of a decision. The host says
	// with [Roster.Acknowledge] when that can not get lost any more. While the same
	// nodes are there, one of them is told all decisions about a channel and
	// its members; it need not be one on which they hold.
	Decide(d Decision)
	// TakeOver makes the jobs that another incarnation has left in the engine's
	// queues this node's. Decisions of that incarnation follow.
	TakeOver(dead node.ID)
	// Evicted says that others have given this node up, taken over its jobs and
	// its decisions: what it has not done of them it must not do any more.
	// From here on it goes by another id.
	Evicted(next node.ID)
}

// A Roster is a node's part in deciding. Its methods are safe for concurrent
// use, and do not block, but for Start and Close.
type Roster interface {
	// Start begins to call h, and returns when the node has its part in the
	// decisions.
	Start(ctx context.Context, h Host) error
	// Set says that the subject holds on this node from now on, or not any
	// more; it is told of changes only, and after Start. Quiet is for what was
	// so before anybody asked, or is not asked about any more: it is not news.
	// Calls about one subject come one at a time; the host may be called
	// before Set returns.
	Set(s Subject, present, quiet bool)
	// Acknowledge says that all decisions that this node was to tell are safe, up to
	// the one of this [Decision.Order].
	Acknowledge(through uint64)
	// Current reports whether the node is surely not given up by the others
	// at this moment. While it is not, it tells nothing and delivers nothing.
	Current() bool
	// CurrentSince returns since when that is so without a break, also with
	// one that nobody has asked about; zero if it is not so.
	CurrentSince() time.Time
	// Suspended returns nil while the node is current, or else a channel that
	// is closed when it is again. What the host was to hear before that, such
	// as Evicted, it has heard. After Close the channel stays open.
	Suspended() <-chan struct{}
	// ID is the incarnation by which the others know the node now.
	ID() node.ID
	// Drain says that the node sends its clients elsewhere: what ends from
	// here on stays set until the grace after the node's end is over.
	Drain()
	// Close leaves: the others take over what is left. It waits until that is
	// known to the log, or ctx ends.
	Close(ctx context.Context) error
}
