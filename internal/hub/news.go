package hub

import (
	"github.com/belfryhq/belfry/internal/apps"
	"github.com/belfryhq/belfry/protocol"
)

// News is something that happened in a channel and that its backend may want
// to hear of.
type News struct {
	Kind    apps.WebhookEvents // one, or CacheFilled. Channels of users make none.
	Channel string
	UserID  string // of members, and of client events on presence channels

	// Of client events only.
	Event  string
	Data   []byte // a JSON string literal; the observer must not keep it
	Socket protocol.SocketID

	Subscriptions int // of subscription counts only
}

// CacheFilled is the kind of news that no backend hears of: there is a cached
// event where apps.CacheMiss may have been told.
const CacheFilled apps.WebhookEvents = 0

// An Observer hears the news of channels. Those of one channel come one at a
// time and in the order in which they happened, under a lock of the hub. An
// observer must not block and not call the hub.
type Observer interface {
	Observe(app *apps.App, n News)
}

// tellLocked passes news on, if anybody listens. The lock is held of what they are of.
func (t *tenant) tellLocked(n News) {
	if o := t.hub.cfg.Observer; o != nil {
		o.Observe(t.app(), n)
	}
	t.traceNewsLocked(n)
}
