package webhook

import (
	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/internal/cluster/roster"
	"github.com/belfryhq/belfry/internal/hub"
)

var _ hub.Observer = (*Sender)(nil)

// Observe takes news from the hub, which are those of this node's own clients.
// It does nothing for apps without webhooks, and little for news that no
// endpoint wants.
func (s *Sender) Observe(app *apps.App, n hub.News) {
	if len(app.Webhooks) == 0 && s.changes.Load() == 0 {
		return
	}
	switch n.Kind {
	case apps.ChannelOccupied, apps.ChannelVacated:
		s.set(app, roster.Subject{App: app.ID, Channel: n.Channel}, n.Kind == apps.ChannelOccupied)
	case apps.MemberAdded, apps.MemberRemoved:
		s.set(app, roster.Subject{App: app.ID, Channel: n.Channel, User: n.UserID, Member: true}, n.Kind == apps.MemberAdded)
	case apps.CacheMiss, hub.CacheFilled:
		if wanted(app, apps.CacheMiss, n.Channel) {
			s.recorder.cache(app, n)
		}
	default:
		if wanted(app, n.Kind, n.Channel) {
			s.recorder.emit(app, n)
		}
	}
}

func wanted(app *apps.App, events apps.WebhookEvents, channel string) bool {
	for i := range app.Webhooks {
		if app.Webhooks[i].Wants(events, channel) {
			return true
		}
	}
	return false
}

// wantedOf reports whether the app has an endpoint that is told of a subject.
func wantedOf(app *apps.App, subject roster.Subject) bool {
	if subject.Member {
		return wanted(app, apps.MemberStates, subject.Channel)
	}
	return wanted(app, apps.ChannelStates, subject.Channel)
}

// set tells the roster of a subject that holds on this node from now on, or
// not any more. What begins is told while somebody wants to know; what ends
// also afterwards, since it may have begun before.
func (s *Sender) set(app *apps.App, subject roster.Subject, present bool) {
	changed := false
	if s.changes.Load() > 0 {
		if _, changed = s.changed.Load(app.ID); changed {
			app = s.cfg.Apps.ByID(app.ID) // the hub may not know it yet
		}
	}
	if app != nil && wantedOf(app, subject) || changed && !present {
		s.cfg.Roster.Set(subject, present, false)
	}
}

// appChanged makes a change of an app true for its endpoints.
func (s *Sender) appChanged(c apps.Change) {
	if c.Old != nil {
		if states(c.Old) || c.New != nil && states(c.New) {
			if _, known := s.changed.LoadOrStore(c.Old.ID, nil); !known {
				s.changes.Add(1)
			}
		}
		s.recorder.forget(c.Old.ID)
	}
	if c.Old != nil && c.New != nil && states(c.New) && s.cfg.Holdings != nil {
		s.cfg.Holdings(c.New.ID, func(subject roster.Subject) {
			if wantedOf(c.New, subject) && !wantedOf(c.Old, subject) {
				s.cfg.Roster.Set(subject, true, true)
			}
		})
	}
	app := c.New
	if app == nil {
		app = c.Old
	}
	s.decisions.AppChanged(app.ID)
	s.dispatcher.AppChanged(app.ID)
}

// states reports whether an endpoint of the app is told of channels or members.
func states(app *apps.App) bool {
	for i := range app.Webhooks {
		if app.Webhooks[i].Events&apps.States != 0 {
			return true
		}
	}
	return false
}
