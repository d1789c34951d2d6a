package webhook

import (
	"context"
	"time"

	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/hub"
	"github.com/belfryhq/belfry/internal/webhook/delivery"
	"github.com/belfryhq/belfry/internal/webhook/queue"
	"github.com/belfryhq/belfry/internal/webhook/sent"
)

// App returns an app as it is now, or nil; Apps returns all of them, by their
// ids.
func (s *Sender) App(id string) *apps.App { return s.cfg.Apps.ByID(id) }

// Apps returns all apps, ordered by their ids.
func (s *Sender) Apps() []*apps.App { return s.cfg.Apps.All() }

// Status returns how an endpoint is. What waits for the engine counts for its
// oldest event too.
func (s *Sender) Status(to queue.Address) delivery.Status {
	status := s.dispatcher.Status(to)
	o := oldest{status.Oldest}
	s.recorder.seeOldest(o.see, &to)
	status.Oldest = o.at
	return status
}

// DeadLetters returns what was given up.
func (s *Sender) DeadLetters() queue.DeadLetters { return s.store.DeadLetters }

// Replay puts the events of a dead letter into the queue again, waits until they
// are there, and forgets the dead letter. It reports whether their endpoint is
// still there; if it is not, nothing happens.
func (s *Sender) Replay(ctx context.Context, d *queue.DeadLetter) (known bool, err error) {
	queued := s.recorder.replay(d)
	if queued == nil {
		return false, nil
	}
	select {
	case <-queued:
	case <-ctx.Done():
		return true, context.Cause(ctx)
	}
	s.metrics.replayed.Add(float64(len(d.Events)))
	return true, s.store.DeadLetters.Remove(ctx, d)
}

// TestChannel is the channel of the event by which endpoints are tried. Nobody
// uses it.
const TestChannel = "belfry-webhook-test"

// Try sends an event of [TestChannel] to an endpoint of an app at once, beside
// its queue. The app has a key.
func (s *Sender) Try(ctx context.Context, app *apps.App, hook *apps.Webhook) delivery.Trial {
	e := newEvent(hub.News{Kind: apps.ChannelOccupied, Channel: TestChannel}, time.Now())
	e.ID = queue.EventID{Origin: s.recorder.origin}
	return s.dispatcher.Try(ctx, app, hook, e)
}

// History is what was sent lately.
func (s *Sender) History() *sent.Log { return s.history }

// Redeliver sends a request that is remembered once more, at once and beside its
// queue. It reports whether it is remembered, and its endpoint still there.
func (s *Sender) Redeliver(ctx context.Context, id string) (trial delivery.Trial, known bool) {
	return s.dispatcher.Redeliver(ctx, id)
}

// oldest is the earliest of some moments; the zero value has seen none.
type oldest struct{ at time.Time }

// see takes a moment into account, unless it is zero.
func (o *oldest) see(at time.Time) {
	if !at.IsZero() && (o.at.IsZero() || at.Before(o.at)) {
		o.at = at
	}
}

// oldest is the age of the oldest event that is neither delivered nor given up,
// wherever it waits.
func (s *Sender) oldest() time.Duration {
	o := oldest{s.decisions.Oldest()}
	s.recorder.seeOldest(o.see, nil)
	s.dispatcher.EachOldest(o.see)
	if o.at.IsZero() {
		return 0
	}
	return max(time.Since(o.at), 0)
}
