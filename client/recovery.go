package client

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/belfryhq/belfry/protocol"
)

// A Recovery says how a channel gets the events that it has missed, from a service
// that keeps them (docs/history.md of Belfry). Others ignore it.
type Recovery struct {
	// Position is where an earlier program has been: what [Channel.Position] has
	// told it. Empty is a new beginning.
	Position string
	// Rewind is how many of the last events a new beginning asks for.
	Rewind int
	// Verdict is told what became of each subscription, after the events that
	// were missed. It runs on the queue of the channel. It may be nil.
	Verdict func(Verdict)
}

// A Verdict is what became of a subscription that asked for missed events.
type Verdict struct {
	// Asked is whether there was a position to go on from. If not, nothing could
	// have been missed.
	Asked bool `json:"-"`
	// Recovered says that nothing is missing between the position and now. If it is
	// false although Asked is true, the program has to load its state again.
	Recovered bool   `json:"recovered"`
	Reason    string `json:"reason"`   // why not: expired, unknown, malformed, lost, busy
	Replayed  int    `json:"replayed"` // events that came before the verdict
	Position  string `json:"position"` // where the channel is now
}

// WithRecovery makes a channel ask for what it has missed, whenever it is subscribed
// to again.
func WithRecovery(r Recovery) SubscribeOption {
	return func(s *subscribing) { s.recovery = newRecovery(r) }
}

// Position is where the channel is: all events up to it were queued for what is bound.
// It can be kept for another program. It is empty before the first verdict, and
// without [WithRecovery].
func (ch *Channel) Position() string {
	ch.subs.mu.Lock()
	defer ch.subs.mu.Unlock()
	return ch.recovery.position()
}

// recovery is the position of a channel. It is guarded by subscriptions.mu; nil asks
// for nothing.
type recovery struct {
	Recovery
	marks map[string]string // the place of the last event, by publisher; nil before the first verdict
}

func newRecovery(r Recovery) *recovery {
	rec := &recovery{Recovery: r}
	if r.Position != "" {
		rec.at(r.Position)
	}
	return rec
}

// at makes a position that of the channel.
func (r *recovery) at(position string) {
	r.marks = make(map[string]string)
	for place := range strings.SplitSeq(position, ",") {
		r.mark(place)
	}
}

// mark notes the place of an event: its publisher, a dash, and a number that has as
// many digits as all others.
func (r *recovery) mark(place string) {
	if r == nil || r.marks == nil || place == "" {
		return
	}
	publisher := place[:max(strings.LastIndexByte(place, '-'), 0)]
	r.marks[publisher] = max(r.marks[publisher], place)
}

func (r *recovery) position() string {
	if r == nil {
		return ""
	}
	return strings.Join(slices.Sorted(maps.Values(r.marks)), ",")
}

// A resumeRequest is the member "resume" of a subscription.
type resumeRequest struct {
	Position string   `json:"position,omitempty"`
	Sockets  []string `json:"socket_ids,omitempty"`
	Rewind   int      `json:"rewind,omitempty"`
}

// request is what a subscription asks for; sockets are those of this client.
func (r *recovery) request(sockets []string) *resumeRequest {
	switch {
	case r == nil:
		return nil
	case r.marks == nil:
		return &resumeRequest{Rewind: r.Rewind}
	}
	return &resumeRequest{Position: r.position(), Sockets: sockets}
}

// rememberSocketLocked notes a socket id of this client, for services that are asked
// for what was missed.
func (s *subscriptions) rememberSocketLocked(id string) {
	s.sockets = append(s.sockets, id)
	if extra := len(s.sockets) - protocol.MaxFormerSockets; extra > 0 {
		s.sockets = slices.Clone(s.sockets[extra:])
	}
}

// recoveredLocked takes a verdict.
func (s *subscriptions) recoveredLocked(e Event) {
	ch := s.channels[e.Channel]
	if ch == nil || ch.recovery == nil {
		return
	}
	var v Verdict
	if err := json.Unmarshal([]byte(e.Data), &v); err != nil {
		s.d.fail(protocolError([]byte(e.Data), err))
		return
	}
	ch.recovery.at(v.Position)
}

// bindVerdict hands verdicts to the program, on the queue of the channel.
func (r *recovery) bindVerdict(ch *Channel) {
	if r == nil || r.Verdict == nil {
		return
	}
	told := r.Verdict
	ch.Bind(protocol.EventResume, func(_ context.Context, e Event) {
		var v Verdict
		var asked struct{ Recovered *bool }
		if json.Unmarshal([]byte(e.Data), &v) == nil && json.Unmarshal([]byte(e.Data), &asked) == nil {
			v.Asked = asked.Recovered != nil
			told(v)
		}
	})
}
