// Package recall gets events of a channel from the nodes that have kept them.
//
// A node keeps the events of a channel that it has published, and while it holds
// the channel those of its peers. For a client that comes back, it asks each peer
// for what that has published. A peer that is dead or silent can not be asked, so
// the others are asked for what they have got from it.
//
// Questions and answers go the way of events. So what a peer has published before
// it answers is in its answer or has come before it, and all else comes after it.
//
// # Who may touch what
//
// A [Recall] and what is [Incoming] belong to one channel, and whoever uses them
// holds the lock of the channel. A recall takes that lock itself when the time for
// its answers is over. [Questions] have a lock of their own, which is a leaf. What
// is kept, the package learns from whoever answers; it keeps nothing itself.
package recall

import (
	"iter"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/belfryhq/belfry/internal/cluster/broker"
	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/history"
)

// Wait is how long peers have for their answers.
const Wait = 400 * time.Millisecond

// maxAbsent is how many publishers that do not answer are asked about.
const maxAbsent = 16

// An Asker is a node that asks its peers.
type Asker struct {
	Self  node.ID
	Peers iter.Seq[broker.Link] // those that are there now
	// Silent reports whether a peer will hardly answer. Nil: none is known to be.
	Silent func(broker.Link) bool

	number atomic.Uint64 // of the last question
}

// A Channel is what is asked about.
type Channel struct {
	App, Name string
	Lock      sync.Locker // guards what is kept of the channel
}

// A Recall is a question to all peers about one channel.
type Recall struct {
	asker   *Asker
	channel Channel
	number  uint64
	from    history.Position
	missing map[node.ID]int // answers that are to come, by peer
	heard   []node.ID       // publishers of which somebody has answered
	silent  []node.ID       // peers that are not asked, since they will hardly answer
	whole   bool            // every peer has answered for itself
	second  bool            // the others are asked about those who do not answer
	over    bool
	timer   *time.Timer
	then    []func(whole bool)
}

// New returns a recall for what there is behind a position. It begins with
// [Recall.Start].
func (a *Asker) New(c Channel, from history.Position) *Recall {
	return &Recall{asker: a, channel: c, number: a.number.Add(1), from: from, missing: make(map[node.ID]int)}
}

// Then adds what is called when the recall is over, in the order of the calls and
// with the channel's lock held. Whole says that every peer has answered for itself.
func (r *Recall) Then(do func(whole bool)) { r.then = append(r.then, do) }

// Start asks the peers. Without any it is over at once.
func (r *Recall) Start() {
	for l := range r.asker.Peers {
		if r.asker.Silent != nil && r.asker.Silent(l) {
			r.silent = append(r.silent, l.ID())
			continue
		}
		r.ask(l, "")
	}
	r.goOn()
}

// Answered notes that a peer has answered a question of some number. It may be one
// of an earlier recall. Usable says that the answer told all that the peer has of
// the publisher.
func (r *Recall) Answered(from node.ID, number uint64, publisher node.ID, usable bool) {
	if r.over || number != r.number {
		return
	}
	if usable {
		r.heard = append(r.heard, publisher)
	}
	if r.missing[from]--; r.missing[from] <= 0 {
		delete(r.missing, from)
	}
	r.goOn()
}

// goOn does what comes next if all answers have come that are to come.
func (r *Recall) goOn() {
	if len(r.missing) > 0 {
		if r.timer == nil {
			r.timer = time.AfterFunc(Wait, r.late)
		}
		return
	}
	if r.timer != nil {
		r.timer.Stop()
		r.timer = nil
	}
	if !r.second {
		r.whole = len(r.silent) == 0
		if r.askOthers() {
			return
		}
	}
	r.end()
}

// late goes on without the answers that have not come.
func (r *Recall) late() {
	r.channel.Lock.Lock()
	defer r.channel.Lock.Unlock()
	if r.over {
		return
	}
	r.timer = nil
	r.silent = slices.AppendSeq(r.silent, maps.Keys(r.missing))
	r.missing = make(map[node.ID]int)
	if r.second || !r.askOthers() {
		r.end()
	}
}

// askOthers asks those who have answered about publishers that have not, and
// reports whether there are any.
func (r *Recall) askOthers() bool {
	r.second = true
	absent := slices.Clone(r.silent)
	for _, m := range r.from {
		if m.Publisher != r.asker.Self && !slices.Contains(r.heard, m.Publisher) && !slices.Contains(absent, m.Publisher) {
			absent = append(absent, m.Publisher)
		}
	}
	absent = absent[:min(len(absent), maxAbsent)]
	for l := range r.asker.Peers {
		if slices.Contains(r.silent, l.ID()) {
			continue
		}
		for _, publisher := range absent {
			r.ask(l, publisher)
		}
	}
	if len(r.missing) == 0 {
		return false
	}
	r.timer = time.AfterFunc(Wait, r.late)
	return true
}

// ask asks one peer for what a publisher has published, or the peer itself.
func (r *Recall) ask(l broker.Link, publisher node.ID) {
	r.missing[l.ID()]++
	l.Send(&broker.Message{
		Kind: broker.Recall, App: r.channel.App, Name: r.channel.Name, User: string(publisher),
		Text: r.from.Append(nil), Count: r.number,
	})
}

// end tells those who wait.
func (r *Recall) end() {
	r.over = true
	for _, do := range r.then {
		do(r.whole)
	}
}
