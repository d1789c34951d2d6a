package hub

import (
	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/protocol"
)

// appChanged makes a change of an app's settings true for the sessions that
// are there: they stay, under the new settings, unless the app is disabled or
// gone.
func (h *Hub) appChanged(c apps.Change) {
	h.appAppeared(c)
	app := c.New
	if app == nil {
		app = c.Old
	}
	// An app that is new can have a tenant: of one with its id that is gone,
	// made by a call that had found it before.
	found, ok := h.tenants.Load(app.ID)
	if !ok {
		return
	}
	t := found.(*tenant)
	before := t.app()
	switch {
	case c.New == nil:
		h.removed.Store(true)
		h.tenants.Delete(app.ID)
		t.dismiss(protocol.UnknownApp(anyKey(c.Old)))
	case c.New.Disabled:
		t.current.Store(c.New)
		t.dismiss(protocol.ErrAppDisabled)
	default:
		t.current.Store(c.New)
	}
	if c.New != nil {
		t.historyChanged(before, c.New)
	} else if before.History.Durable && h.cfg.Durable != nil {
		h.cfg.Durable.Forget(app.ID)
	}
}

// dismiss closes all sessions of the app.
func (t *tenant) dismiss(why *protocol.Error) {
	t.everyone.mu.Lock()
	defer t.everyone.mu.Unlock()
	t.hub.dismissLocked(&t.everyone.audience, why)
}

// anyKey is a key by which clients know the app.
func anyKey(app *apps.App) string {
	if len(app.Keys) == 0 {
		return ""
	}
	return app.Keys[0].Key
}
