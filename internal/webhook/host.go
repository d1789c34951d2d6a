package webhook

import (
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/cluster/node"
	"github.com/belfryhq/belfry/internal/cluster/roster"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/webhook/queue"
)

var _ roster.Host = (*Sender)(nil)

// Decide puts a decision into the outboxes of the endpoints that want it. It is
// acknowledged to the roster when all of their queues have it. If there is no
// such endpoint in a cluster, it is pending until there is one soon, or not.
func (s *Sender) Decide(d roster.Decision) { s.decisions.Decide(d) }

// putDecision puts a decision of that time into outboxes; see
// handover.DecisionsConfig.
func (s *Sender) putDecision(d roster.Decision, at time.Time) (left int, someWant bool) {
	app := s.cfg.Apps.ByID(d.App)
	if app == nil || !wantedOf(app, d.Subject) {
		return 0, false
	}
	n := newsOf(d)
	if !wanted(app, n.Kind, d.Channel) {
		return 0, true
	}
	e := newEvent(n, at)
	e.ID, e.Order = queue.EventID{Origin: d.ID.Log, Number: d.ID.Number}, d.Order
	return s.recorder.decide(app, e), true
}

// newsOf is a decision as if it had been observed.
func newsOf(d roster.Decision) hub.News {
	n := hub.News{Channel: d.Channel, UserID: d.User}
	switch {
	case d.Member && d.Gone:
		n.Kind = apps.MemberRemoved
	case d.Member:
		n.Kind = apps.MemberAdded
	case d.Gone:
		n.Kind = apps.ChannelVacated
	default:
		n.Kind = apps.ChannelOccupied
	}
	return n
}

// TakeOver begins to take over the queue of an incarnation that is gone. Nothing
// is published until it is known what is in there.
func (s *Sender) TakeOver(dead node.ID) {
	if s.takeover != nil {
		s.takeover.Begin(queue.Owner(dead))
	}
}

// Evicted throws away what was decided and is in no queue, and what is left to
// deliver: all of that is somebody else's. What was observed here and is in no
// queue goes into that of the next incarnation.
func (s *Sender) Evicted(next node.ID) {
	s.decisions.Drop()
	s.recorder.evicted(queue.NewTerm(queue.Owner(next)))
	s.cfg.Log.Warn("this node was given up by the others; its webhooks are theirs")
}
