package hub

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/belfryhq/belfry/internal/cluster/broker"
	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/frame"
	"github.com/belfryhq/belfry/internal/history"
	"github.com/belfryhq/belfry/internal/trace"
	"github.com/belfryhq/belfry/internal/wakeup"
	"github.com/belfryhq/belfry/protocol"
)

// A node keeps the events of a channel that it has published, and while it holds the
// channel those of its peers. For a client that comes back, it asks each peer for
// what that has published. A peer that is dead or silent can not be asked, so
// the others are asked for what they have got from it.
//
// Questions and answers go the way of events. So what a peer has published before it
// answers is in its answer or has come before it, and all else comes after it.

const (
	// recallWait is how long peers have for their answers.
	recallWait = 400 * time.Millisecond
	// maxAbsent is how many publishers that do not answer are asked about.
	maxAbsent = 16
	// maxQuestions is how many questions of peers wait; more get no answer.
	maxQuestions = 1 << 16
)

// A recall is a question to all peers about one channel. The shard's lock guards it.
type recall struct {
	number  uint64
	from    history.Position
	began   uint64          // peers.changes
	missing map[node.ID]int // answers that are to come, by peer
	heard   []node.ID       // publishers of which somebody has answered
	whole   bool            // every peer has answered for itself
	second  bool            // the others are asked about those who do not answer
	timer   *time.Timer
	then    []func() // is called when it is over
}

// recallLocked asks all peers for what they have behind a position, unless they are
// being asked already, and calls then when that is over. The shard's lock is held.
func (t *tenant) recallLocked(ch *channel, from history.Position, then func()) {
	h := ch.history
	if h.recall != nil {
		h.recall.then = append(h.recall.then, then)
		return
	}
	r := &recall{
		number: t.hub.recalls.number.Add(1), from: h.log.Within(from), began: t.hub.peers.changes.Load(),
		missing: make(map[node.ID]int), then: []func(){then},
	}
	h.recall = r
	for l := range t.hub.peers.all() {
		t.askForLocked(ch, r, l, "")
	}
	t.recalledLocked(ch)
}

// askForLocked asks one peer for what a publisher has published, or the peer itself.
// The shard's lock is held.
func (t *tenant) askForLocked(ch *channel, r *recall, l broker.Link, publisher node.ID) {
	r.missing[l.ID()]++
	l.Send(&broker.Message{
		Kind: broker.Recall, App: t.app().ID, Name: ch.name, User: string(publisher),
		Text: r.from.Append(nil), Count: r.number,
	})
}

// recalledLocked goes on with a recall if all answers have come that are to come. The
// shard's lock is held.
func (t *tenant) recalledLocked(ch *channel) {
	r := ch.history.recall
	if len(r.missing) > 0 {
		if r.timer == nil {
			r.timer = time.AfterFunc(recallWait, func() { t.recallOver(ch, r) })
		}
		return
	}
	if r.timer != nil {
		r.timer.Stop()
		r.timer = nil
	}
	if !r.second {
		r.whole = true
		if t.askOthersLocked(ch, r) {
			return
		}
	}
	t.endRecallLocked(ch, r)
}

// recallOver goes on without the answers that have not come.
func (t *tenant) recallOver(ch *channel, r *recall) {
	sh := t.shard(ch.name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if ch.history == nil || ch.history.recall != r {
		return
	}
	r.timer = nil
	silent := r.missing
	r.missing = make(map[node.ID]int)
	if r.second || !t.askOthersLocked(ch, r, idsOf(silent)...) {
		t.endRecallLocked(ch, r)
	}
}

func idsOf(m map[node.ID]int) (list []node.ID) {
	for id := range m {
		list = append(list, id)
	}
	return list
}

// askOthersLocked asks those who have answered about publishers that have not, and
// reports whether there are any. The shard's lock is held.
func (t *tenant) askOthersLocked(ch *channel, r *recall, silent ...node.ID) bool {
	r.second = true
	absent := slices.Clone(silent)
	for _, m := range r.from {
		if m.Publisher != t.hub.cfg.Node && !slices.Contains(r.heard, m.Publisher) && !slices.Contains(absent, m.Publisher) {
			absent = append(absent, m.Publisher)
		}
	}
	absent = absent[:min(len(absent), maxAbsent)]
	for l := range t.hub.peers.all() {
		if slices.Contains(silent, l.ID()) {
			continue
		}
		for _, publisher := range absent {
			t.askForLocked(ch, r, l, publisher)
		}
	}
	if len(r.missing) == 0 {
		return false
	}
	r.timer = time.AfterFunc(recallWait, func() { t.recallOver(ch, r) })
	return true
}

// endRecallLocked tells those who wait. The shard's lock is held.
func (t *tenant) endRecallLocked(ch *channel, r *recall) {
	h := ch.history
	h.recall = nil
	if r.whole && ch.heldHere() {
		h.covered = r.began + 1
	}
	for _, then := range r.then {
		then()
	}
}

// receiveRecalled takes an answer of a peer, or what a peer hands over that ends.
func (t *tenant) receiveRecalled(from node.ID, m *broker.Message) {
	if !t.keeps(m.Name) {
		return
	}
	defer t.evict()
	sh := t.shard(m.Name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	ch := sh.openLocked(m.Name, protocol.KindOf(m.Name))
	h := t.rememberedLocked(ch)
	if !m.On {
		if h.incoming == nil {
			h.incoming = make(map[node.ID][]history.Event)
		}
		h.incoming[from] = append(h.incoming[from], recalledEvent(m))
		return
	}
	events := h.incoming[from]
	delete(h.incoming, from)
	publisher := node.ID(m.User)
	if publisher != t.hub.cfg.Node && (m.Serial|m.Before != 0 || publisher == from) && consecutive(m.Before, m.Serial, events) {
		t.mergeLocked(ch, history.Range{Publisher: publisher, Floor: m.Before, Last: m.Serial}, events)
		if r := h.recall; r != nil && r.number == m.Count {
			r.heard = append(r.heard, publisher)
		}
	}
	if r := h.recall; r != nil && r.number == m.Count {
		if r.missing[from]--; r.missing[from] <= 0 {
			delete(r.missing, from)
		}
		t.recalledLocked(ch)
	}
}

func recalledEvent(m *broker.Message) history.Event {
	return history.Event{
		Mark: history.Mark{Publisher: node.ID(m.User), Number: m.Serial}, Before: m.Before, Except: m.Except,
		Frame: frame.Text(func(b []byte) []byte { return append(b, m.Text...) }),
		At:    time.Now().Add(-time.Duration(min(m.Count, 1<<40)) * time.Millisecond),
	}
}

// consecutive reports whether events are all that there are of one publisher, from
// floor to last. Some are missing if messages were lost.
func consecutive(floor, last uint64, events []history.Event) bool {
	for _, e := range events {
		if e.Before != floor || e.Number <= floor {
			return false
		}
		floor = e.Number
	}
	return floor == last
}

// mergeLocked adds what a peer has of one publisher. What nobody here has got yet is
// delivered, late. The shard's lock is held.
func (t *tenant) mergeLocked(ch *channel, r history.Range, events []history.Event) {
	fresh, arrival := ch.history.log.Merge(r, events, limitsOf(t.app()))
	if arrival == history.Gap {
		t.tellLostLocked(ch)
	}
	for _, e := range fresh {
		out := &outgoing{kind: trace.Arrived, origin: e.Publisher, frame: e.Frame, except: e.Except}
		t.deliverEventLocked(&ch.audience, out, ch.name, reach{})
	}
}

// recalls are the questions of peers that wait for an answer.
type recalls struct {
	number atomic.Uint64 // of the last question of this node
	mu     sync.Mutex
	wake   wakeup.Signal
	queue  []question
}

// A question is what a peer asks for.
type question struct {
	from    node.ID
	message broker.Message
}

func (r *recalls) init() { r.wake = wakeup.New() }

// ask queues a question of a peer. If too many wait, it gets no answer.
func (r *recalls) ask(from node.ID, m *broker.Message) {
	q := question{from, *m}
	q.message.Text = clone(m.Text)
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.queue) < maxQuestions {
		r.queue = append(r.queue, q)
	}
	r.wake.Set()
}

func (r *recalls) take() []question {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.queue
	r.queue = nil
	return all
}

// answerRecalls is a goroutine that answers the questions of peers, until the hub is
// closed.
func (h *Hub) answerRecalls(ctx context.Context) {
	for {
		select {
		case <-h.recalls.wake:
			for _, q := range h.recalls.take() {
				h.answer(ctx, &q)
			}
		case <-ctx.Done():
			return
		}
	}
}

// answer answers one question, unless the way to the peer stays full.
func (h *Hub) answer(ctx context.Context, q *question) {
	app := h.cfg.Apps.ByID(q.message.App)
	link := h.peers.linkTo(q.from)
	if app == nil || link == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, recallWait)
	defer cancel()
	if link.Room(ctx) != nil {
		return
	}
	publisher := node.ID(q.message.User)
	if publisher == "" {
		publisher = h.cfg.Node
	}
	from, _ := history.ParsePosition(string(q.message.Text))
	after, _ := from.Of(publisher)
	h.tenant(app).tellKept(link, q.message.Name, publisher, after, q.message.Count)
}

// tellKept sends a peer what is kept of a publisher's events on a channel.
func (t *tenant) tellKept(to broker.Link, name string, publisher node.ID, after, number uint64) {
	sh := t.shard(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	var log *history.Log // nil if nothing is kept of the channel
	if t.keeps(name) {
		sh.shelf.Expire(time.Now(), t.app().History.TTL)
		log = t.rememberedLocked(sh.openLocked(name, protocol.KindOf(name))).log
	}
	t.sendKept(to, name, log, publisher, after, number)
}

// sendKept sends what a log has of a publisher's events behind a number, and the end of
// that, which answers the question of that number; 0 is none. The shard's lock is held.
func (t *tenant) sendKept(to broker.Link, name string, log *history.Log, publisher node.ID, after, number uint64) {
	var events []history.Event
	var r history.Range
	if log != nil {
		events, r = log.Of(publisher, after, time.Now())
	}
	for _, e := range events {
		to.Send(&broker.Message{
			Kind: broker.Recalled, App: t.app().ID, Name: name, User: string(e.Publisher), Text: e.Frame.Message(),
			Except: e.Except, Serial: e.Number, Before: e.Before, Count: uint64(max(time.Since(e.At).Milliseconds(), 0)),
		})
	}
	to.Send(&broker.Message{
		Kind: broker.Recalled, On: true, App: t.app().ID, Name: name, User: string(publisher), Count: number,
		Serial: max(r.Last, r.Floor), Before: r.Floor,
	})
}

// HandOver gives what this node has kept to a peer, before the node ends: all that
// it has published, and what it has of publishers that are gone. It returns when
// the peer has it or ctx ends. Without peers it does nothing.
func (h *Hub) HandOver(ctx context.Context) {
	for to := range h.peers.all() {
		if h.handOverTo(ctx, to) {
			return
		}
	}
}

func (h *Hub) handOverTo(ctx context.Context, to broker.Link) bool {
	whole := true
	h.eachTenant(func(t *tenant) {
		for i := range t.shards {
			for _, name := range t.keptIn(&t.shards[i]) {
				if whole = whole && to.Room(ctx) == nil; whole {
					t.handOver(to, name)
				}
			}
		}
	})
	if !whole {
		return false
	}
	heard := make(chan struct{})
	to.Sync(func() { close(heard) })
	select {
	case <-heard:
		return true
	case <-ctx.Done():
		return false
	}
}

// keptIn returns the names of the channels of a shard that have a history.
func (t *tenant) keptIn(sh *shard) (names []string) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for name, ch := range sh.channels {
		if ch.history != nil {
			names = append(names, name)
		}
	}
	return names
}

// handOver gives a peer what is kept of one channel.
func (t *tenant) handOver(to broker.Link, name string) {
	sh := t.shard(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	ch := sh.channels[name]
	if ch == nil || ch.history == nil {
		return
	}
	for _, publisher := range ch.history.log.Publishers() {
		if publisher != t.hub.cfg.Node && t.hub.peers.linkTo(publisher) != nil {
			continue // who is there can be asked
		}
		t.sendKept(to, name, ch.history.log, publisher, 0, 0)
	}
}
