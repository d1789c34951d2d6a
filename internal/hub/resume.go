package hub

import (
	"bytes"
	"slices"
	"time"

	"github.com/belfryhq/belfry/internal/frame"
	"github.com/belfryhq/belfry/internal/history"
	"github.com/belfryhq/belfry/protocol"
)

// A client that comes back names the position at which it has been. It gets, in
// this order: the answer to its subscription, what it has missed, a verdict, and
// what happens from then on. Nothing of it is sent twice or left out.

// replaying is a bit of a seat's since while the session gets what it has missed:
// events are not for it then, but all else is that comes after the rest of since.
const replaying = 1 << 63

// nothing is since of a session that has not got the answer to its subscription.
const nothing = 1<<64 - 1

// servedMeanwhile reports whether a session that gets what it has missed gets a
// delivery all the same.
func (st *seat) servedMeanwhile(d *delivery) bool {
	return st.since&replaying != 0 && !d.event && st.since&^replaying < d.number
}

// A resumption is a subscription that has asked for events of the past. The shard's
// lock guards it.
type resumption struct {
	history.Replay
	recalls int  // how often peers were asked
	paused  int  // recalls at the last pause
	partial bool // not all peers have answered
	read    bool // what is kept of publishers that are gone was asked for
	told    bool // the client has the answer to its subscription
	began   time.Time
}

const (
	// maxRecalls is how often peers are asked for one subscription. The first times
	// are at once, since a peer may have come or gone meanwhile.
	maxRecalls, atOnce = 6, 2
	// recallPause is how long nothing is asked before the next time, and twice as
	// long each time from then on: peers may be slow, or not have got yet what
	// the client has.
	recallPause = 100 * time.Millisecond
	// replayAhead is how much of what was missed waits for a client at once.
	replayAhead = 32 << 10
	// replayPause is how long a client has to take some of that.
	replayPause = 5 * time.Millisecond
	// replayPatience is how long a client may take for all of it.
	replayPatience = 30 * time.Second
)

// resumption returns what a subscription asks of the history of its channel, or nil
// if it asks nothing or there is none.
func (s *Session) resumption(m protocol.Subscribe) *resumption {
	if m.Resume == nil || !s.tenant.keeps(m.Channel) {
		return nil
	}
	s.resumes = true
	sockets := append(m.Resume.Sockets, s.id)
	r := &resumption{began: time.Now()}
	if m.Resume.HasPosition {
		r.Replay = history.Resume(m.Resume.Position, sockets)
	} else {
		r.Replay = history.Rewind(min(m.Resume.Rewind, s.app().History.Rewind), sockets)
	}
	return r
}

// suspendLocked makes a new subscription get nothing until resume. The shard's lock is
// held.
func (t *tenant) suspendLocked(sub *subscription, ask *resumption) {
	h := t.rememberedLocked(sub.channel)
	if h.resuming == nil {
		h.resuming = make(map[*subscription]*resumption)
	}
	h.resuming[sub] = ask
	sub.since = nothing
}

// abandon forgets a resumption whose subscription ends.
func (r *remembered) abandon(sub *subscription) {
	if r != nil {
		delete(r.resuming, sub)
	}
}

// resume goes on with a subscription that has asked for events of the past. It runs
// on the session's loop.
func (t *tenant) resume(sub *subscription) {
	frames, again := t.resumeStep(sub)
	for _, f := range frames {
		sub.session.send(f)
	}
	if again {
		time.AfterFunc(replayPause, func() { t.resumeLater(sub) })
	}
}

func (t *tenant) resumeLater(sub *subscription) {
	t.hub.cfg.Loops.Post(sub.session.loop, func(int) { t.resume(sub) }, 1+replayAhead/bytesPerWeight/8)
}

// resumeStep returns what is sent now, and whether there will be more. It runs on the
// session's loop.
func (t *tenant) resumeStep(sub *subscription) (frames []*frame.Frame, again bool) {
	ch := sub.channel
	sh := t.shard(ch.name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	r := ch.history.of(sub)
	if r == nil {
		return nil, false // it has ended meanwhile
	}
	app := t.app()
	sh.shelf.Expire(time.Now(), app.History.TTL)
	if !app.History.Keeps(ch.name) {
		r.Refuse(history.Expired) // what is published now has no place
	}
	recall := t.mustRecallLocked(ch, r)
	if (!recall || r.recalls >= atOnce) && t.mustReadLocked(r) {
		r.read = true
		t.readFormers(r.partial, func() { t.resumeLater(sub) })
		return nil, false
	}
	if recall {
		if pause := r.pause(); pause > 0 {
			time.AfterFunc(pause, func() { t.resumeLater(sub) })
			return nil, false
		}
		r.recalls++
		t.recallLocked(ch, r.From(), func(whole bool) {
			r.partial = !whole
			t.resumeLater(sub)
		})
		return nil, false
	}
	room := replayAhead - sub.session.waiting()
	if room <= 0 && time.Since(r.began) < replayPatience {
		return nil, true
	}
	missed, reason := r.Missed(ch.history.log)
	if !r.told {
		frames = t.answerLocked(ch, r, reason, missed)
		sub.since = ch.last | replaying
	}
	if reason == history.Complete {
		sent := r.Take(missed, room)
		for _, e := range missed[:sent] {
			frames = append(frames, e.Frame)
		}
		if sent < len(missed) {
			if time.Since(r.began) < replayPatience {
				return frames, true
			}
			reason = history.Busy
		}
	}
	sub.since = ch.last
	delete(ch.history.resuming, sub)
	ch.history.log.Promise()
	t.hub.metrics.resumed(&r.Replay, reason)
	v := r.Verdict(ch.history.log, reason)
	return append(frames, frame.Text(func(b []byte) []byte { return protocol.AppendVerdict(b, ch.name, v) })), false
}

// pause is how long nothing is asked now, before the next recall.
func (r *resumption) pause() time.Duration {
	if r.recalls < atOnce || r.paused == r.recalls {
		return 0
	}
	r.paused = r.recalls
	return recallPause << (r.recalls - atOnce)
}

// of returns the resumption of a subscription, or nil.
func (r *remembered) of(sub *subscription) *resumption {
	if r == nil {
		return nil
	}
	return r.resuming[sub]
}

// mustRecallLocked reports whether peers may have events that this node needs for an
// answer. The shard's lock is held.
func (t *tenant) mustRecallLocked(ch *channel, r *resumption) bool {
	if r.told || r.Refused() || r.recalls == maxRecalls || t.hub.peers.Alone() {
		return false
	}
	if r.recalls >= atOnce {
		return ch.history.log.Ahead(r.From()) // else what is known is all that the nodes know that answer
	}
	return !t.sureOfLocked(ch, r.From())
}

// sureOfLocked reports whether no peer can have an event behind a position that is not
// here. The shard's lock is held.
func (t *tenant) sureOfLocked(ch *channel, from history.Position) bool {
	covered := ch.history.covered == t.hub.peers.Changes()+1
	return covered && !ch.history.log.Ahead(from)
}

// answerLocked is what every subscriber is told first. The shard's lock is held.
func (t *tenant) answerLocked(ch *channel, r *resumption, reason history.Reason, missed []*history.Entry) []*frame.Frame {
	r.told = true
	frames := []*frame.Frame{ch.succeededLocked()}
	if ch.kind.Cache() && (!r.Asked() || reason != history.Complete) {
		f, _ := ch.cachedFrameLocked(time.Now())
		if !slices.ContainsFunc(missed, func(e *history.Entry) bool { return bytes.Equal(e.Frame.Message(), f.Message()) }) {
			frames = append(frames, f)
		}
	}
	if t.app().SubscriptionCount && !ch.kind.Presence() {
		n := t.subscriptionsLocked(ch)
		frames = append(frames, frame.Text(func(b []byte) []byte { return protocol.AppendSubscriptionCount(b, ch.name, n) }))
	}
	return frames
}

// waiting is how much the session's client has not taken yet.
func (s *Session) waiting() int {
	if w, ok := s.socket.(Watched); ok {
		n, _ := w.State()
		return n
	}
	return 0
}
