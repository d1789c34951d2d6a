package hub

import (
	"slices"
	"sync"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/frame"
	"github.com/belfryhq/belfry/internal/history"
	"github.com/belfryhq/belfry/internal/history/recall"
	"github.com/belfryhq/belfry/protocol"
)

// remembered is the history of a channel on this node, and who waits for it. The
// shard's lock guards it. A channel has none until the app keeps its events.
type remembered struct {
	log      *history.Log
	covered  uint64         // peers.Others.Changes, plus one, when the peers last told all that they have; 0: they have not
	recall   *recall.Recall // nil: nobody asks peers
	incoming recall.Incoming
	resuming map[*subscription]*resumption
	idle     time.Time // since when nothing else is in the channel; zero: something is
}

// keeps reports whether events of a channel are kept.
func (t *tenant) keeps(channel string) bool {
	return t.app().History.Keeps(channel)
}

func limitsOf(app *apps.App) history.Limits {
	h := &app.History
	return history.Limits{TTL: h.TTL, Events: h.Events, Bytes: h.Bytes}
}

// rememberedLocked returns the history of a channel, which begins if there is none.
// The shard's lock is held.
func (t *tenant) rememberedLocked(ch *channel) *remembered {
	if ch.history == nil {
		ch.history = &remembered{log: t.shard(ch.name).shelf.Open(t.hub.cfg.Node, t.budget)}
		t.former.assume(ch.history.log)
	}
	return ch.history
}

// placeLocked gives an event of this node its place in the history of its channel, if
// it is to have one. The shard's lock is held.
func (t *tenant) placeLocked(ch *channel, e *outgoing) {
	if keeps := t.keeps(ch.name); !keeps || !e.kept {
		if keeps { // since a moment ago
			log := t.rememberedLocked(ch).log
			log.Skip()
			t.keepDurablyLocked(ch.name, history.Event{Mark: history.Mark{Publisher: e.origin, Number: log.Last()}})
		}
		return
	}
	log := t.rememberedLocked(ch).log
	e.serial, e.before = log.Publish()
	protocol.PutPlace(e.frame.Message(), e.serial)
	event := e.event()
	log.Keep(event, limitsOf(t.app()))
	e.ticket = t.keepDurablyLocked(ch.name, event)
}

// event is an event that has a place.
func (e *outgoing) event() history.Event {
	return history.Event{
		Mark: history.Mark{Publisher: e.origin, Number: e.serial}, Before: e.before,
		Frame: e.frame, Except: e.except, At: time.Now(),
	}
}

// deliverKeptLocked delivers an event of a peer, and keeps it if it has a place in the
// history of its channel. What is known already was delivered already. The shard's
// lock is held.
func (t *tenant) deliverKeptLocked(ch *channel, e *outgoing) {
	arrival := history.Next
	if e.serial != 0 && t.keeps(ch.name) {
		arrival = t.rememberedLocked(ch).log.Keep(e.event(), limitsOf(t.app()))
	}
	if arrival == history.Known {
		return
	}
	t.deliverEventLocked(&ch.audience, e, ch.name, reach{})
	if arrival == history.Gap {
		t.tellLostLocked(ch)
	}
}

// tellLostLocked tells those subscribers that care that they have missed events which
// will not come. The shard's lock is held.
func (t *tenant) tellLostLocked(ch *channel) {
	t.hub.metrics.resume(history.Lost, 0)
	v := protocol.Verdict{Asked: true, Reason: string(history.Lost), Position: ch.history.log.Position().String()}
	t.hub.startLocked(delivery{
		to: &ch.audience, meter: &t.hub.service, takes: func(s *Session) bool { return s.resumes },
		frame: frame.Text(func(b []byte) []byte { return protocol.AppendVerdict(b, ch.name, v) }),
	})
}

// uncover notes that peers do not send the channel's events to this node any more.
func (r *remembered) uncover() {
	if r != nil {
		r.covered = 0
		r.log.Stale()
	}
}

// evict makes room when the histories of the app have become too big. No lock is held.
func (t *tenant) evict() {
	if limit := int64(t.app().History.AppBytes); t.budget.Used() > limit {
		t.budget.Evict(limit, t.shelves)
	}
}

// shelves yields those of the app, with their locks.
func (t *tenant) shelves(yield func(sync.Locker, *history.Shelf) bool) {
	for i := range t.shards {
		if sh := &t.shards[i]; !yield(&sh.mu, &sh.shelf) {
			return
		}
	}
}

// sameChannelsKept reports whether the same channels have a history under both settings.
func sameChannelsKept(a, b *apps.App) bool {
	return a.History.Enabled == b.History.Enabled && slices.Equal(a.History.Prefixes, b.History.Prefixes)
}

// interruptHistories forgets the histories of channels that have none any more. From now
// on events are published there that have no place. So even if the channels get a
// history again at once, nobody may be told that nothing is missing.
func (t *tenant) interruptHistories() {
	for i := range t.shards {
		sh := &t.shards[i]
		sh.mu.Lock()
		var gone []*channel
		for name, ch := range sh.channels {
			if ch.history != nil && !t.keeps(name) {
				sh.shelf.Forget(ch.history.log)
				gone = append(gone, ch)
			}
		}
		sh.shelf.Interrupt()
		for _, ch := range gone {
			t.interruptLocked(sh, ch)
		}
		sh.mu.Unlock()
	}
}

// interruptLocked ends a history whose log is forgotten. Who waits for events of it is
// told that they are not kept any more. The shard's lock is held.
func (t *tenant) interruptLocked(sh *shard, ch *channel) {
	r := ch.history
	if len(r.resuming) == 0 {
		ch.history = nil
		sh.releaseLocked(ch)
		return
	}
	r.log, r.covered = sh.shelf.Open(t.hub.cfg.Node, t.budget), 0
	for sub, ask := range r.resuming {
		ask.Refuse(history.Expired)
		t.resumeLater(sub)
	}
}

// sweepHistoryLocked forgets what has expired, and the channel if nobody has used it
// for so long that nobody can come back to it. The shard's lock is held.
func (t *tenant) sweepHistoryLocked(sh *shard, ch *channel, now time.Time) {
	r := ch.history
	if r == nil {
		return
	}
	app := t.app()
	sh.shelf.Expire(now, app.History.TTL)
	t.hub.metrics.evicted.Add(float64(sh.shelf.Evicted()))
	switch on := app.History.Keeps(ch.name); {
	case !on && len(r.resuming) > 0:
		return // they are being told
	case !on:
	case ch.usedLocked():
		r.idle = time.Time{}
		return
	case r.idle.IsZero():
		r.idle = now
		return
	case !r.log.Empty() || now.Sub(r.idle) < app.History.TTL:
		return
	}
	sh.shelf.Forget(r.log)
	ch.history = nil
	sh.releaseLocked(ch)
}
